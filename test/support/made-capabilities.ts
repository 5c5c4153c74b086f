import { approvedOf, type Catalogue } from '../../src/model/mcp/capability-drift.ts'
import { CapabilityPolicy } from '../../src/model/mcp/capability-policy.ts'
import {
  assignNames,
  assignUris,
  type NamedMember,
  type PublicName,
  prefixesOf,
} from '../../src/model/mcp/public-names.ts'
import { rulesOf } from '../../src/snapshot/compile/capability-rules.ts'
import { linkCapabilities } from '../../src/snapshot/find/capabilities.ts'
import type { Capabilities, SubjectClaims } from '../../src/snapshot/find/capability-caller.ts'
import { basesOf } from '../../src/snapshot/find/capability-uris.ts'

/** A member of a virtual MCP. */
interface Made {
  readonly origin: string
  readonly policy?: object
  readonly offers: Partial<Catalogue>
  readonly approved?: Partial<Catalogue>
  /** Offers endpoints of a collection. */
  readonly isOwn?: boolean
}

export const NONE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }

/** The capabilities of a virtual MCP made of policies and catalogues as they are written. */
export function made(members: readonly Made[], claims?: SubjectClaims): Capabilities {
  const prefixes = prefixesOf(members.map(({ origin }, at) => ({ id: `m${at}`, slug: origin })))
  const linked = members.map(({ policy = {}, offers, approved, isOwn = false }, at) => ({
    id: `m${at}`,
    isOwn,
    prefix: prefixes[at]!,
    // As a fragment carries them
    rules: JSON.parse(JSON.stringify(rulesOf(CapabilityPolicy.parse(policy)))) as ReturnType<typeof rulesOf>,
    catalogue: { ...NONE, ...offers },
    approved: approved === undefined ? null : approvedOf({ ...NONE, ...approved }),
  }))
  const named = (type: 'tools' | 'prompts'): NamedMember[] =>
    linked.map(({ id, prefix, rules, catalogue, isOwn }) => ({
      ...{ id, prefix, isOwn },
      items: basesOf(type, rules, catalogue[type]),
    }))
  const names: Record<keyof Catalogue, readonly PublicName[]> = {
    tools: assignNames('tools', [], named('tools'), 'auto'),
    prompts: assignNames('prompts', [], named('prompts'), 'auto'),
    ...assignUris(
      { resources: [], resource_templates: [] },
      linked.map(({ id, prefix, rules, catalogue }) => ({
        ...{ id, prefix },
        resources: basesOf('resources', rules, catalogue.resources),
        resource_templates: basesOf('resource_templates', rules, catalogue.resource_templates),
      })),
    ),
  }
  return linkCapabilities(linked, names, claims)
}
