import { z } from 'zod'
import { SHARED } from '../../model/access/caller.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { getRef } from '../engine/refs.ts'
import { isUser } from '../personal-tokens/view.ts'
import { COLUMNS, Connection, connectionViews, findOrigin, missing, userOf } from './view.ts'

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
  summary: 'Switch an account at an origin off or on: its token is not sent while it is off',
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
  summary: 'End an account at an origin immediately: your own, or that of a user',
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
