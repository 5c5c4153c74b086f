import { z } from 'zod'
import { Ref } from '../../model/members.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { getRef } from '../engine/refs.ts'
import { COLUMNS, findToken, isUser, PersonalToken, personalTokenViews, subject } from './view.ts'

export const listPersonalTokens = define({
  resource: 'personal_tokens',
  action: 'list',
  effect: 'read',
  tool: 'list_personal_tokens',
  group: 'manage_access',
  summary: 'List personal tokens: your own, or those of a user',
  input: z.strictObject({
    ...page,
    user: Ref.optional().describe('User of the tokens. Default: you'),
    text: textFilter('name'),
    order: timeOrder('oldest'),
  }),
  output: pageOf(PersonalToken),
  permission: 'users:read',
  own: isUser,
  refuses: ['not_found'],
  columns: COLUMNS,
  subject,
  handle: async ({ limit, cursor, user: ref, text, order }, context) => {
    const owner = ref === undefined ? context.principal.id : await ownerOf(ref, context)
    const cursors = timeCursors('oldest', order, 'tok_[0-9a-z]{26}')
    const found = await firstThat(
      limit + 1,
      (count, last) =>
        context.whole.personalTokens({
          owner,
          order,
          limit: count,
          ...(last === undefined ? {} : { after: last }),
        }),
      cursors.from(cursor),
      ({ name }) => hasText(text, [name]),
    )
    const items = found.slice(0, limit)
    return {
      items: await personalTokenViews(context.reader, items),
      next_cursor: found.length > limit ? cursors.to(items.at(-1)!.id) : null,
    }
  },
})

/** The user that is named, who may always be oneself. */
async function ownerOf(ref: string, context: OperationContext): Promise<string> {
  const { id, name } = context.principal
  if (isUser(context.principal) && (ref === id || ref === name)) return id
  context.require('users:read')
  const user = await getRef(context.reader, 'users', ref)
  await context.demand('users:read', user)
  return user.id
}

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
    return (await personalTokenViews(context.reader, [token]))[0]!
  },
})
