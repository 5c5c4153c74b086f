import { grantsOf } from '../../access/identities.ts'
import type { Grant, Principal } from '../../access/principal.ts'
import { intersect } from '../../access/roles.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import type { ConfigReader, Fields } from '../../store/ports/config.ts'

/** Does what somebody else asked for and the principal approves, as whoever asked. */
export interface CarryOut {
  /** What may take long, before the transaction; refuses with change_request_outdated. */
  prepare(request: StoredChangeRequest): Promise<unknown>
  /**
   * In the transaction of the write. Refuses with change_request_outdated what would not be what was shown.
   * @returns the revision of the configuration that it became; null where it changed none
   */
  carryOut(request: StoredChangeRequest, prepared: unknown): Promise<number | null>
}

/** Whoever asked, with what they may do now. Refuses with change_request_outdated. */
export async function requesterOf(
  { requester, auth_method, ceiling }: ChangeRequestFacts,
  reader: ConfigReader,
  now: number,
): Promise<Principal> {
  const { id, type } = requester
  const account = await reader.byId(id.startsWith('svc_') ? 'service_identities' : 'users', id)
  if (account?.spec['active'] !== true)
    throw outdated(
      `"${requester.name}", who asked for it, is ${account === undefined ? 'gone' : 'inactive'}.`,
    )
  const held = await grantsOf(reader, id, now)
  const own = { id, type, name: account.slug, authMethod: auth_method, expiresAt: null }
  if (ceiling === null) return { ...own, grants: held }
  return { ...own, grants: intersect(held, ceiling.map(toGrant)), unnarrowed: held }
}

/** Grants as plain data; the inverse of {@link toGrant}. */
export function toPlainGrant({ role, scope }: Grant): Fields {
  return {
    role: typeof role === 'object' ? { permissions: [...role.permissions].sort() } : role,
    ...(scope === undefined ? {} : { scope }),
  }
}

function toGrant({ role, scope }: Fields): Grant {
  // Only toPlainGrant makes these.
  const plain = { role, scope } as { role: Grant['role'] | { permissions: string[] }; scope?: Grant['scope'] }
  const whole = typeof plain.role === 'object' ? { permissions: new Set(plain.role.permissions) } : plain.role
  return plain.scope === undefined ? { role: whole } : { role: whole, scope: plain.scope }
}

export function outdated(reason: string): Refusal {
  return refuse('change_request_outdated', { detail: `It cannot be carried out as it was shown: ${reason}` })
}
