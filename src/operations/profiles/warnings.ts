import { toTime } from '../../base/clock.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { readAuthorities, readCrls } from '../../snapshot/link/certificates.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'
import { warnOfInactivePolicy } from '../policies/inactive.ts'
import { sharedIssuerWarnings } from './shared-issuer.ts'
import { uncovered } from './uncovered.ts'

/** What of a profile works but is hardly meant. */
export async function profileWarnings(
  profile: Resource<'profiles'>,
  context: OperationContext,
): Promise<Warning[]> {
  return [
    ...authWarnings(profile),
    ...(await sharedIssuerWarnings(profile, context)),
    ...certificateWarnings(profile, context.clock.now()),
    ...(await uncovered(profile, context)),
    ...(await warnOfInactivePolicy(profile, context)),
  ]
}

function authWarnings({ spec }: Resource<'profiles'>): Warning[] {
  const { auth, ip_allowlist } = spec
  if (auth.type === 'none' && ip_allowlist.length === 0)
    return [{ pointer: '/ip_allowlist', reason: 'ids are not secrets: each caller that knows them may call' }]
  if (auth.type === 'token' && auth.expires_in === null)
    return [{ pointer: '/auth/expires_in', reason: 'its tokens never expire' }]
  return []
}

/** What of certificates ends soon, or has ended: then calls are refused. */
function certificateWarnings({ spec }: Resource<'profiles'>, now: number): Warning[] {
  const { auth } = spec
  if (auth.type !== 'mtls') return []
  const { crl } = auth.revocation
  const ends = [
    ...auth.bindings.map(({ ca }, index) => ({
      pointer: `/auth/bindings/${index}/ca`,
      what: 'the authority',
      until: endOf(ca),
    })),
    ...(crl === null
      ? []
      : [
          {
            pointer: '/auth/revocation/crl',
            what: 'a revocation list',
            until: Math.min(...readCrls(crl).map(({ until }) => until)),
          },
        ]),
  ]
  return ends
    .filter(({ until }) => until - now <= EXPIRES_SOON_MS)
    .map(({ pointer, what, until }) => ({
      pointer,
      reason: `${what} ${until <= now ? 'ended' : 'ends'} at ${toTime(until)}`,
    }))
}

/** When the last authority of a binding ends, milliseconds since the epoch. */
export function endOf(ca: string): number {
  return Math.max(...readAuthorities(ca).map(({ until }) => until))
}
