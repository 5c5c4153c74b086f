import { z } from 'zod'
import { estimateTokens } from '../../base/text/token-estimate.ts'
import { refersTo, unit } from '../../model/annotations.ts'
import { CAPABILITY_TYPES, type CapabilityType } from '../../model/mcp/capability.ts'
import { Ref } from '../../model/members.ts'
import { compileVirtualMcp, publicNamesOf } from '../../snapshot/compile/mcp.ts'
import { virtualMcpSource } from '../../snapshot/compile/sources.ts'
import { linkCapabilities } from '../../snapshot/find/capabilities.ts'
import type { Capabilities, VisibleList } from '../../snapshot/find/capability-answers.ts'
import { compactView } from '../../snapshot/find/compact-view.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { about, define } from '../engine/define.ts'
import { fromCursor, page, toCursor } from '../engine/lists.ts'
import { virtualMcpKind } from './kind.ts'
import { isAssigned, PREVIEW_CALLER, previewCaller, previewWarnings } from './preview-caller.ts'

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
  const members = compileVirtualMcp(stored).members.filter(({ origin }) => active.has(origin))
  const served = new Set(members.map(({ origin }) => origin))
  const names = publicNamesOf(stored)
  const capabilities = linkCapabilities(
    members.map(({ origin, prefix, rules, approved }) => {
      const { catalogue } = stored.origins.get(origin)!
      return { id: origin, prefix, rules, catalogue, approved }
    }),
    names,
  )
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

const McpView = z.enum(['expanded', 'compact']).describe('The view that is served')

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
      .describe('With each item that the caller sees, as its list has it'),
    ...PREVIEW_CALLER,
    ...page,
  }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    status: z.string(),
    assigned: z.boolean().nullable().describe('The client may call it; null where no client was named'),
    shown: z.int().describe('Items of the type that the caller sees'),
    mcp_view: McpView,
    tokens: z.int().meta(unit('tokens')).describe('Estimated tokens of that list, in the expanded view'),
    compact_tokens: z
      .int()
      .meta(unit('tokens'))
      .meta(unit('tokens'))
      .describe('Estimated tokens in the compact view'),
    type: z.enum(CAPABILITY_TYPES),
    warnings: z
      .array(z.object({ pointer: z.string(), reason: z.string() }))
      .describe('Why the caller sees nothing now, whatever the items say'),
    items: z.array(
      z.object({
        name: z.string().describe('Name at the virtual MCP; of a resource its URI'),
        origin: z.string().meta(refersTo('origins')),
        key: z.string().describe('Name at the origin'),
        shown: z.boolean(),
        because: z
          .enum(['passes_all', 'rule', 'no_rule', 'held', 'invalid', 'unknown'])
          .describe(
            'passes_all: its type has no rules; rule: the rule decides; no_rule: none fits; held: waits for approval; invalid: it does not fit the MCP specification; unknown: the origin no longer lists it',
          ),
        rule: z.int().nullable().describe('Index in the list of rules of its type'),
        held: z.enum(['changed', 'new']).nullable(),
        finding: z
          .string()
          .nullable()
          .describe('How the item differs from the MCP specification, and what clients get; null if it fits'),
        tokens: z
          .int()
          .nullable()
          .meta(unit('tokens'))
          .describe('Estimated tokens of the item in the list; null where the caller does not see it'),
        definition: z
          .record(z.string(), z.json())
          .nullable()
          .optional()
          .describe('With definitions: the item as the caller sees it; null where the caller does not'),
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

export const getTokenCost = define({
  resource: 'virtual_mcps',
  action: 'token_cost',
  effect: 'read',
  tool: 'get_virtual_mcp_token_cost',
  group: virtualMcpKind.group,
  summary: 'Estimate how many tokens the lists of a virtual MCP cost a model, and which items cost most',
  input: z.strictObject({ id: Ref, ...PREVIEW_CALLER }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    mcp_view: McpView,
    total: z.int().meta(unit('tokens')).describe('Estimated tokens of all lists in the expanded view'),
    compact_total: z.int().meta(unit('tokens')).meta(unit('tokens')).describe('The same in the compact view'),
    lists: z.array(
      z.object({
        type: z.enum(CAPABILITY_TYPES),
        items: z.int(),
        tokens: z.int().meta(unit('tokens')),
        compact_tokens: z.int().meta(unit('tokens')).meta(unit('tokens')),
      }),
    ),
    largest: z.array(
      z.object({
        type: z.enum(CAPABILITY_TYPES),
        name: z.string(),
        origin: z.string().meta(refersTo('origins')),
        tokens: z.int().meta(unit('tokens')),
      }),
    ),
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
    const visible = CAPABILITY_TYPES.map((type) => ({ type, list: capabilities.visible(caller, type) }))
    const lists = visible.map(({ type, list }) => ({
      type,
      items: list.items.length,
      tokens: list.tokens,
      compact_tokens: compactTokens(type, list, looked),
    }))
    const largest = visible
      .flatMap(({ type, list }) =>
        list.items.map(({ name, shown }) => ({
          type,
          name,
          origin: all[type].find((one) => one.name === name)?.origin ?? '',
          tokens: estimateTokens(JSON.stringify(shown)),
        })),
      )
      .sort((a, b) => b.tokens - a.tokens)
      .slice(0, LARGEST_MAX)
    const total = lists.reduce((sum, { tokens }) => sum + tokens, 0)
    const compact_total = lists.reduce((sum, { compact_tokens }) => sum + compact_tokens, 0)
    const { slug } = virtualMcp
    return { id: virtualMcp.id, slug, mcp_view: viewOf(virtualMcp), total, compact_total, lists, largest }
  },
})
