import { z } from 'zod'
import { writeGrant } from '../../access/grant-text.ts'
import { grantsOfToken, roleOf } from '../../access/identities.ts'
import type { Principal } from '../../access/principal.ts'
import { permits, UNPLACED } from '../../access/roles.ts'
import { scopesFor } from '../../access/scopes.ts'
import { toStoredGrants } from '../../access/tokens.ts'
import { toTime } from '../../base/clock.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { confidential, refersTo, unit } from '../../model/annotations.ts'
import { Name, Ref, Time } from '../../model/members.ts'
import type { ConfigReader, StoredPersonalToken } from '../../store/ports/config.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, subjectById } from '../engine/define.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { getRef } from '../engine/refs.ts'
import { demandHolds } from '../grants/kind.ts'

export const PersonalToken = z.object({
  id: z.string(),
  name: z.string(),
  user: z.string().meta(refersTo('users')).describe('Slug of its owner'),
  grants: z
    .array(z.string())
    .describe('Grants that it is limited to, in compact form; empty: all grants of the owner'),
  created_at: Time,
  expires_at: Time,
  last_used_at: Time.nullable().describe('To the minute'),
})

const COLUMNS = ['id', 'name', 'user', 'grants', 'expires_at', 'last_used_at']

/** Whoever signed in under a name of their own. */
export function isUser({ id }: Principal): boolean {
  return id.startsWith('usr_')
}

/** What the audit calls it. */
const subject = subjectById('personal_token')

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
async function findToken(
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
function refuseNarrowed({ principal }: Pick<OperationContext, 'principal'>): void {
  if (principal.unnarrowed === undefined) return
  if (principal.scopes === undefined)
    throw refuse('permission_denied', {
      detail:
        'Your credential has only a part of your permissions, so it cannot create or revoke personal tokens.',
    })
  const scope = scopesFor('users:update', principal.scopes)
  throw refuse('insufficient_scope', {
    detail: `To create or revoke personal tokens, you need a token with all your permissions. Request a token with the scopes ${scope}.`,
    members: { permission: 'users:update', scope },
  })
}

const DAY_MS = 86_400_000

/** Of one user. More than these are not looked through by whom they belong to. */
const TOKENS_MAX = 50

export const createPersonalToken = define({
  resource: 'personal_tokens',
  action: 'create',
  effect: 'create',
  tool: 'create_personal_token',
  group: 'manage_access',
  summary: 'Create a token with which scripts act as you, with at most your own permissions',
  input: z.strictObject({
    name: Name.describe('Name of the token'),
    grants: z
      .array(z.string().max(1024))
      .max(50)
      .default([])
      .describe(
        'Grants of the token, a subset of yours, such as ["modifier:proxies@payments"]; empty: all your grants',
      ),
    days: z.int().meta(unit('days')).min(1).max(90).default(30).describe('Lifetime of the token'),
  }),
  output: PersonalToken.extend({
    token: confidential('secret', z.string()).optional().describe('The token; shown only in this response'),
  }),
  permission: 'users:update',
  own: isUser,
  refuses: ['configuration_invalid', 'idempotency_conflict', 'secret_already_shown'],
  revealsOnce: true,
  columns: [...COLUMNS, 'token'],
  subject,
  handle: async ({ name, grants: texts, days }, context) => {
    refuseWithoutSignIn(context)
    const { change, principal, clock } = context
    const ownRoles = principal.grants.map(({ role }) => (typeof role === 'object' ? role.slug : role))
    // Who has a role may name it, whether or not they may see roles
    const find = (ref: string) => roleOf(ref, ownRoles.includes(ref) ? context.whole : context.reader)
    const grants = await toStoredGrants(texts, context.reader, find)
    demandHolds(await grantsOfToken(grants, context.whole), context)
    const others = await context.whole.personalTokens({ owner: principal.id, limit: TOKENS_MAX })
    if (others.length >= TOKENS_MAX)
      throw refuse('configuration_invalid', {
        detail: `You already have ${TOKENS_MAX} personal tokens, which is the maximum. First revoke one.`,
        errors: [{ pointer: '', reason: `at most ${TOKENS_MAX} of a user` }],
      })
    const expires_at = clock.now() + days * DAY_MS
    const { stored, token } = await change.secrets.issuePersonalToken({
      name,
      grants,
      expires_at,
      owner: principal.id,
    })
    const view = (await personalTokenViews(context.reader, [stored]))[0]!
    change.tell({ op: 'add', path: '/name', value: name })
    change.tell({ op: 'add', path: '/grants', value: view.grants })
    change.tell({ op: 'add', path: '/expires_at', value: view.expires_at })
    return { ...view, ...(token === undefined ? {} : { token }) }
  },
})

/**
 * A token outlives what it was made by, so it is made only by users themselves: not by another personal token, nor by
 * what was given less than they may do.
 */
function refuseWithoutSignIn({ principal }: OperationContext): void {
  if (!isUser(principal))
    throw refuse('permission_denied', { detail: 'Personal tokens belong to users: sign in as a user.' })
  if (principal.authMethod === 'personal_token')
    throw refuse('permission_denied', {
      detail: 'A personal token cannot create other personal tokens: sign in.',
    })
  refuseNarrowed({ principal })
}

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
