import { z } from 'zod'
import { Ref } from '../../model/common.ts'
import { ProfileCredentialState } from '../../model/profile.ts'
import { about } from '../crud.ts'
import { define } from '../define.ts'
import { getRef } from '../refs.ts'
import { profileKind } from './kind.ts'
import { toState } from './tokens.ts'

export const getProfileCredentialState = define({
  resource: 'profiles',
  action: 'state',
  effect: 'read',
  tool: 'get_profile_credential_state',
  group: 'manage_profiles',
  summary: 'Show the tokens of a profile: state, expiry, last use; never the tokens themselves',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    auth_type: z.string(),
    credentials: z.array(ProfileCredentialState),
  }),
  permission: 'profiles:read',
  refuses: ['not_found'],
  columns: ['credentials.id', 'credentials.state', 'credentials.expires_at'],
  ...about(profileKind),
  handle: async ({ id }, context) => {
    const profile = await getRef(context.reader, 'profiles', id)
    const now = context.clock.now()
    const tokens = await context.reader.tokensOf([profile.id])
    return {
      id: profile.id,
      slug: profile.slug,
      auth_type: (profile.spec['auth'] as { type: string }).type,
      credentials: tokens.map((token) => toState(token, now)),
    }
  },
})
