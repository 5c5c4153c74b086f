import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import { SURFACES } from '../../model/record.ts'
import { define } from '../engine/define.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { nameOf } from './state.ts'

export const RevisionId = z
  .string()
  .regex(/^[0-9]{1,15}$/, 'a number')
  .describe('Number of a revision of the whole configuration')

const Revision = z.object({
  revision: z.int(),
  time: z.string(),
  actor: z.object({ id: z.string(), type: z.string(), name: z.string() }),
  surface: z.enum(SURFACES),
  operation: z.string(),
  reason: z.string().nullable(),
  request_id: z.string().describe('As in the audit trail'),
})

/** Things that one answer names. */
const NAMED_MAX = 2000

export const about = {
  resource: 'revisions',
  group: 'manage_config',
  // What a revision touched, no scope could tell
  unscoped: true,
} as const

/** A denial knows no input. */
export const subjectOf = (id?: string) => ({ type: 'revision', id: id ?? null, slug: null })

export const listRevisions = define({
  ...about,
  action: 'list',
  effect: 'read',
  tool: 'list_revisions',
  summary: 'List revisions of the configuration with actor, time and reason',
  input: z.strictObject({
    ...page,
    text: textFilter('operation, name of the actor or reason'),
    order: timeOrder('newest'),
  }),
  output: pageOf(
    Revision.extend({
      items: z.int().describe('Number of affected resources'),
      first: z
        .string()
        .nullable()
        .describe('One of them, such as proxies/orders:get-order; null if you may not read it'),
    }),
  ),
  permission: 'config:read',
  refuses: [],
  columns: ['revision', 'time', 'actor.name', 'operation', 'first', 'items', 'reason'],
  subject: () => subjectOf(),
  handle: async ({ limit, cursor, text, order }, { reader, principal }) => {
    const cursors = timeCursors('newest', order, '[0-9]{1,15}')
    const found = await firstThat(
      limit + 1,
      async (count, last) =>
        (await reader.revisions(count, last === undefined ? undefined : Number(last), order)).map((one) => ({
          id: String(one.revision),
          one,
        })),
      cursors.from(cursor),
      ({ one }) => hasText(text, [one.operation, one.actor.name, one.reason]),
    )
    const shown = found.slice(0, limit)
    const firsts = await reader.firstItems(shown.map(({ one }) => one.revision))
    const slugs = await reader.slugs([...firsts.values()].flatMap(({ parent }) => parent ?? []))
    const items = shown.map(({ one }) => {
      const first = firsts.get(one.revision)
      const isShown = first !== undefined && permits(principal, `${first.type}:read`)
      return {
        ...one,
        surface: Revision.shape.surface.parse(one.surface),
        first: isShown ? nameOf(first, slugs) : null,
      }
    })
    return { items, next_cursor: found.length > limit ? cursors.to(String(items.at(-1)!.revision)) : null }
  },
})

export const getRevision = define({
  ...about,
  action: 'get',
  effect: 'read',
  tool: 'get_revision',
  summary: 'Show a revision of the configuration and the affected resources',
  input: z.strictObject({ id: RevisionId }),
  output: Revision.extend({
    items: z.array(
      z.object({
        item: z.string().describe('Such as proxies/orders:get-order'),
        action: z
          .enum(['created', 'changed', 'removed', 'secrets'])
          .describe('secrets: nothing but tokens and sealed secrets'),
      }),
    ),
    more: z.int().describe('Number of further affected resources'),
  }),
  permission: 'config:read',
  refuses: ['not_found'],
  columns: ['revision', 'time', 'actor.name', 'operation', 'reason'],
  tables: { items: ['item', 'action'] },
  subject: ({ id }) => subjectOf(id),
  handle: async ({ id }, { reader, principal }) => {
    const found = await reader.revisionAt(Number(id))
    if (found === undefined)
      throw refuse('not_found', { detail: `There is no revision ${id}, or it is no longer kept.` })
    const items = await reader.revisionItems(found.revision, NAMED_MAX + 1)
    const shown = items.slice(0, NAMED_MAX).filter(({ type }) => permits(principal, `${type}:read`))
    const slugs = new Map(await reader.slugs(shown.flatMap(({ parent }) => parent ?? [])))
    for (const one of shown) slugs.set(one.id, one.slug)
    return {
      ...found,
      surface: Revision.shape.surface.parse(found.surface),
      items: shown.map((item) => ({ item: nameOf(item, slugs), action: item.action })),
      more: Math.max(items.length - NAMED_MAX, 0),
    }
  },
})
