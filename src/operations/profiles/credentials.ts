import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { ProfileSpec } from '../../model/access/profile.ts'
import { ProfileCredentialState } from '../../model/access/profile.ts'
import { Overlap, overlapMsOf, Ref } from '../../model/members.ts'
import type { StoredToken } from '../../store/ports/config.ts'
import { isSigningSecret } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { viewOf } from '../engine/views.ts'
import { patchResource } from '../engine/write-resource.ts'
import { profileKind } from './kind.ts'
import { isLive, issue, issuesOf, keyStates, shownToken, toMinute, toState } from './tokens.ts'

/** Tokens whose last use is looked up: the newest; older ones have long ended. */
const ASKED_MAX = 8

export const getProfileCredentialState = define({
  resource: 'profiles',
  action: 'state',
  effect: 'read',
  tool: 'get_profile_credential_state',
  group: 'manage_profiles',
  summary:
    'Show tokens, signing secrets and keys of a profile: state, expiry, last use; never a secret itself',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    auth_type: z.string(),
    last_used_at: z.string().nullable().describe('Last authenticated call of the profile, to the minute'),
    credentials: z.array(ProfileCredentialState),
  }),
  permission: 'profiles:read',
  refuses: ['not_found'],
  columns: ['credentials.id', 'credentials.state', 'credentials.expires_at'],
  ...about(profileKind),
  handle: async ({ id }, context) => {
    const profile = await context.find('profiles', id)
    const now = context.clock.now()
    const auth = profile.spec.auth
    const tokens = await context.reader.tokensOf([profile.id])
    return {
      id: profile.id,
      slug: profile.slug,
      auth_type: auth.type,
      last_used_at: toMinute(await lastUsed({ profile: profile.id }, context)),
      credentials: await Promise.all([
        ...tokens.map(async (token, index) =>
          toState(
            token,
            now,
            index >= tokens.length - ASKED_MAX ? await lastUsed({ credential_id: token.id }, context) : null,
          ),
        ),
        ...keyStates(auth, now).map(async (key) => ({
          ...key,
          last_used_at: toMinute(await lastUsed({ profile: profile.id, credential_id: key.id }, context)),
        })),
      ]),
    }
  },
})

/** Time of the last recorded call that was proved to be of a profile, or with a token or key; null without one, and while records cannot be read. */
async function lastUsed(
  by: { readonly profile?: string; readonly credential_id?: string },
  context: OperationContext,
): Promise<number | null> {
  try {
    const { items } = await context.records.list({ ...by, proved: true, limit: 1 })
    return items[0] === undefined ? null : Date.parse(items[0].time)
  } catch (error) {
    // What the token may do does not depend on the records, so its state is shown without them.
    if (error instanceof Refusal && error.code === 'records_unavailable') return null
    throw error
  }
}

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
      'Time for which the old credential still works: 0s to 30d. Default: 24h',
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
        detail: `"${profile.slug}" already has two valid credentials. Rotate with overlap 0s to end both, or revoke one.`,
        errors: [{ pointer: '/overlap', reason: 'already has two valid credentials' }],
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
      : 'the signer rotates its keys; change keys and bindings in the profile with an update'
  throw refuse('configuration_invalid', {
    detail: `"${profile.slug}" is of type ${type} and issues neither token nor secret; ${fix}.`,
    errors: [{ pointer: '/id', reason: 'the profile issues nothing' }],
  })
}

export const revokeProfile = define({
  resource: 'profiles',
  action: 'revoke',
  effect: 'act',
  tool: 'revoke_profile_credentials',
  group: 'manage_profiles',
  summary:
    'Revoke tokens, signing secrets, keys or bindings of a profile immediately: one by credential_id, or all',
  input: z.strictObject({
    id: Ref,
    credential_id: z
      .string()
      .max(64)
      .optional()
      .describe('Credential to revoke, as in the state. Default: all'),
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    revision: z.int(),
    revoked: z.int().describe('Number of revoked credentials'),
    credentials: z.array(ProfileCredentialState),
  }),
  permission: 'profiles:rotate',
  refuses: ['not_found', 'revision_conflict', 'configuration_invalid', 'idempotency_conflict'],
  idempotent: true,
  destroys: () => true,
  columns: ['slug', 'revoked'],
  ...about(profileKind),
  handle: async ({ id, credential_id }, context) => {
    const profile = await context.change.act('profiles', id)
    const now = context.clock.now()
    const tokens = await context.whole.tokensOf([profile.id])
    const keys = keyStates(authOf(profile), now)
    if (credential_id !== undefined && ![...tokens, ...keys].some((one) => one.id === credential_id))
      throw refuse('not_found', { detail: `"${profile.slug}" has no credential "${credential_id}".` })
    const isMeant = ({ id }: { readonly id: string }): boolean =>
      credential_id === undefined || id === credential_id
    const ending = tokens.filter((token) => token.revoked_at === null && isMeant(token))
    if (ending.length === 0) refuseNoCredential(profile)
    for (const token of ending)
      await context.change.secrets.putToken(profile, { ...token, revoked_at: now }, 'revoked_at')
    const ended = new Set(keys.filter((key) => key.state !== 'expired' && isMeant(key)).map((key) => key.id))
    if (ended.size > 0)
      await retireKeys((await context.whole.byId('profiles', profile.id))!, ended, now, context)
    const stored = (await context.whole.byId('profiles', profile.id))!
    const states = await context.whole.tokensOf([profile.id])
    return {
      id: stored.id,
      slug: stored.slug,
      revision: stored.revision,
      revoked: ending.length + ended.size,
      credentials: [...states.map((token) => toState(token, now)), ...keyStates(authOf(stored), now)],
    }
  },
})

const authOf = ({ spec }: Resource<'profiles'>): ProfileSpec['auth'] => spec.auth

/** A success that ended nothing would leave the callers of such a profile in. */
function refuseNoCredential(profile: Resource<'profiles'>): void {
  const auth = authOf(profile)
  if (auth.type === 'token' || auth.type === 'mtls' || (auth.type === 'jwt' && auth.mode !== 'jwks_url'))
    return
  throw refuse('configuration_invalid', {
    detail: `"${profile.slug}" is of type ${auth.type}. Postern stores no credential of it that could be revoked. Deactivate the profile with toggle.`,
    errors: [{ pointer: '/id', reason: 'the profile has no stored credentials' }],
  })
}

/** Keys and bindings stand in the profile itself, and end by their `retires_at`. */
async function retireKeys(
  profile: Resource<'profiles'>,
  ended: ReadonlySet<string>,
  now: number,
  context: OperationContext,
): Promise<void> {
  const auth = authOf(profile)
  const retires_at = toTime(now)
  // In the order of the profile
  const states = keyStates(auth, now)
  const retire = <T extends object>(entries: readonly T[]): T[] =>
    entries.map((entry, index) => (ended.has(states[index]!.id) ? { ...entry, retires_at } : entry))
  const changed =
    auth.type === 'mtls'
      ? { bindings: retire(auth.bindings) }
      : auth.type === 'jwt'
        ? { keys: retire(auth.keys) }
        : {}
  await patchResource(context, profileKind, profile, { auth: changed })
}
