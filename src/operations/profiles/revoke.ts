import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/common.ts'
import { ProfileCredentialState } from '../../model/profile.ts'
import { about } from '../crud.ts'
import { define } from '../define.ts'
import { profileKind } from './kind.ts'
import { toState } from './tokens.ts'

export const revokeProfile = define({
  resource: 'profiles',
  action: 'revoke',
  effect: 'act',
  tool: 'revoke_profile_credentials',
  group: 'manage_profiles',
  summary: 'End tokens of a profile at once: one by credential_id, or all',
  input: z.strictObject({
    id: Ref,
    credential_id: z.string().max(64).optional().describe('The token to end; all when absent'),
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    revision: z.int(),
    revoked: z.int().describe('Tokens that this call ended'),
    credentials: z.array(ProfileCredentialState),
  }),
  permission: 'profiles:rotate',
  refuses: ['not_found', 'revision_conflict', 'idempotency_conflict'],
  idempotent: true,
  columns: ['slug', 'revoked'],
  ...about(profileKind),
  handle: async ({ id, credential_id }, context) => {
    const profile = await context.change.act('profiles', id)
    const now = context.clock.now()
    const tokens = await context.reader.tokensOf([profile.id])
    if (credential_id !== undefined && !tokens.some((token) => token.id === credential_id))
      throw refuse('not_found', { detail: `"${profile.slug}" has no token "${credential_id}".` })
    const ending = tokens.filter(
      (token) => token.revoked_at === null && (credential_id === undefined || token.id === credential_id),
    )
    for (const token of ending)
      await context.change.putToken(profile, { ...token, revoked_at: now }, 'revoked_at')
    const stored = (await context.reader.byId('profiles', profile.id))!
    const states = await context.reader.tokensOf([profile.id])
    return {
      id: stored.id,
      slug: stored.slug,
      revision: stored.revision,
      revoked: ending.length,
      credentials: states.map((token) => toState(token, now)),
    }
  },
})
