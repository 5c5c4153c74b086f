import type { Principal } from '../access/principal.ts'
import { permits, permitsForSome, UNPLACED } from '../access/roles.ts'
import type { Operation } from './define.ts'

/** True when the principal may do this to anything at all. */
export function mayCall(principal: Principal, { permission, unscoped, itemwise, own }: Operation): boolean {
  if (own?.(principal) === true) return true
  if (itemwise === true) return permitsForSome(principal, permission)
  return permits(principal, permission, unscoped === true ? UNPLACED : undefined)
}
