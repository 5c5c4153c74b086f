import { z } from 'zod'
import { Ref } from '../../model/common.ts'
import { define } from '../engine/define.ts'
import { COLUMNS, findToken, isUser, PersonalToken, subject, viewsOf } from './view.ts'

export const getPersonalToken = define({
  resource: 'personal_tokens',
  action: 'get',
  effect: 'read',
  tool: 'get_personal_token',
  group: 'manage_access',
  summary: 'Show a personal token, without the token itself',
  input: z.strictObject({ id: Ref }),
  output: PersonalToken,
  permission: 'users:read',
  own: isUser,
  refuses: ['not_found'],
  columns: COLUMNS,
  subject,
  handle: async ({ id }, context) => {
    const token = await findToken(id, 'users:read', context)
    return (await viewsOf(context.reader, [token]))[0]!
  },
})
