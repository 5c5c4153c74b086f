import { z } from 'zod'
import { grantsOfToken, roleOf } from '../../access/identities.ts'
import { toStoredGrants } from '../../access/tokens.ts'
import { refuse } from '../../base/refusal.ts'
import { confidential, unit } from '../../model/annotations.ts'
import { Name } from '../../model/members.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { demandHolds } from '../grants/kind.ts'
import { COLUMNS, isUser, PersonalToken, personalTokenViews, refuseNarrowed, subject } from './view.ts'

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
    name: Name.describe('What it is for'),
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
        detail: `You have ${TOKENS_MAX} personal tokens already. Revoke one first.`,
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
    throw refuse('permission_denied', { detail: 'Personal tokens belong to users: sign in as one.' })
  if (principal.authMethod === 'personal_token')
    throw refuse('permission_denied', { detail: 'A personal token makes no other ones: sign in for that.' })
  refuseNarrowed({ principal })
}
