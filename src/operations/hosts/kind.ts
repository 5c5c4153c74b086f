import { z } from 'zod'
import { toMs, toTime } from '../../base/clock.ts'
import { refuse } from '../../base/refusal.ts'
import { BindingSpec, HostSpec } from '../../model/access/host.ts'
import { confidential } from '../../model/annotations.ts'
import { Ref, Time } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { StoredToken } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { isLive, toState } from '../profiles/tokens.ts'

/** What get and list show of the token of a binding. */
const currentBindingShape = {
  token_state: z
    .enum(['none', 'valid', 'expiring_soon', 'expired', 'revoked'])
    .optional()
    .describe('State of the token; none: no token was issued. Shown by get and list'),
  token_issued_at: Time.nullable()
    .optional()
    .describe('Time at which the token was issued; null: no token. Shown by get and list'),
  token_expires_at: Time.nullable()
    .optional()
    .describe('Expiry of the token; null: never, or no token. Shown by get and list'),
}

/** What get and list show of the bindings of a host. */
const currentHostShape = {
  bindings: z.int().optional().describe('Number of its bindings. Shown by get and list'),
  valid_tokens: z
    .int()
    .optional()
    .describe('Number of its bindings with a valid token. Shown by get and list'),
}

/** State and times of the token of each binding, by id of the binding. */
async function currentBindings(
  bindings: readonly Resource[],
  { reader, clock }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const now = clock.now()
  const tokens = await tokensBelow(bindings, reader)
  return new Map(bindings.map(({ id }) => [id, tokenOf(tokens.get(id) ?? [], now)]))
}

/** The numbers of bindings, and of bindings with a valid token, by id of the host. */
async function currentHosts(
  hosts: readonly Resource[],
  { reader, clock }: OperationContext,
): Promise<ReadonlyMap<string, Fields>> {
  const now = clock.now()
  const bindings = await reader.below(
    'bindings',
    hosts.map(({ id }) => id),
  )
  const tokens = await tokensBelow(bindings, reader)
  const byHost = Map.groupBy(bindings, ({ parent }) => parent)
  return new Map(
    hosts.map(({ id }) => {
      const own = byHost.get(id) ?? []
      const withToken = own.filter((binding) => tokens.get(binding.id)?.some((token) => isLive(token, now)))
      return [id, { bindings: own.length, valid_tokens: withToken.length }]
    }),
  )
}

async function tokensBelow(bindings: readonly Resource[], reader: OperationContext['reader']) {
  return Map.groupBy(await reader.tokensOf(bindings.map(({ id }) => id)), ({ profile }) => profile)
}

/** The valid token, or else the one that was issued last: a revoked token is still told from none. */
function tokenOf(tokens: readonly StoredToken[], now: number): Fields {
  const token = tokens.find((one) => isLive(one, now)) ?? tokens.toSorted(byAge).at(-1)
  if (token === undefined) return { token_state: 'none', token_issued_at: null, token_expires_at: null }
  const { state, expires_at } = toState(token, now)
  return { token_state: state, token_issued_at: toTime(token.created_at), token_expires_at: expires_at }
}

function byAge(one: StoredToken, other: StoredToken): number {
  return one.created_at - other.created_at
}

/** An AI application or agent. The authorization server makes a host when a person first allows an unknown application. */
export const hostKind: Kind<'hosts'> = {
  type: 'hosts',
  noun: NOUNS.hosts,
  prefix: 'hst',
  group: 'manage_hosts',
  about: 'A host is an application that connects to MCP endpoints for people or agents.',
  tools:
    'Hosts: AI applications in which people sign in to MCP endpoints, agents with tokens (bindings), what a user may use, accounts at origins (connections).',
  example: { name: 'Nightly agent' },
  spec: HostSpec,
  view: viewSchema(HostSpec, currentHostShape),
  columns: ['slug', 'name', 'active', 'bindings', 'valid_tokens', 'software', 'created_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    identity: ['software'],
  },
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  // Stored by the schema of this type
  keyOf: (spec) => spec.software,
  current: currentHosts,
  check: checkHost,
}

/** What people have allowed one application is not handed to another. */
async function checkHost(fields: HostSpec, { id }: Self, { whole }: OperationContext): Promise<void> {
  const before = await whole.byId('hosts', id)
  const { software } = fields
  if (before === undefined && software !== null && (await whole.byKey('hosts', software, null)).length > 0)
    throw refuse('already_exists', {
      detail: 'There is already a host with this software.',
      errors: [{ pointer: '/software', reason: 'already taken' }],
    })
  if (before === undefined || before.spec['software'] === software) return
  throw refuse('input_invalid', {
    detail: 'software cannot change: create another host.',
    errors: [{ pointer: '/software', reason: 'cannot change' }],
  })
}

export const hostOperations = {
  ...standardOf(hostKind),
  toggle: toggleOf(hostKind),
}

/** What an agent may call with tokens. */
export const bindingKind: Kind<'bindings'> = {
  type: 'bindings',
  noun: NOUNS.bindings,
  prefix: 'bnd',
  group: 'manage_hosts',
  about:
    'A binding lets a host call one virtual MCP: for itself with a token, or for the people in the binding.',
  example: { host: 'nightly-agent', name: 'Support', virtual_mcp: 'support-desk' },
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
  refs: [
    { field: 'virtual_mcp', type: 'virtual_mcps' },
    { field: 'user', type: 'users' },
    { field: 'users', type: 'users', many: true, within: 'acts_for' },
    { field: 'teams', type: 'teams', many: true, within: 'acts_for' },
  ],
  staged: false,
  filters: { active: booleanFilter },
  current: currentBindings,
  check: checkBinding,
}

/** Its tokens were handed out for one virtual MCP and one person. */
async function checkBinding(fields: Fields, { id }: Self, { whole }: OperationContext): Promise<void> {
  const { user, acts_for } = fields
  if (user !== null && acts_for !== null)
    throw refuse('input_invalid', {
      detail: 'A binding with a user acts only for this user: leave out acts_for or user.',
      errors: [{ pointer: '/acts_for', reason: 'is for bindings without a user' }],
    })
  const before = await whole.byId('bindings', id)
  if (before === undefined) return
  for (const member of ['virtual_mcp', 'user'] as const)
    if (before.spec[member] !== fields[member])
      throw refuse('input_invalid', {
        detail: `${member} cannot change: create another binding.`,
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
  summary: 'Issue the token of a binding. The previous token stops working',
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
