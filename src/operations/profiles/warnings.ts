import type { ProfileSpec } from '../../model/profile.ts'
import type { Resource } from '../../store/ports/config.ts'
import type { OperationContext } from '../context.ts'
import type { Warning } from '../kind.ts'
import { uncovered } from './uncovered.ts'

/** What of a profile works but is hardly meant. */
export async function profileWarnings(profile: Resource, context: OperationContext): Promise<Warning[]> {
  return [...authWarnings(profile), ...(await uncovered(profile, context))]
}

function authWarnings({ spec }: Resource): Warning[] {
  // Parsed by the exact schema before it was stored.
  const { auth, ip_allowlist } = spec as ProfileSpec
  if (auth.type === 'none' && ip_allowlist.length === 0)
    return [{ pointer: '/ip_allowlist', reason: 'ids are no secrets: whoever knows them may call' }]
  if (auth.type === 'token' && auth.expires_in === null)
    return [{ pointer: '/auth/expires_in', reason: 'its tokens never expire' }]
  return []
}
