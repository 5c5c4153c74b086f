import { z } from 'zod'
import { writeGrant } from '../../access/grant-text.ts'
import type { Principal } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { scopesFor } from '../../access/scopes.ts'
import { toTime } from '../../base/clock.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import { Time } from '../../model/members.ts'
import type { ConfigReader, StoredPersonalToken } from '../../store/ports/config.ts'
import type { OperationContext } from '../engine/context.ts'
import { subjectById } from '../engine/define.ts'

export const PersonalToken = z.object({
  id: z.string(),
  name: z.string(),
  user: z.string().meta(refersTo('users')).describe('Slug of its owner'),
  grants: z
    .array(z.string())
    .describe('What of their grants it allows, in the compact form; empty for all that they may do'),
  created_at: Time,
  expires_at: Time,
  last_used_at: Time.nullable().describe('To the minute'),
})

export const COLUMNS = ['id', 'name', 'user', 'grants', 'expires_at', 'last_used_at']

/** Whoever signed in under a name of their own. */
export function isUser({ id }: Principal): boolean {
  return id.startsWith('usr_')
}

/** What the audit calls it. */
export const subject = subjectById('personal_token')

/** Tokens as callers read them. */
export async function personalTokenViews(
  reader: Pick<ConfigReader, 'slugs'>,
  tokens: readonly StoredPersonalToken[],
): Promise<z.output<typeof PersonalToken>[]> {
  const named = tokens.flatMap(({ owner, grants }) => [
    owner,
    ...grants.flatMap(({ role, scope }) => [role, ...(scope?.collections ?? [])]),
  ])
  const slugs = await reader.slugs([...new Set(named)])
  return tokens.map(({ id, name, owner, grants, created_at, expires_at, last_used_at }) => ({
    id,
    name,
    user: slugs.get(owner) ?? owner,
    grants: grants.map(({ role, scope }) => writeGrant(role, scope, slugs)),
    created_at: toTime(created_at),
    expires_at: toTime(expires_at),
    last_used_at: last_used_at === null ? null : toTime(last_used_at),
  }))
}

/**
 * A token of the principal, or one of another user for whom the principal has the permission. Refuses with not_found:
 * what is others' is not told.
 */
export async function findToken(
  id: string,
  permission: 'users:read' | 'users:update',
  context: OperationContext,
): Promise<StoredPersonalToken> {
  const token = await context.whole.personalToken({ id })
  if (token === undefined || token.revoked_at !== null) throw missing(id)
  if (token.owner === context.principal.id) return token
  const owner = await context.reader.byId('users', token.owner)
  if (owner === undefined || !permits(context.principal, 'users:read')) throw missing(id)
  await context.demand(permission, owner)
  return token
}

function missing(id: string): Refusal {
  return refuse('not_found', { detail: `There is no personal token "${id}".` })
}

/**
 * Refuses what would change what its user holds by less than all of it, whatever that is at the moment: the user may be
 * given more later. Refuses with insufficient_scope where another token of the authorization server would do, else with
 * permission_denied.
 */
export function refuseNarrowed({ principal }: Pick<OperationContext, 'principal'>): void {
  if (principal.unnarrowed === undefined) return
  if (principal.scopes === undefined)
    throw refuse('permission_denied', {
      detail:
        'What proves you was given less than you may do, so that it neither makes nor ends personal tokens.',
    })
  const scope = scopesFor('users:update', principal.scopes)
  throw refuse('insufficient_scope', {
    detail: `Personal tokens are made and ended by a token that reaches all that you may do. Ask for the scopes ${scope}.`,
    members: { permission: 'users:update', scope },
  })
}
