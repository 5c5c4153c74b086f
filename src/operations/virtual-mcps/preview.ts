import { z } from 'zod'
import { teamsAbove } from '../../access/teams.ts'
import { refuse } from '../../base/refusal.ts'
import { estimateTokens } from '../../base/text/token-estimate.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { refersTo, unit } from '../../model/annotations.ts'
import { CAPABILITY_TYPES, type CapabilityType } from '../../model/mcp/capability.ts'
import { Ref } from '../../model/members.ts'
import { compileVirtualMcp, publicNamesOf } from '../../snapshot/compile/mcp.ts'
import { virtualMcpSource } from '../../snapshot/compile/sources.ts'
import { linkCapabilities } from '../../snapshot/find/capabilities.ts'
import type {
  Caller,
  Capabilities,
  SignedInPerson,
  VisibleList,
} from '../../snapshot/find/capability-caller.ts'
import { compactView } from '../../snapshot/find/compact-view.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { type Memberships, membershipsOf, reasonsFor } from '../access/shared-with.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { fromCursor, page, toCursor } from '../engine/lists.ts'
import { virtualMcpKind } from './kind.ts'

// The caller for whom a virtual MCP is previewed.

const Texts = z.array(z.string().max(256)).max(100)

const PREVIEW_CALLER = {
  client: Ref.optional().meta(refersTo('clients')).describe('Preview for this client'),
  profile: Ref.optional().meta(refersTo('profiles')).describe('Preview for this profile and its client'),
  person: Ref.optional()
    .meta(refersTo('users'))
    .describe('Preview for this user after signing in, with their groups and teams. Needs users:read'),
  team: Ref.optional()
    .meta(refersTo('teams'))
    .describe('Preview for a member of only this team and the teams above it. Needs teams:read'),
  user: z.string().max(256).optional().describe('Subject of the token of the caller'),
  groups: Texts.optional().describe('Values of the groups claim; absent: the token has none'),
  roles: Texts.optional().describe('Values of the roles claim; absent: the token has none'),
  claims: z.record(z.string().max(256), z.json()).optional().describe('Further claims of the token'),
}

type CallerInput = z.output<z.ZodObject<typeof PREVIEW_CALLER>>

/** A caller, and what opens the virtual MCP to it. */
export interface PreviewCaller {
  readonly caller: Caller
  /** Null where no client was named. */
  readonly client: Resource | null
  /** Null where no person was named. */
  readonly person: PreviewPerson | null
}

interface PreviewPerson {
  /** As people know the user or the team. */
  readonly name: string
  readonly isActive: boolean
  readonly own: Memberships
}

const NOBODY = { id: '', slug: '' }

async function previewCaller(input: CallerInput, context: OperationContext): Promise<PreviewCaller> {
  const { client, profile, person, team, user, groups, roles, claims } = input
  refuseBoth(input)
  const asProfile = profile === undefined ? null : await context.find('profiles', profile, 'profiles:read')
  const ref = asProfile?.parent ?? client
  const asClient = ref === undefined ? null : await context.find('clients', ref, 'clients:read')
  const given: Fields = {
    ...claims,
    ...(user === undefined ? {} : { sub: user }),
    ...(groups === undefined ? {} : { groups }),
    ...(roles === undefined ? {} : { roles }),
  }
  const signedIn =
    person !== undefined
      ? await asPerson(person, context)
      : team !== undefined
        ? await asMember(team, context)
        : null
  return {
    client: asClient,
    person: signedIn,
    caller: {
      client: asClient === null ? NOBODY : { id: asClient.id, slug: asClient.slug },
      profile: asProfile === null ? NOBODY : { id: asProfile.id, slug: asProfile.slug },
      user: signedIn?.id ?? user ?? null,
      ...(signedIn === null ? {} : { person: signedIn.facts }),
      claims: given,
    },
  }
}

