import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { ProfileCredentialState, type ProfileSpec } from '../../model/access/profile.ts'
import { Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { patchResource } from '../engine/write-resource.ts'
import { profileKind } from './kind.ts'
import { keyStates, toState } from './tokens.ts'

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
    detail: `"${profile.slug}" is of type ${auth.type}. Postern holds no credential of it that could be revoked; switch the profile off with toggle.`,
    errors: [{ pointer: '/id', reason: 'the profile holds no credentials' }],
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
