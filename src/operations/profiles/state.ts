import { z } from 'zod'
import { Refusal } from '../../base/refusal.ts'
import { ProfileCredentialState } from '../../model/access/profile.ts'
import { Ref } from '../../model/members.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { profileKind } from './kind.ts'
import { keyStates, toMinute, toState } from './tokens.ts'

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
    last_used_at: z
      .string()
      .nullable()
      .describe('Last call that was proved to be of the profile, to the minute'),
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
