import { toMs } from '../../base/duration.ts'
import type { CapabilityType } from '../../model/capability.ts'
import type { Approved, Catalogue } from '../../model/capability-drift.ts'
import type { CapabilityRules } from '../../model/capability-rules.ts'
import type { CatalogueState } from '../../model/catalogue.ts'
import { EMPTY_CATALOGUE } from '../../model/catalogue.ts'
import type { OriginSpec } from '../../model/origin.ts'
import { assignNames, assignUris, type PublicName, prefixesOf } from '../../model/public-names.ts'
import { UpstreamSpec } from '../../model/upstream.ts'
import type { VirtualMcpSpec } from '../../model/virtual-mcp.ts'
import { basesOf } from '../find/capability-bases.ts'
import type { CatalogueFragment, OriginFragment, VirtualMcpFragment } from '../fragments.ts'
import { rulesOf } from './capability-rules.ts'
import type { Desired } from './compile.ts'
import { type Offer, offeredBy } from './endpoint-catalogue.ts'
import { compileUpstream } from './upstream.ts'

/** An origin. @param found what the last probe has found; null before the first */
export function compileOrigin(
  { id, slug, spec }: Desired<OriginSpec>,
  found: CatalogueState | null,
): OriginFragment {
  const url = spec.url === null ? null : new URL(spec.url)
  return {
    kind: 'origin',
    id,
    slug,
    name: spec.name,
    served_by: spec.kind,
    active: spec.active,
    collection: spec.kind === 'collection' ? spec.collection : null,
    upstream: url === null ? null : compileUpstream(upstreamOf(spec, url)),
    total_ms: toMs(spec.timeouts.total),
    target: url === null ? '' : url.pathname + url.search,
    credential: spec.credential,
    policy: spec.policy,
    verdict: found && {
      version: found.verdict.version,
      capabilities: JSON.stringify(found.verdict.capabilities),
      instructions: found.verdict.instructions,
    },
  }
}

/** An origin that is down is answered for at once: few calls come, so that few failures must be enough. */
const BREAKER = { errors: 50, requests: 5, window: '30s', open: '5s' }

function upstreamOf({ timeouts, pool_max, tls }: OriginSpec, { origin }: URL): UpstreamSpec {
  const { total: _, ...each } = timeouts
  return UpstreamSpec.parse({
    targets: [{ url: origin }],
    timeouts: each,
    pool_max,
    tls,
    breaker: BREAKER,
  })
}

/** The catalogue of an origin as its last probe has found it; of one of kind `collection`, what its endpoints are now. */
export function compileCatalogue(
  { id, slug, spec }: Desired<OriginSpec>,
  found: CatalogueState | null,
  offer: Offer | null = null,
): CatalogueFragment {
  if (spec.kind === 'collection') {
    const { catalogue, endpoints } =
      offer === null ? { catalogue: EMPTY_CATALOGUE, endpoints: null } : offeredBy(offer, true)
    const behind = endpoints === null ? {} : { endpoints: JSON.stringify(endpoints) }
    return { kind: 'catalogue', id, slug, json: JSON.stringify(catalogue), ...behind }
  }
  return { kind: 'catalogue', id, slug, json: JSON.stringify(found?.catalogue ?? EMPTY_CATALOGUE) }
}

/** An origin as names are made of it. */
export interface NamedSource {
  readonly slug: string
  readonly catalogue: Catalogue
  /** Of kind `collection`: nothing of it drifts, so nothing is held back. */
  readonly isOwn?: boolean
}

/** What a virtual MCP is compiled from. */
export interface VirtualMcpSource {
  readonly virtualMcp: Desired<VirtualMcpSpec>
  /** Its origins as they are stored, by id; what they list is empty before their first probe. */
  readonly origins: ReadonlyMap<string, NamedSource>
  /** Names that were given before, by type. */
  readonly names: PublicNames
  /** Hashes of approved items, by id of the origin. */
  readonly approved: Readonly<Record<string, Approved>>
}

/** A published virtual MCP; of its members those that are active. */
export function compileVirtualMcp({
  virtualMcp: { id, slug, spec },
  origins,
  names,
  approved,
}: VirtualMcpSource): VirtualMcpFragment {
  const { name, description, instructions, prefix, policy } = spec
  const members = membersOf(spec, origins)
  return {
    kind: 'virtual_mcp',
    id,
    slug,
    name,
    description,
    instructions,
    members: members
      .filter(({ isActive }) => isActive)
      .map((member) => ({
        origin: member.id,
        prefix: member.prefix,
        rules: member.rules,
        approved: origins.get(member.id)?.isOwn === true ? null : (approved[member.id] ?? null),
      })),
    names: namesOf(members, names, prefix),
    policy,
  }
}

/** All public names of a virtual MCP: those that were given before, and those of what its origins list since. */
export function publicNamesOf({ virtualMcp: { spec }, origins, names }: VirtualMcpSource): PublicNames {
  return namesOf(membersOf(spec, origins), names, spec.prefix)
}

/** Public names by type, as they are kept in the state of a virtual MCP. */
export type PublicNames = Readonly<Record<CapabilityType, readonly PublicName[]>>

interface NamedOrigin {
  readonly id: string
  /** One that is switched off keeps its names. */
  readonly isActive: boolean
  readonly prefix: string
  readonly rules: CapabilityRules
  readonly catalogue: Catalogue
}

function membersOf(
  { members }: VirtualMcpSpec,
  origins: VirtualMcpSource['origins'],
): readonly NamedOrigin[] {
  const known = members
    .filter(({ origin }) => origins.has(origin))
    .map(({ origin, active, capability_policy }) => ({
      id: origin,
      ...origins.get(origin)!,
      isActive: active,
      capability_policy,
    }))
  const prefixes = prefixesOf(known)
  return known.map(({ id, isActive, catalogue, capability_policy }, index) => ({
    id,
    isActive,
    prefix: prefixes[index]!,
    rules: rulesOf(capability_policy),
    catalogue,
  }))
}

/** The names of everything that the origins list now; those that were given before stay. */
function namesOf(
  members: readonly NamedOrigin[],
  existing: PublicNames,
  mode: VirtualMcpSpec['prefix'],
): PublicNames {
  const named = (type: CapabilityType) =>
    members.map(({ id, prefix, rules, catalogue }) => ({
      id,
      prefix,
      items: basesOf(type, rules, catalogue[type]),
    }))
  return {
    tools: assignNames('tools', existing.tools, named('tools'), mode),
    prompts: assignNames('prompts', existing.prompts, named('prompts'), mode),
    resources: assignUris('resources', existing.resources, named('resources')),
    resource_templates: assignUris(
      'resource_templates',
      existing.resource_templates,
      named('resource_templates'),
    ),
  }
}
