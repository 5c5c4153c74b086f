import { z } from 'zod'
import type { Plain } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { CAPABILITY_TYPES, type CapabilityType } from '../../model/mcp/capability.ts'
import { approvalOf, itemsByKey } from '../../model/mcp/capability-drift.ts'
import { findingOf, fitItem, nameFinding } from '../../model/mcp/listed-item.ts'
import { Ref } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { fromCursor, page, toCursor } from '../engine/lists.ts'
import { probedKeyOf } from './attempt.ts'
import { countsOf, foundOf, keepFound } from './found.ts'
import { Counts, originKind, VerdictView } from './kind.ts'
import { keepAttempt, probed } from './probe.ts'
import { ProbeView, probeShown, probeView } from './test-origin.ts'

export const getCatalog = define({
  resource: 'origins',
  action: 'catalog',
  effect: 'read',
  tool: 'get_origin_catalog',
  group: originKind.group,
  summary: 'Show the stored catalogue of an origin: tools, prompts, resources or templates',
  input: z.strictObject({ id: Ref, type: z.enum(CAPABILITY_TYPES).default('tools'), ...page }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    protocol: VerdictView.extend({
      capabilities: z.looseObject({}).describe('Capabilities that the server declares'),
      instructions: z.string(),
    })
      .nullable()
      .describe('Protocol of the server; null before the first catalogue'),
    counts: Counts.nullable(),
    warnings: z.array(z.string()).describe('Items that were left out of the catalogue'),
    type: z.enum(CAPABILITY_TYPES),
    items: z.array(z.looseObject({})).describe('Items as the server lists them'),
    hashes: z
      .record(z.string(), z.string())
      .describe('Hashes of these items, by name or URI, for pin of mcp_call_node and for drift'),
    findings: z
      .record(z.string(), z.string())
      .describe(
        'Items that differ from the MCP specification, by name or URI: the repair, or the reason why clients do not get the item. Also names that model APIs refuse',
      ),
    next_cursor: z.string().nullable(),
  }),
  permission: 'origins:read',
  refuses: ['not_found'],
  columns: ['name', 'uri', 'uriTemplate', 'title', 'description'],
  ...about(originKind),
  handle: async (input, context) => {
    const { id, slug } = await context.find('origins', input.id)
    const { type, limit, cursor } = input
    const found = await foundOf(context.whole, id)
    if (found === null)
      return {
        id,
        slug,
        protocol: null,
        counts: null,
        warnings: [],
        type,
        items: [],
        hashes: {},
        findings: {},
        next_cursor: null,
      }
    const { verdict, catalogue, warnings } = found
    const { at: found_at, ...protocol } = verdict
    const from = cursor === undefined ? 0 : Number(fromCursor(cursor, /^[0-9]{1,4}$/))
    const all = catalogue[type]
    const items = all.slice(from, from + limit).map((item) => ({ ...item }))
    const next_cursor = from + limit < all.length ? toCursor(String(from + limit)) : null
    return {
      id,
      slug,
      protocol: { ...protocol, found_at, capabilities: { ...protocol.capabilities } },
      counts: countsOf(catalogue),
      warnings: [...warnings],
      type,
      items,
      hashes: hashesOf(type, items),
      findings: Object.fromEntries(
        [...itemsByKey(type, items)].flatMap(([key, item]) => {
          const finding = findingOf(fitItem(type, item)) ?? nameFinding(type, key)
          return finding === null ? [] : [[key, finding] as const]
        }),
      ),
      next_cursor,
    }
  },
})

function hashesOf(type: CapabilityType, items: readonly Plain[]): Record<string, string> {
  return Object.fromEntries([...itemsByKey(type, items)].map(([key, item]) => [key, approvalOf(type, item)]))
}

export const refreshCatalog = define({
  resource: 'origins',
  action: 'refresh_catalog',
  effect: 'act',
  without: ['dry_run'],
  tool: 'refresh_origin_catalog',
  group: originKind.group,
  summary: 'Read the catalogue of an origin again; if this fails, the last catalogue is kept',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    changed: z.boolean().describe('True if the catalogue differs from the last one'),
    ...ProbeView,
  }),
  permission: 'origins:update',
  refuses: ['not_found', 'configuration_invalid', 'revision_conflict', 'idempotency_conflict', 'not_ready'],
  idempotent: true,
  ...probeShown,
  fails: ({ ok }) => !ok,
  ...about(originKind),
  prepare: async (input, context) => {
    const { id, slug, spec } = await context.find('origins', input.id)
    return { id, of: probedKeyOf(spec), came: await probed({ id, slug, spec }, context) }
  },
  handle: async ({ id, of, came }, context) => {
    const { change } = context
    const origin = await change.act('origins', id)
    if (probedKeyOf(origin.spec) !== of)
      throw refuse('revision_conflict', {
        detail: `The origin "${origin.slug}" was changed during the probe. Try again.`,
        members: { revision: origin.revision },
      })
    const view = probeView(came, origin.spec)
    change.finding = came.found === null ? view.summary : await keepFound(origin, came.found, context)
    await keepAttempt(origin, came, context)
    const changed = change.revisions.before !== change.revisions.after
    return { id: origin.id, slug: origin.slug, changed, ...view }
  },
})
