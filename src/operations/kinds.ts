import type { ResourceType } from '../model/resource-types.ts'
import { clientKind, clientOperations } from './clients/kind.ts'
import { collectionKind, collectionOperations } from './collections/kind.ts'
import { credentialKind, credentialOperations } from './credentials/kind.ts'
import type { Operation } from './engine/define.ts'
import type { Kind } from './engine/kind.ts'
import { parentFields } from './engine/refs.ts'
import { grantKind, grantOperations, roleKind, roleOperations } from './grants/kind.ts'
import { guardrailKind, guardrailOperations } from './guardrails/kind.ts'
import { bindingKind, bindingOperations, hostKind, hostOperations } from './hosts/kind.ts'
import { originKind, originOperations } from './origins/kind.ts'
import { policyKind, policyOperations } from './policies/kind.ts'
import { profileKind, profileOperations } from './profiles/kind.ts'
import { proxyKind, proxyOperations } from './proxies/kind.ts'
import {
  serviceIdentityKind,
  serviceIdentityOperations,
  trustRuleKind,
  trustRuleOperations,
} from './service-identities/kind.ts'
import { sinkKind, sinkOperations } from './sinks/kind.ts'
import { teamKind, teamOperations } from './teams/kind.ts'
import { userKind, userOperations } from './users/kind.ts'
import { virtualMcpKind, virtualMcpOperations } from './virtual-mcps/kind.ts'
import { workflowKind, workflowOperations } from './workflows/kind.ts'

/** Each type of resource with its kind, and with the operations that are declared beside the kind. */
const TABLE: Readonly<Record<ResourceType, { kind: Kind; operations: Readonly<Record<string, Operation>> }>> =
  {
    collections: { kind: collectionKind, operations: collectionOperations },
    proxies: { kind: proxyKind, operations: proxyOperations },
    workflows: { kind: workflowKind, operations: workflowOperations },
    clients: { kind: clientKind, operations: clientOperations },
    profiles: { kind: profileKind, operations: profileOperations },
    policies: { kind: policyKind, operations: policyOperations },
    credentials: { kind: credentialKind, operations: credentialOperations },
    origins: { kind: originKind, operations: originOperations },
    virtual_mcps: { kind: virtualMcpKind, operations: virtualMcpOperations },
    guardrails: { kind: guardrailKind, operations: guardrailOperations },
    roles: { kind: roleKind, operations: roleOperations },
    users: { kind: userKind, operations: userOperations },
    teams: { kind: teamKind, operations: teamOperations },
    service_identities: { kind: serviceIdentityKind, operations: serviceIdentityOperations },
    grants: { kind: grantKind, operations: grantOperations },
    trust_rules: { kind: trustRuleKind, operations: trustRuleOperations },
    hosts: { kind: hostKind, operations: hostOperations },
    bindings: { kind: bindingKind, operations: bindingOperations },
    sinks: { kind: sinkKind, operations: sinkOperations },
  }

export const ALL_KINDS: readonly Kind[] = Object.values(TABLE).map(({ kind }) => kind)

/** The operations of all kinds, by kind. */
export const KIND_OPERATIONS: readonly Operation[] = Object.values(TABLE).flatMap(({ operations }) =>
  Object.values(operations),
)

/** The kind that a type of resource is. */
export function kindOf(type: ResourceType): Kind {
  return TABLE[type].kind
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
      if (type !== kind.type && isLate !== true) visit(TABLE[type].kind)
    done.add(kind)
  }
  for (const kind of ALL_KINDS) visit(kind)
  return [...done]
}