/** A caller is a person who has signed in, or somebody with a token of another issuer. */
function refuseBoth({ person, team, user }: CallerInput): void {
  const named = Object.entries({ person, team, user }).filter(([, value]) => value !== undefined)
  if (named.length < 2) return
  throw refuse('input_invalid', {
    detail: `Name one of person, team and user; the request names ${named.map(([name]) => name).join(' and ')}.`,
    errors: [{ pointer: `/${named[1]![0]}`, reason: `not together with ${named[0]![0]}` }],
  })
}

type SignedIn = PreviewPerson & { readonly id: string; readonly facts: SignedInPerson }

async function asPerson(ref: string, context: OperationContext): Promise<SignedIn> {
  const user = await context.find('users', ref, 'users:read')
  // Stored by the schema of this type
  const { groups, active } = user.spec
  const own = await membershipsOf(context.whole, user)
  const facts = { slug: user.slug, groups, teams: [...own.keys()] }
  return { id: user.id, name: `The user "${user.slug}"`, isActive: active, own, facts }
}

async function asMember(ref: string, context: OperationContext): Promise<SignedIn> {
  const team = await context.find('teams', ref, 'teams:read')
  const all = await teamsAbove(context.whole, team.id)
  const own: Memberships = new Map(
    all.map((one, at) => [one.id, { team: one, path: all.slice(0, at + 1).map(({ slug }) => slug) }]),
  )
  const facts = { slug: '', groups: [], teams: [...own.keys()] }
  return { id: '', name: `A member of the team "${team.slug}"`, isActive: true, own, facts }
}

interface Warning {
  readonly pointer: string
  readonly reason: string
}

/** What keeps the caller from the endpoint, and what to do about it. */
function previewWarnings(
  { id, slug, status, spec }: Resource,
  { client, person }: Pick<PreviewCaller, 'client' | 'person'>,
): readonly Warning[] {
  const reasons: string[] = []
  if (status !== 'published') reasons.push(`The virtual MCP is a draft. Publish "${slug}" to serve it.`)
  if (client !== null && !isAssigned(client, id))
    reasons.push(
      `The client "${client.slug}" may not call it. Assign the virtual MCP "${slug}" to the client.`,
    )
  if (person !== null && !person.isActive) reasons.push(`${person.name} is inactive. Activate the user.`)
  else if (person !== null && reasonsFor(spec, person.own).length === 0)
    reasons.push(
      `${person.name} may not sign in to it. Share the virtual MCP "${slug}" with a team, or with all users.`,
    )
  return reasons.map((reason) => ({ pointer: '', reason }))
}

function isAssigned({ spec }: Resource, id: string): boolean {
  return ((spec['virtual_mcps'] ?? []) as readonly string[]).includes(id)
}

/** A virtual MCP as it would be served now, published or not. */
interface Looked {
  readonly capabilities: Capabilities
  /** All items by type: with their public names, hidden ones too. */
  readonly all: Readonly<Record<CapabilityType, readonly Named[]>>
  /** Names of origins, by id. */
  readonly origins: ReadonlyMap<string, string>
}

interface Named {
  readonly name: string
  readonly key: string
  /** Slug of the origin. */
  readonly origin: string
}

async function lookAt(virtualMcp: Resource, { whole }: OperationContext): Promise<Looked> {
  const stored = await virtualMcpSource(whole, virtualMcp, true)
  const active = new Map<string, string>()
  for (const id of stored.origins.keys()) {
    const spec = (await whole.byId('origins', id))?.spec
    if (spec?.['active'] === true) active.set(id, String(spec['name']))
  }
  // Each of these takes long by itself for thousands of items
  await yieldThread(0)
  const members = compileVirtualMcp(stored).members.filter(({ origin }) => active.has(origin))
  await yieldThread(0)
  const served = new Set(members.map(({ origin }) => origin))
  const names = publicNamesOf(stored)
  await yieldThread(0)
  const capabilities = linkCapabilities(
    members.map(({ origin, prefix, rules, approved }) => {
      const { catalogue } = stored.origins.get(origin)!
      return { id: origin, prefix, rules, catalogue, approved }
    }),
    names,
  )
  await yieldThread(0)
  const listed = (type: CapabilityType): Named[] =>
    names[type].flatMap(({ member, key, name }) => {
      const origin = served.has(member) ? stored.origins.get(member) : undefined
      return origin === undefined ? [] : [{ name, key, origin: origin.slug }]
    })
  return {
    capabilities,
    all: {
      tools: listed('tools'),
      prompts: listed('prompts'),
      resources: listed('resources'),
      resource_templates: listed('resource_templates'),
    },
    origins: active,
  }
}

