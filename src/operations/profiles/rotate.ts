import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Overlap, overlapMsOf, Ref } from '../../model/members.ts'
import { isSigningSecret, type StoredToken } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { about, define } from '../engine/define.ts'
import { viewOf } from '../engine/views.ts'
import { issue, issuesOf, shownToken } from './issue.ts'
import { profileKind } from './kind.ts'
import { isLive } from './tokens.ts'

export const rotateProfile = define({
  resource: 'profiles',
  action: 'rotate',
  effect: 'act',
  tool: 'rotate_profile_credentials',
  group: 'manage_profiles',
  summary: 'Issue a new token or signing secret; the old one works until the overlap ends',
  input: z.strictObject({
    id: Ref,
    overlap: Overlap.default('24h').describe(
      'Time for which the old one still works: 0s to 30d. Default: 24h',
    ),
  }),
  output: profileKind.view.extend(shownToken),
  permission: 'profiles:rotate',
  refuses: [
    'not_found',
    'revision_conflict',
    'configuration_invalid',
    'idempotency_conflict',
    'secret_already_shown',
  ],
  revealsOnce: true,
  columns: ['slug', 'client', 'token', 'token_expires_at'],
  ...about(profileKind),
  handle: async ({ id, overlap }, context) => {
    const profile = await context.change.act('profiles', id)
    const kind = issuing(profile)
    const now = context.clock.now()
    const tokens = (await context.whole.tokensOf([profile.id])).filter(
      (token) => token.revoked_at === null && isSigningSecret(token) === (kind === 'secret'),
    )
    const live = tokens.filter((token) => isLive(token, now))
    const overlapMs = overlapMsOf(overlap)
    // With an overlap the present token stays beside the new one; a third would outlive what people keep track of.
    if (overlapMs > 0 && live.length >= 2)
      throw refuse('configuration_invalid', {
        detail: `"${profile.slug}" has two credentials that work already; rotate with overlap 0s to end both, or revoke them.`,
        errors: [{ pointer: '/overlap', reason: 'two work already' }],
      })
    for (const token of tokens)
      await context.change.secrets.putToken(profile, ...retired(token, now, overlapMs))
    const issued = await issue(profile, context)
    const stored = (await context.whole.byId('profiles', profile.id))!
    return { ...(await viewOf(context.whole, profileKind, stored)), ...issued }
  },
})

/** A live token keeps working for the overlap; one whose time is over leaves the snapshot for good. */
function retired(
  token: StoredToken,
  now: number,
  overlapMs: number,
): [StoredToken, 'retires_at' | 'revoked_at'] {
  if (overlapMs === 0 || !isLive(token, now)) return [{ ...token, revoked_at: now }, 'revoked_at']
  const retires = Math.min(token.retires_at ?? now + overlapMs, now + overlapMs)
  return [{ ...token, retires_at: retires }, 'retires_at']
}

/** What the profile issues; refuses a profile that issues nothing. */
function issuing(profile: Resource<'profiles'>): 'token' | 'secret' {
  const kind = issuesOf(profile)
  if (kind !== null) return kind
  const { type } = profile.spec.auth
  const fix =
    type === 'none'
      ? 'set auth to type token first'
      : 'its keys are rotated by whoever signs; keys and bindings in the profile are changed with an update'
  throw refuse('configuration_invalid', {
    detail: `"${profile.slug}" is of type ${type} and issues neither token nor secret; ${fix}.`,
    errors: [{ pointer: '/id', reason: 'the profile issues nothing' }],
  })
}
