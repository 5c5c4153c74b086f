import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { SHARED } from '../../model/access/caller.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref, Time } from '../../model/members.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import { type Resource, TIME_ORDERS, type TimeOrder } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, subjectById } from '../engine/define.ts'
import { firstThat, fromCursor, hasText, page, pageOf, textFilter, toCursor } from '../engine/lists.ts'
import { getRef } from '../engine/refs.ts'
import { isUser } from '../personal-tokens/personal-tokens.ts'

/** An account at an origin as callers read it: never its tokens. */
export const Connection = z.object({
  user: z
    .string()
    .meta(refersTo('users'))
    .nullable()
    .describe('Slug of the user; null: the account that all callers share'),
  origin: z.string().meta(refersTo('origins')).describe('Slug of the origin'),
  kind: z.enum(['oauth', 'key']),
  state: z
    .enum(['connected', 'refresh_failed'])
    .describe(
      'refresh_failed: the authorization server has ended the connection; the user must connect again',
    ),
  active: z.boolean().describe('false: deactivated by an administrator'),
  account_label: z.string().describe('Name of the account at its server; empty if unknown'),
  scope: z.string(),
  connected_at: Time,
  token_expires_at: Time.nullable().describe(
    'Expiry of the access token, which Postern refreshes; null: unknown',
  ),
})

const COLUMNS = ['user', 'origin', 'kind', 'state', 'active', 'account_label', 'connected_at']

/** Connections as callers read them. */
export async function connectionViews(
  reader: Pick<ConfigReader, 'slugs'>,
  connections: readonly StoredConnection[],
): Promise<z.output<typeof Connection>[]> {
  const slugs = await reader.slugs([...new Set(connections.flatMap(({ user, origin }) => [user, origin]))])
  return connections.map(({ user, origin, kind, state, active, account_label, scope, ...times }) => ({
    user: user === SHARED ? null : (slugs.get(user) ?? user),
    origin: slugs.get(origin) ?? origin,
    kind,
    state,
    active,
    account_label,
    scope,
    connected_at: toTime(times.created_at),
    token_expires_at: times.expires_at === null ? null : toTime(times.expires_at),
  }))
}

/**
 * Id of the user whose account is meant. Without `ref` it is the caller. Any other user needs `permission` for that user.
 * @param shared the account that all callers share is meant, which needs `permission`, and origins:update for all origins
 */
async function userOf(
  ref: string | undefined,
  shared: boolean,
  permission: 'users:read' | 'users:update',
  context: OperationContext,
): Promise<string> {
  const { id, name } = context.principal
  if (shared) {
    context.require(permission)
    if (!permits(context.principal, 'origins:update', UNPLACED))
      throw refuse('permission_denied', {
        detail: 'The account that all callers share needs origins:update for all origins.',
        members: { permission: 'origins:update' },
      })
    return SHARED
  }
  if (isUser(context.principal) && (ref === undefined || ref === id || ref === name)) return id
  if (ref === undefined)
    throw refuse('input_invalid', {
      detail: 'Give user or shared: a service identity has no accounts of its own.',
      errors: [{ pointer: '/user', reason: 'is required' }],
    })
  context.require(permission)
  const user = await getRef(context.reader, 'users', ref)
  await context.demand(permission, user)
  return user.id
}

/** The origin by id or slug. People know those of their accounts, whatever else they may read. */
async function findOrigin(ref: string, { whole }: OperationContext): Promise<Resource | undefined> {
  return (await whole.byId('origins', ref)) ?? (await whole.bySlug('origins', ref))[0]
}

/** Refuses with not_found where there is no such connection. */
function missing(origin: string): never {
  throw refuse('not_found', { detail: `There is no connection at the origin "${origin}".` })
}

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
    all_users: z.boolean().default(false).describe('true: the accounts of all users, and shared accounts'),
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

const place = {
  origin: Ref.describe('Origin of the account'),
  user: Ref.optional().describe('User of the account. Default: you'),
  shared: z.boolean().default(false).describe('true: the account that all callers share'),
}

/** Each entry of the trail names the origin, as far as it is known: a connection has no name of its own. */
const subject = (
  { origin }: { readonly origin?: unknown },
  output: { readonly origin: string } | undefined,
) => {
  // A refused call has not been parsed
  const named = typeof origin === 'string' ? origin : null
  const id = named?.startsWith('ori_') === true ? named : null
  return { type: 'connection', id, slug: output?.origin ?? (id === null ? named : null) } as const
}

export const toggleConnection = define({
  resource: 'connections',
  action: 'toggle',
  effect: 'act',
  tool: 'toggle_connection',
  group: 'manage_hosts',
  summary: 'Activate or deactivate an account at an origin. The token of an inactive account is not sent',
  input: z.strictObject({ ...place, active: z.boolean() }),
  output: Connection,
  permission: 'users:update',
  refuses: ['not_found', 'input_invalid', 'idempotency_conflict'],
  idempotent: true,
  columns: COLUMNS,
  subject,
  handle: async ({ origin: at, user: ref, shared, active }, context) => {
    const user = await userOf(ref, shared, 'users:update', context)
    // Nobody switches on what an administrator has switched off, by a permission that does not reach the account
    if (user !== SHARED) await context.demand('users:update', await getRef(context.whole, 'users', user))
    const origin = await findOrigin(at, context)
    if (origin === undefined) return missing(at)
    const switched = await context.change.switchConnection(user, origin.id, active)
    if (switched === undefined) missing(at)
    context.change.tell({ op: 'replace', path: '/active', value: active })
    return (await connectionViews(context.whole, [switched]))[0]!
  },
})

export const disconnectConnection = define({
  resource: 'connections',
  action: 'disconnect',
  effect: 'act',
  destroys: () => true,
  tool: 'disconnect_connection',
  group: 'manage_hosts',
  summary: 'Disconnect an account at an origin immediately: your own, or the account of a user',
  input: z.strictObject(place),
  output: z.object({
    origin: z.string().meta(refersTo('origins')),
    user: z.string().meta(refersTo('users')).nullable(),
    disconnected: z.literal(true),
  }),
  permission: 'users:update',
  own: isUser,
  refuses: ['not_found', 'input_invalid', 'idempotency_conflict'],
  columns: ['user', 'origin', 'disconnected'],
  subject,
  handle: async ({ origin: at, user: ref, shared }, context) => {
    const user = await userOf(ref, shared, 'users:update', context)
    const origin = await findOrigin(at, context)
    if (origin === undefined) return missing(at)
    const [view] = await connectionViews(
      context.whole,
      (await context.whole.connections.list({ user, origin: origin.id }, 1)).slice(),
    )
    if (view === undefined || !(await context.change.endConnection(user, origin.id))) missing(at)
    context.change.tell({ op: 'remove', path: '/connection', value: view.user ?? 'shared' })
    return { origin: origin.slug, user: view.user, disconnected: true as const }
  },
})