/** Tokens of a list in the compact view, where only tools look different. */
function compactTokens(type: CapabilityType, list: VisibleList, { origins }: Looked): number {
  return type === 'tools' ? compactView(list, (id) => origins.get(id)!).tokens : list.tokens
}

const McpView = z.enum(['expanded', 'compact']).describe('The active view')

function viewOf({ spec }: Resource): z.output<typeof McpView> {
  return spec['mcp_view'] === 'compact' ? 'compact' : 'expanded'
}

export const previewVirtualMcp = define({
  resource: 'virtual_mcps',
  action: 'preview',
  effect: 'read',
  tool: 'preview_virtual_mcp',
  group: virtualMcpKind.group,
  summary: 'Show what a client, profile or user sees of a virtual MCP, and which rule decides',
  input: z.strictObject({
    id: Ref,
    type: z.enum(CAPABILITY_TYPES).default('tools'),
    definitions: z
      .boolean()
      .default(false)
      .describe('Include each item that the caller sees, as in its list'),
    ...PREVIEW_CALLER,
    ...page,
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    status: z.string(),
    assigned: z.boolean().nullable().describe('True if the client may call it; null without a client'),
    shown: z.int().describe('Number of items of the type that the caller sees'),
    mcp_view: McpView,
    tokens: z.int().meta(unit('tokens')).describe('Estimated tokens of the list in the expanded view'),
    compact_tokens: z
      .int()
      .meta(unit('tokens'))
      .meta(unit('tokens'))
      .describe('Estimated tokens in the compact view'),
    type: z.enum(CAPABILITY_TYPES),
    warnings: z
      .array(z.object({ pointer: z.string(), reason: z.string() }))
      .describe('Reason why the caller currently sees nothing at all'),
    items: z.array(
      z.object({
        name: z.string().describe('Name at the virtual MCP; for a resource its URI'),
        origin: z.string().meta(refersTo('origins')),
        key: z.string().describe('Name at the origin'),
        shown: z.boolean(),
        because: z
          .enum(['passes_all', 'rule', 'no_rule', 'held', 'invalid', 'unknown'])
          .describe(
            'passes_all: its type has no rules; rule: the rule decides; no_rule: no rule matches; held: waits for approval; invalid: it does not conform to the MCP specification; unknown: the origin no longer lists it',
          ),
        rule: z.int().nullable().describe('Index in the list of rules of its type'),
        held: z.enum(['changed', 'new']).nullable(),
        finding: z
          .string()
          .nullable()
          .describe('Difference to the MCP specification, and the effect for clients; null if it conforms'),
        tokens: z
          .int()
          .nullable()
          .meta(unit('tokens'))
          .describe('Estimated tokens of the item in the list; null if the caller does not see it'),
        definition: z
          .record(z.string(), z.json())
          .nullable()
          .optional()
          .describe('With definitions: the item as the caller sees it; null if the caller does not see it'),
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
  permission: 'virtual_mcps:read',
  refuses: ['not_found'],
  posted: true,
  columns: ['name', 'origin', 'shown', 'because', 'rule', 'held'],
  ...about(virtualMcpKind),
  handle: async ({ id, type, definitions, limit, cursor, ...input }, context) => {
    const virtualMcp = await context.find('virtual_mcps', id)
    const { caller, client, person } = await previewCaller(input, context)
    const looked = await lookAt(virtualMcp, context)
    const { capabilities, all } = looked
    const visible = capabilities.visible(caller, type)
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,6}$/))
    const seen = new Map(visible.items.map((one) => [one.name, one.shown]))
    const items = all[type].slice(from, from + limit).map((named) => {
      const shown = seen.get(named.name)
      return {
        ...named,
        ...capabilities.explain(caller, type, named.name),
        tokens: shown === undefined ? null : estimateTokens(JSON.stringify(shown)),
        // JSON of the origin
        ...(definitions && { definition: (shown ?? null) as Record<string, z.core.util.JSONType> | null }),
      }
    })
    return {
      id: virtualMcp.id,
      slug: virtualMcp.slug,
      status: String(virtualMcp.status),
      assigned: client === null ? null : isAssigned(client, virtualMcp.id),
      shown: visible.items.length,
      mcp_view: viewOf(virtualMcp),
      tokens: visible.tokens,
      compact_tokens: compactTokens(type, visible, looked),
      type,
      warnings: [...previewWarnings(virtualMcp, { client, person })],
      items,
      next_cursor: from + limit < all[type].length ? toCursor(String(from + limit)) : null,
    }
  },
})

/** The most expensive items that are named. */
const LARGEST_MAX = 20

const CostOfList = z.object({
  type: z.enum(CAPABILITY_TYPES),
  items: z.int(),
  tokens: z.int().meta(unit('tokens')),
  compact_tokens: z.int().meta(unit('tokens')),
})

const CostOfItem = z.object({
  type: z.enum(CAPABILITY_TYPES),
  name: z.string(),
  origin: z.string().meta(refersTo('origins')),
  tokens: z.int().meta(unit('tokens')),
})

export const getTokenCost = define({
  resource: 'virtual_mcps',
  action: 'token_cost',
  effect: 'read',
  tool: 'get_virtual_mcp_token_cost',
  group: virtualMcpKind.group,
  summary:
    'Estimate the tokens that the lists of a virtual MCP cost a model, and show the most expensive items',
  input: z.strictObject({ id: Ref, ...PREVIEW_CALLER }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    mcp_view: McpView,
    total: z.int().meta(unit('tokens')).describe('Estimated tokens of all lists in the expanded view'),
    compact_total: z.int().meta(unit('tokens')).describe('Estimated tokens of all lists in the compact view'),
    lists: z.array(CostOfList),
    largest: z.array(CostOfItem),
  }),
  permission: 'virtual_mcps:read',
  refuses: ['not_found'],
  posted: true,
  columns: ['mcp_view', 'total', 'compact_total'],
  tables: {
    lists: ['type', 'items', 'tokens', 'compact_tokens'],
    largest: ['type', 'name', 'origin', 'tokens'],
  },
  ...about(virtualMcpKind),
  handle: async ({ id, ...input }, context) => {
    const virtualMcp = await context.find('virtual_mcps', id)
    const { caller } = await previewCaller(input, context)
    const looked = await lookAt(virtualMcp, context)
    const { capabilities, all } = looked
    const lists: z.output<typeof CostOfList>[] = []
    const costs: z.output<typeof CostOfItem>[] = []
    for (const type of CAPABILITY_TYPES) {
      const list = capabilities.visible(caller, type)
      await yieldThread(0)
      const { items, tokens } = list
      lists.push({ type, items: items.length, tokens, compact_tokens: compactTokens(type, list, looked) })
      const origins = new Map(all[type].map(({ name, origin }) => [name, origin]))
      for (const { name, shown } of items) {
        const origin = origins.get(name) ?? ''
        costs.push({ type, name, origin, tokens: estimateTokens(JSON.stringify(shown)) })
        await yieldThread(costs.length)
      }
    }
    const largest = costs.sort((a, b) => b.tokens - a.tokens).slice(0, LARGEST_MAX)
    const total = lists.reduce((sum, { tokens }) => sum + tokens, 0)
    const compact_total = lists.reduce((sum, { compact_tokens }) => sum + compact_tokens, 0)
    const { slug } = virtualMcp
    return { id: virtualMcp.id, slug, mcp_view: viewOf(virtualMcp), total, compact_total, lists, largest }
  },
})
