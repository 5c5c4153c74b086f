import type { Kysely } from 'kysely'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import {
  REVISIONS_KEPT,
  type RevisionImage,
  type RevisionItem,
  type RevisionReader,
  type RevisionWriter,
  type StoredRevision,
} from '../ports/config.ts'
import { keysetOf, type Resource } from '../ports/resource.ts'
import { type ConfigTables, IDS_MAX, ROWS_MAX } from './tables.ts'

type Db = Kysely<ConfigTables>
type ItemRow = ConfigTables['revision_items']

const COLUMNS = ['resource_id', 'type', 'slug', 'parent_id', 'action'] as const

/** Reads the revisions that are kept. */
export function createRevisionReader(db: Db): RevisionReader {
  return {
    revisions: async (limit, last, order = 'newest') => {
      const { beyond, direction } = keysetOf(order)
      let query = db
        .selectFrom('revisions')
        .select('entry')
        .select((eb) =>
          eb
            .selectFrom('revision_items')
            .select((inner) => inner.fn.countAll().as('items'))
            .whereRef('revision_items.revision', '=', 'revisions.revision')
            .as('items'),
        )
      if (last !== undefined) query = query.where('revision', beyond, last)
      const rows = await query.orderBy('revision', direction).limit(limit).execute()
      return rows.map(({ entry, items }) => ({ ...toRevision(entry), items: Number(items ?? 0) }))
    },
    revisionAt: async (revision) => {
      const row = await db
        .selectFrom('revisions')
        .select('entry')
        .where('revision', '=', revision)
        .executeTakeFirst()
      return row && toRevision(row.entry)
    },
    revisionItems: async (revision, limit) => {
      const rows = await db
        .selectFrom('revision_items')
        .select(COLUMNS)
        .where('revision', '=', revision)
        .orderBy('type')
        .orderBy('slug')
        .orderBy('resource_id')
        .limit(limit)
        .execute()
      return rows.map(toItem)
    },
    firstItems: async (revisions) => {
      if (revisions.length === 0) return new Map()
      // A window function would sort every item of all these revisions
      const first = db
        .selectFrom('revisions')
        .select('revision')
        .select((eb) =>
          eb
            .selectFrom('revision_items as one')
            .select('one.resource_id')
            .whereRef('one.revision', '=', 'revisions.revision')
            .orderBy('one.type')
            .orderBy('one.slug')
            .orderBy('one.resource_id')
            .limit(1)
            .as('resource_id'),
        )
        .where('revision', 'in', revisions)
      const rows = await db
        .selectFrom(first.as('first'))
        .innerJoin('revision_items as item', (join) =>
          join
            .onRef('item.revision', '=', 'first.revision')
            .onRef('item.resource_id', '=', 'first.resource_id'),
        )
        .select([
          'item.revision',
          'item.resource_id',
          'item.type',
          'item.slug',
          'item.parent_id',
          'item.action',
        ])
        .execute()
      return new Map(rows.map((row) => [row.revision, toItem(row)]))
    },
    oldestRevision: async () => {
      const row = await db
        .selectFrom('revisions')
        .select((eb) => eb.fn.min<number | null>('revision').as('oldest'))
        .executeTakeFirst()
      return row?.oldest ?? undefined
    },
    changedSince: async (revision, upTo) => changedSince(db, revision, upTo),
  }
}

async function changedSince(db: Db, since: number, upTo: number | undefined): Promise<RevisionImage[]> {
  /** Of each resource the revision that was the first to change it. */
  const first = new Map<string, number>()
  let last: { readonly revision: number; readonly resource_id: string | null } | undefined = {
    revision: since,
    resource_id: null,
  }
  while (last !== undefined) {
    const rows = await placesAfter(db, last, upTo)
    for (const { revision, resource_id, action } of rows)
      if (action !== 'secrets' && !first.has(resource_id)) first.set(resource_id, revision)
    last = rows.at(-1)
    await yieldThread(0)
  }
  const images: RevisionImage[] = []
  for (const [revision, ids] of Map.groupBy(first.keys(), (id) => first.get(id)!))
    for (let at = 0; at < ids.length; at += IDS_MAX) {
      const rows = await db
        .selectFrom('revision_items')
        .selectAll()
        .where('revision', '=', revision)
        .where('resource_id', 'in', ids.slice(at, at + IDS_MAX))
        .execute()
      for (const row of rows) {
        images.push(toImage(row))
        await yieldThread(1)
      }
    }
  // Of one revision they are in order
  return images.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/**
 * Some items that follow one, in order of revisions and ids; none after the last. They come without what was before, since all of that
 * may be large.
 * @param resource_id null for the end of the revision
 */
async function placesAfter(
  db: Db,
  { revision, resource_id }: { readonly revision: number; readonly resource_id: string | null },
  upTo: number | undefined,
) {
  const all = db.selectFrom('revision_items').select(['revision', 'resource_id', 'action']).limit(ROWS_MAX)
  if (resource_id !== null) {
    const same = all.where('revision', '=', revision).where('resource_id', '>', resource_id)
    const rows = await same.orderBy('resource_id').execute()
    if (rows.length > 0) return rows
  }
  let later = all.where('revision', '>', revision)
  if (upTo !== undefined) later = later.where('revision', '<=', upTo)
  return later.orderBy('revision').orderBy('resource_id').execute()
}

/** Writes them, inside of the transaction that `db` stands in. */
export function createRevisionWriter(db: Db): RevisionWriter {
  return {
    putRevision: async (revision, images) => {
      const { revision: number } = revision
      await db
        .insertInto('revisions')
        .values({ revision: number, entry: JSON.stringify(revision) })
        .execute()
      for (let at = 0; at < images.length; at += ROWS_MAX) {
        await yieldThread(0)
        const rows = images.slice(at, at + ROWS_MAX).map((image) => toRow(number, image))
        await db.insertInto('revision_items').values(rows).execute()
      }
      const forgotten = number - REVISIONS_KEPT
      await db.deleteFrom('revision_items').where('revision', '<=', forgotten).execute()
      await db.deleteFrom('revisions').where('revision', '<=', forgotten).execute()
    },
  }
}

function toRow(revision: number, { id, type, slug, parent, action, before }: RevisionImage): ItemRow {
  return {
    revision,
    resource_id: id,
    type,
    slug,
    parent_id: parent,
    action,
    before: before === null ? null : JSON.stringify(before),
  }
}

function toRevision(entry: string): StoredRevision {
  // Only putRevision writes this column
  return JSON.parse(entry) as StoredRevision
}

function toItem({
  resource_id,
  type,
  slug,
  parent_id,
  action,
}: Pick<ItemRow, (typeof COLUMNS)[number]>): RevisionItem {
  // Only putRevision writes these columns, from a RevisionItem
  return {
    id: resource_id,
    type: type as ResourceType,
    slug,
    parent: parent_id,
    action: action as RevisionItem['action'],
  }
}

function toImage(row: ItemRow): RevisionImage {
  return { ...toItem(row), before: row.before === null ? null : (JSON.parse(row.before) as Resource) }
}
