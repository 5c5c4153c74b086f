import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/slug.ts'
import { define, subjectById } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { isUser } from '../personal-tokens/view.ts'
import { COLUMNS, Connection, findOrigin, userOf, viewsOf } from './view.ts'

/** A place in the list: ids of user and origin. */
const PLACE = /^(?:usr_[0-9a-z]{26})? ori_[0-9a-z]{26}$/

export const listConnections = define({
  resource: 'connections',
  action: 'list',
  effect: 'read',
  tool: 'list_connections',
  group: 'manage_hosts',
  summary: 'List accounts that are connected at origins: your own, those of a user, or all',
  input: z.strictObject({
    ...page,
    user: Ref.optional().describe('User of the accounts. Default: you'),
    origin: Ref.optional().describe('Only accounts at this origin'),
    all_users: z
      .boolean()
      .default(false)
      .describe('true: the accounts of all users, and those that all callers share'),
  }),
  output: pageOf(Connection),
  permission: 'users:read',
  own: isUser,
  refuses: ['not_found'],
  columns: COLUMNS,
  subject: subjectById('connection'),
  handle: async ({ limit, cursor, user: ref, origin: at, all_users: all }, context) => {
    if (all && !permits(context.principal, 'users:read', UNPLACED))
      throw refuse('permission_denied', {
        detail: 'The accounts of all users need users:read for all users.',
        members: { permission: 'users:read' },
      })
    // A service identity has no accounts of its own
    if (!all && ref === undefined && !isUser(context.principal)) return { items: [], next_cursor: null }
    const user = all ? undefined : await userOf(ref, false, 'users:read', context)
    // The id of no origin: an unknown origin has no accounts
    const origin = at === undefined ? undefined : ((await findOrigin(at, context))?.id ?? '')
    const after = cursor === undefined ? undefined : fromCursor(cursor, PLACE).split(' ')
    const filter = { ...(user === undefined ? {} : { user }), ...(origin === undefined ? {} : { origin }) }
    const found = await context.whole.connections.list(
      filter,
      limit + 1,
      after && [after[0] ?? '', after[1] ?? ''],
    )
    const items = found.slice(0, limit)
    const last = items.at(-1)
    return {
      items: await viewsOf(context.whole, items),
      next_cursor:
        found.length > limit && last !== undefined ? toCursor(`${last.user} ${last.origin}`) : null,
    }
  },
})
