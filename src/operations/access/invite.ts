import { z } from 'zod'
import { INVITATION_MS } from '../../access/set-up-links.ts'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { confidential } from '../../model/annotations.ts'
import { Ref, Slug, Time } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { demandHoldsOf } from '../grants/kind.ts'
import { userKind } from '../users/kind.ts'

export const inviteUser = define({
  resource: 'users',
  action: 'invite',
  effect: 'act',
  tool: 'invite_user',
  group: userKind.group,
  summary: 'Create a one-time link, valid for 24 hours, with which a local user sets a password',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: Slug,
    set_up_url: confidential('secret', z.string())
      .optional()
      .describe('URL of the link; shown only in this response'),
    expires_at: Time,
  }),
  permission: 'users:update',
  refuses: [
    'not_found',
    'revision_conflict',
    'configuration_invalid',
    'idempotency_conflict',
    'secret_already_shown',
  ],
  revealsOnce: true,
  columns: ['slug', 'set_up_url', 'expires_at'],
  ...about(userKind),
  handle: async ({ id }, context) => {
    const user = await context.change.act('users', id)
    const fault = context.localSignIn === null ? 'local sign-in is off (LOCAL_SIGN_IN)' : faultOf(user)
    if (fault !== null || context.localSignIn === null)
      throw refuse('configuration_invalid', {
        detail: `"${user.slug}" cannot be invited: ${fault}.`,
        errors: [{ pointer: '/id', reason: String(fault) }],
      })
    // Who holds the link becomes them
    await demandHoldsOf(user.id, context)
    const expiresAt = context.clock.now() + INVITATION_MS
    const token = await context.change.secrets.issueSetUpLink(user, expiresAt)
    return {
      id: user.id,
      slug: user.slug,
      ...(token === undefined ? {} : { set_up_url: context.localSignIn.setUpUrl(token) }),
      expires_at: toTime(expiresAt),
    }
  },
})

function faultOf({
  key,
  spec,
}: {
  key: string | null
  spec: Readonly<Record<string, unknown>>
}): string | null {
  if (key !== null) return 'they sign in at their identity provider'
  return spec['active'] === true ? null : 'the user is inactive'
}
