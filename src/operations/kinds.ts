import type { ResourceType } from '../model/common.ts'
import { grantKind } from './access/grants.ts'
import { roleKind } from './access/roles.ts'
import { serviceIdentityKind } from './access/service-identities.ts'
import { teamKind } from './access/teams.ts'
import { trustRuleKind } from './access/trust-rules.ts'
import { userKind } from './access/users.ts'
import { clientKind } from './clients/kind.ts'
import { collectionKind } from './collections/kind.ts'
import { credentialKind } from './credentials/kind.ts'
import type { Kind } from './kind.ts'
import { policyKind } from './policies/kind.ts'
import { profileKind } from './profiles/kind.ts'
import { proxyKind } from './proxies/kind.ts'
import { workflowKind } from './workflows/kind.ts'

const KINDS: Readonly<Record<ResourceType, Kind>> = {
  collections: collectionKind,
  proxies: proxyKind,
  workflows: workflowKind,
  clients: clientKind,
  profiles: profileKind,
  policies: policyKind,
  credentials: credentialKind,
  roles: roleKind,
  users: userKind,
  teams: teamKind,
  service_identities: serviceIdentityKind,
  grants: grantKind,
  trust_rules: trustRuleKind,
}

export const ALL_KINDS: readonly Kind[] = Object.values(KINDS)

/** True for the name of a type of resource. */
export function isKind(type: string): type is ResourceType {
  return Object.hasOwn(KINDS, type)
}

/** The kind that a type of resource is. */
export function kindOf(type: ResourceType): Kind {
  return KINDS[type]
}
