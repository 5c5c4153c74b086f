import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/members.ts'
import { TIME_ORDERS, type TimeOrder } from '../../store/ports/time-order.ts'
import { define, subjectById } from '../engine/define.ts'
import { firstThat, fromCursor, hasText, page, pageOf, textFilter, toCursor } from '../engine/lists.ts'
import { isUser } from '../personal-tokens/view.ts'
import { COLUMNS, Connection, connectionViews, findOrigin, userOf } from './view.ts'

/** Where a connection stands in the list. */
interface Place {
  readonly user: string
  readonly origin: string
  readonly created_at: number
}

const IDS = '((?:usr_[0-9a-z]{26})?) (ori_[0-9a-z]{26})'

/** Cursors of an order. The sign keeps those of one order from being read in another; orders by time also need the time. */
function placesBy(order: 'user' | TimeOrder) {
  const sign = { user: '', newest: '-', oldest: '+' }[order]
  const form = order === 'user' ? new RegExp(`^()${IDS}$`) : new RegExp(`^\\${sign}(\\d{1,16}) ${IDS}$`)
  return {
    form,
    write: ({ user, origin, created_at }: Place): string =>
      `${order === 'user' ? '' : `${sign}${created_at} `}${user} ${origin}`,
    read: (text: string): Place => {
      const [, time = '', user = '', origin = ''] = form.exec(text) ?? []
      return { user, origin, created_at: Number(time) }
    },
  }
}

const PLACES = { user: placesBy('user'), newest: placesBy('newest'), oldest: placesBy('oldest') }

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
    text: textFilter('slug of user or origin, or in the name of the account'),
    order: z
      .enum(['user', ...TIME_ORDERS])
      .default('user')
      .describe('Sort order: by user and origin, or by the time at which they were connected'),
  }),
  output: pageOf(Connection),
  permission: 'users:read',
  own: isUser,
  refuses: ['not_found'],
  columns: COLUMNS,
  subject: subjectById('connection'),
  handle: async ({ limit, cursor, user: ref, origin: at, all_users: all, text, order }, context) => {
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
    const filter = { ...(user === undefined ? {} : { user }), ...(origin === undefined ? {} : { origin }) }
    const places = PLACES[order]
    const { connections } = context.whole
    const found = await firstThat(
      limit + 1,
      async (count, last) => {
        const after = last === undefined ? undefined : places.read(last)
        const some =
          order === 'user'
            ? await connections.list(filter, count, after && [after.user, after.origin])
            : await connections.byTime(filter, count, order, after)
        const views = await connectionViews(context.whole, some)
        return some.map((one, index) => ({ id: places.write(one), view: views[index]! }))
      },
      cursor === undefined ? undefined : fromCursor(cursor, places.form),
      ({ view }) => hasText(text, [view.user, view.origin, view.account_label]),
    )
    const items = found.slice(0, limit)
    return {
      items: items.map(({ view }) => view),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})
