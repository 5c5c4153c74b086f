import { z } from 'zod'
import { permits, UNPLACED } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { SHARED } from '../../model/access/caller.ts'
import { refersTo } from '../../model/annotations.ts'
import { Time } from '../../model/members.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { getRef } from '../engine/refs.ts'
import { isUser } from '../personal-tokens/view.ts'

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
    .describe('refresh_failed: the authorization server has ended it; the user must connect again'),
  active: z.boolean().describe('false: switched off by an administrator'),
  account_label: z.string().describe('The account as its server names it; empty where it does not'),
  scope: z.string(),
  connected_at: Time,
  token_expires_at: Time.nullable().describe('Of the access token, which Postern refreshes; null: not known'),
})

export const COLUMNS = ['user', 'origin', 'kind', 'state', 'active', 'account_label', 'connected_at']

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
export async function userOf(
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
      detail: 'Name the user, or shared: a service identity has no accounts of its own.',
      errors: [{ pointer: '/user', reason: 'is required' }],
    })
  context.require(permission)
  const user = await getRef(context.reader, 'users', ref)
  await context.demand(permission, user)
  return user.id
}

/** The origin by id or slug. People know those of their accounts, whatever else they may read. */
export async function findOrigin(ref: string, { whole }: OperationContext): Promise<Resource | undefined> {
  return (await whole.byId('origins', ref)) ?? (await whole.bySlug('origins', ref))[0]
}

/** Refuses with not_found where there is no such connection. */
export function missing(origin: string): never {
  throw refuse('not_found', { detail: `There is no connection at the origin "${origin}".` })
}
