import type { ResourceType } from '../../model/resource-types.ts'
import type { Kind } from '../engine/kind.ts'
import { bindingKind } from './bindings.ts'
import { clientKind } from './clients.ts'
import { collectionKind } from './collections.ts'
import { credentialKind } from './credentials.ts'
import { grantKind } from './grants.ts'
import { guardrailKind } from './guardrails.ts'
import { hostKind } from './hosts.ts'
import { originKind } from './origins.ts'
import { policyKind } from './policies.ts'
import { profileKind } from './profiles.ts'
import { proxyKind } from './proxies.ts'
import { roleKind } from './roles.ts'
import { serviceIdentityKind } from './service-identities.ts'
import { teamKind } from './teams.ts'
import { trustRuleKind } from './trust-rules.ts'
import { userKind } from './users.ts'
import { virtualMcpKind } from './virtual-mcps.ts'
import { workflowKind } from './workflows.ts'

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
