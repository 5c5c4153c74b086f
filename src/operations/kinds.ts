import type { ResourceType } from '../model/resource-types.ts'
import { clientKind } from './clients/kind.ts'
import { collectionKind } from './collections/kind.ts'
import { credentialKind } from './credentials/kind.ts'
import type { Kind } from './engine/kind.ts'
import { parentFields } from './engine/refs.ts'
import { grantKind, roleKind } from './grants/kind.ts'
import { guardrailKind } from './guardrails/kind.ts'
import { bindingKind, hostKind } from './hosts/kind.ts'
import { originKind } from './origins/kind.ts'
import { policyKind } from './policies/kind.ts'
import { profileKind } from './profiles/kind.ts'
import { proxyKind } from './proxies/kind.ts'
import { serviceIdentityKind, trustRuleKind } from './service-identities/kind.ts'
import { teamKind } from './teams/kind.ts'
import { userKind } from './users/kind.ts'
import { virtualMcpKind } from './virtual-mcps/kind.ts'
import { workflowKind } from './workflows/kind.ts'

const KINDS: Readonly<Record<ResourceType, Kind>> = {
  collections: collectionKind,
  proxies: proxyKind,
  workflows: workflowKind,
  clients: clientKind,
  profiles: profileKind,
  policies: policyKind,
  credentials: credentialKind,
  origins: originKind,
  virtual_mcps: virtualMcpKind,
  guardrails: guardrailKind,
  roles: roleKind,
  users: userKind,
  teams: teamKind,
  service_identities: serviceIdentityKind,
  grants: grantKind,
  trust_rules: trustRuleKind,
  hosts: hostKind,
  bindings: bindingKind,
}

export const ALL_KINDS: readonly Kind[] = Object.values(KINDS)

/** The kind that a type of resource is. */
export function kindOf(type: ResourceType): Kind {
  return KINDS[type]
}

/**
 * All kinds, each after those that it belongs or refers to; see `isLate` of {@link RefField}. In this order resources are made, and in the
 * reverse one they are removed.
 */
export const KINDS_IN_ORDER: readonly Kind[] = inOrder()

function inOrder(): readonly Kind[] {
  const done = new Set<Kind>()
  const visit = (kind: Kind): void => {
    if (done.has(kind)) return
    for (const { type, isLate } of [...parentFields(kind), ...kind.refs])
      if (type !== kind.type && isLate !== true) visit(KINDS[type])
    done.add(kind)
  }
  for (const kind of ALL_KINDS) visit(kind)
  return [...done]
}
