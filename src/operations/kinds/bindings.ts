import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { BindingSpec } from '../../model/access/host.ts'
import { confidential } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { currentBindingShape, currentBindings } from '../hosts/current.ts'

/** What an agent may call with tokens. */
export const bindingKind: Kind<'bindings'> = {
  type: 'bindings',
  noun: NOUNS.bindings,
  prefix: 'bnd',
  group: 'manage_hosts',
  spec: BindingSpec,
  view: viewSchema(BindingSpec, currentBindingShape),
  columns: [
    ...['slug', 'host', 'virtual_mcp', 'user', 'active'],
    ...['token_state', 'token_expires_at', 'updated_at'],
  ],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    access: ['host', 'virtual_mcp', 'user', 'acts_for', 'capabilities'],
    authentication: ['keys', 'ip_allowlist', 'expires_in'],
  },
  parent: { field: 'host', type: 'hosts' },
  refs: [
    { field: 'virtual_mcp', type: 'virtual_mcps' },
    { field: 'user', type: 'users' },
    { field: 'users', type: 'users', many: true, within: 'acts_for' },
    { field: 'teams', type: 'teams', many: true, within: 'acts_for' },
  ],
  staged: false,
  filters: { active: booleanFilter },
  current: currentBindings,
  check,
}

/** Its tokens were handed out for one virtual MCP and one person. */
async function check(fields: Fields, { id }: Self, { whole }: OperationContext): Promise<void> {
  const { user, acts_for } = fields
  if (user !== null && acts_for !== null)
    throw refuse('input_invalid', {
      detail: 'A binding with a user acts for this user alone: leave out /acts_for or /user.',
      errors: [{ pointer: '/acts_for', reason: 'is for bindings without a user' }],
    })
  const before = await whole.byId('bindings', id)
  if (before === undefined) return
  for (const member of ['virtual_mcp', 'user'] as const)
    if (before.spec[member] !== fields[member])
      throw refuse('input_invalid', {
        detail: `/${member} cannot change: make another binding.`,
        errors: [{ pointer: `/${member}`, reason: 'cannot change' }],
      })
}

/** All tokens of a binding end. @returns how many had not ended */
export async function endTokens(
  binding: Resource,
  { whole, change, clock }: OperationContext,
): Promise<number> {
  const live = (await whole.tokensOf([binding.id])).filter(({ revoked_at }) => revoked_at === null)
  for (const token of live)
    await change.secrets.putToken(binding, { ...token, revoked_at: clock.now() }, 'revoked_at')
  return live.length
}

const issueToken = define({
  resource: bindingKind.type,
  action: 'issue_token',
  effect: 'act',
  tool: 'issue_binding_token',
  group: bindingKind.group,
  summary: 'Issue the token of a binding. The token before stops working',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    token: confidential('secret', z.string()).optional().describe('Shown only in this response'),
    token_expires_at: z.string().nullable().describe('null: never'),
  }),
  permission: 'bindings:update',
  refuses: ['not_found', 'revision_conflict', 'idempotency_conflict', 'secret_already_shown'],
  revealsOnce: true,
  columns: ['slug', 'token', 'token_expires_at'],
  ...about(bindingKind),
  handle: async ({ id }, context) => {
    const binding = await context.change.act('bindings', id)
    await endTokens(binding, context)
    // Stored by the schema of this type
    const { expires_in } = binding.spec as BindingSpec
    const expiresAt = expires_in === null ? null : context.clock.now() + toMs(expires_in)
    const { token } = await context.change.secrets.issueToken(binding, expiresAt, 'ht')
    return {
      id: binding.id,
      slug: binding.slug,
      ...(token === undefined ? {} : { token }),
      token_expires_at: expiresAt === null ? null : toTime(expiresAt),
    }
  },
})

const revokeToken = define({
  resource: bindingKind.type,
  action: 'revoke_token',
  effect: 'act',
  tool: 'revoke_binding_token',
  group: bindingKind.group,
  summary: 'Revoke the token of a binding immediately',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    revoked: z.int().describe('Number of revoked tokens'),
  }),
  permission: 'bindings:update',
  refuses: ['not_found', 'revision_conflict', 'idempotency_conflict'],
  idempotent: true,
  destroys: () => true,
  columns: ['slug', 'revoked'],
  ...about(bindingKind),
  handle: async ({ id }, context) => {
    const binding = await context.change.act('bindings', id)
    return { id: binding.id, slug: binding.slug, revoked: await endTokens(binding, context) }
  },
})

export const bindingOperations = {
  ...standardOf(bindingKind),
  issueToken,
  revokeToken,
  toggle: toggleOf(bindingKind),
}
