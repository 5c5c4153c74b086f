import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { SURFACES } from '../../model/record.ts'
import { RESOURCE_TYPES } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { define } from '../engine/define.ts'
import { boundedDiff, diffOf } from '../engine/diff.ts'
import type { Kind } from '../engine/kind.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { readable, referred } from '../engine/views.ts'
import { kindOf } from '../kinds.ts'

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
          .describe('secrets: only tokens and encrypted secrets'),
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

const ITEMS_MAX = 1000

export const diffRevisions = define({
  ...about,
  action: 'diff',
  effect: 'read',
  tool: 'diff_revisions',
  summary:
    'Show the difference between two revisions of the configuration, or between one and the current one',
  input: z.strictObject({
    from: RevisionId,
    to: RevisionId.optional().describe('Later revision. Default: the current one'),
  }),
  output: z.object({
    from: z.int(),
    to: z.int(),
    items: z.array(
      z.object({
        item: z.string().describe('Such as proxies/orders:get-order'),
        action: z.enum(['created', 'changed', 'removed']),
        diff: z
          .array(
            z.object({
              op: z.enum(['add', 'remove', 'replace']),
              path: z.string(),
              from: z.unknown().optional(),
              value: z.unknown().optional(),
            }),
          )
          .describe('JSON patch with the old values; no secrets'),
      }),
    ),
    more: z.int().describe('Number of further resources with differences'),
  }),
  permission: 'config:read',
  refuses: ['not_found'],
  columns: ['item', 'action', 'diff'],
  subject: ({ from }) => subjectOf(from),
  handle: async (input, { reader, principal }) => {
    const from = await revisionOf(reader, input.from)
    const to = input.to === undefined ? await reader.revision() : await revisionOf(reader, input.to)
    if (to < from)
      throw refuse('input_invalid', {
        detail: 'The second revision is the later one.',
        errors: [{ pointer: '/to', reason: 'must not be before from' }],
      })
    const moved = await movedBetween(reader, from, to)
    const slugs = await slugsOfMoved(reader, moved)
    const items = []
    let done = 0
    for (const { from: was, to: is } of moved) {
      const one = (is ?? was)!
      await yieldThread(++done)
      if (!permits(principal, `${one.type}:read`)) continue
      const kind = kindOf(one.type)
      const diff = diffOf(await plainOf(kind, was, slugs), await plainOf(kind, is, slugs))
      if (diff.length === 0) continue
      const action = was === null ? 'created' : is === null ? 'removed' : 'changed'
      items.push({ item: nameOf(one, slugs), action: action as 'created' | 'changed' | 'removed', diff })
    }
    const shown = items.slice(0, ITEMS_MAX)
    return {
      from,
      to,
      items: shown.map((item) => ({ ...item, diff: [...boundedDiff(item.diff)] })),
      more: items.length - shown.length,
    }
  },
})

/** A resource at two revisions; null where it was not there. */
export interface Moved {
  readonly id: string
  readonly from: Resource | null
  readonly to: Resource | null
}

/**
 * A revision that is asked for. Refuses with not_found one that has not been, and one whose successors are no longer
 * kept, so that its state is not known.
 */
export async function revisionOf(reader: ConfigReader, id: string): Promise<number> {
  const revision = Number(id)
  if (revision > (await reader.revision()))
    throw refuse('not_found', { detail: `There is no revision ${revision} yet.` })
  const oldest = await reader.oldestRevision()
  if (oldest === undefined || revision < oldest - 1)
    throw refuse('not_found', { detail: `Revision ${revision} is no longer kept.` })
  return revision
}

/** What differs between the state of an older revision and that of a later one. */
export async function movedBetween(reader: ConfigReader, from: number, to: number): Promise<Moved[]> {
  const before = (await reader.changedSince(from, to)).filter(isServed)
  const after = new Map((await reader.changedSince(to)).map((image) => [image.id, image.before]))
  const moved: Moved[] = []
  for (const { id, type, before: was } of before) {
    await yieldThread(moved.length)
    const is = after.get(id)
    moved.push({ id, from: was, to: is === undefined ? ((await reader.byId(type, id)) ?? null) : is })
  }
  return moved.filter((one) => one.from !== null || one.to !== null)
}

function isServed({ type }: Pick<Resource, 'type'>): boolean {
  return RESOURCE_TYPES.some((served) => served === type)
}

/** Slugs of all that the resources are or refer to, also of what is gone. */
export async function slugsOfMoved(
  reader: ConfigReader,
  moved: readonly Moved[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Set<string>()
  const own = new Map<string, string>()
  let done = 0
  for (const { from, to } of moved) {
    for (const one of [from, to]) {
      if (one === null) continue
      for (const id of referred(kindOf(one.type), [one])) ids.add(id)
      if (!own.has(one.id)) own.set(one.id, one.slug)
    }
    await yieldThread(++done)
  }
  return new Map([...own, ...(await reader.slugs([...ids]))])
}

/** A resource as people read it, for a difference. */
async function plainOf(
  kind: Kind,
  resource: Resource | null,
  slugs: ReadonlyMap<string, string>,
): Promise<Fields | undefined> {
  if (resource === null) return undefined
  const { slug, spec, draft } = resource
  return {
    slug,
    ...(await readable(kind, spec, slugs)),
    ...(draft === null ? {} : { pending_draft: await readable(kind, draft, slugs) }),
  }
}

/** `proxies/orders:get-order` */
export function nameOf(
  { type, slug, parent }: Pick<Resource, 'type' | 'slug' | 'parent'>,
  slugs: ReadonlyMap<string, string>,
): string {
  return `${type}/${parent === null ? '' : `${slugs.get(parent) ?? parent}:`}${slug}`
}
