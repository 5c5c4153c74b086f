import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { Ref } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { findToken, isUser, PersonalToken, personalTokenViews, refuseNarrowed, subject } from './view.ts'

export const revokePersonalToken = define({
  resource: 'personal_tokens',
  action: 'revoke',
  effect: 'act',
  destroys: () => true,
  tool: 'revoke_personal_token',
  group: 'manage_access',
  summary: 'Revoke a personal token immediately: your own, or one of a user',
  input: z.strictObject({ id: Ref }),
  output: PersonalToken.extend({ revoked: z.literal(true) }),
  permission: 'users:update',
  own: isUser,
  refuses: ['not_found', 'idempotency_conflict'],
  columns: ['id', 'name', 'user', 'revoked'],
  subject,
  handle: async ({ id }, context) => {
    const token = await findToken(id, 'users:update', context)
    if (!permits(context.principal, 'users:update', UNPLACED)) refuseNarrowed(context)
    const owner = await context.whole.byId('users', token.owner)
    if (owner !== undefined && owner.id !== context.principal.id)
      await context.change.judge('users:update', owner)
    const now = context.clock.now()
    await context.change.writer.putAccessToken({ ...token, revoked_at: now })
    context.change.tell({ op: 'add', path: '/revoked_at', value: toTime(now) })
    return { ...(await personalTokenViews(context.reader, [token]))[0]!, revoked: true as const }
  },
})
