import { type Kysely, sql } from 'kysely'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type {
  AccessRequestReader,
  AccessRequestWriter,
  StoredAccessRequest,
} from '../ports/access-requests.ts'
import type {
  ChangeRequestFacts,
  ChangeRequestReader,
  ChangeRequestWriter,
  StoredChangeRequest,
} from '../ports/change-requests.ts'
import {
  type ConfigReader,
  type StoredApplied,
  type StoredGrant,
  type StoredPersonalToken,
  type StoredPlan,
  type StoredSecret,
  typedReads,
} from '../ports/config.ts'
import { type Fields, keysetOf, type Resource } from '../ports/resource.ts'
import { createAuditReader } from './audit-read.ts'
import { createFragmentReader } from './fragments.ts'
import { createConnectionReader, createOAuthReader } from './oauth.ts'
import { fits, listResources, toResource } from './resource-list.ts'
import { createRevisionReader } from './revisions.ts'
import { type ConfigTables, type Dialect, IDS_MAX, ROWS_MAX } from './tables.ts'

type Db = Kysely<ConfigTables>

/** The questions of {@link ConfigReader}, asked on one connection (the reading one, or that of a transaction). */
export function createReader(db: Db, dialect: Dialect): ConfigReader {
  /**
   * Order of the few rows that a slug or key finds. With an index, SQLite would read all rows of a type in this order
   * to find them, which made an import cost the square of its endpoints. `parent_id` below is written so for the same reason.
   */
  const byIdAlone = dialect.unindexed('id')
  return {
    ...createAuditReader(db, dialect),
    ...createRevisionReader(db),
    ...createChangeRequestReader(db),
    ...createAccessRequestReader(db),
    ...createFragmentReader(db, (name) => metaOf(db, name)),
    oauth: createOAuthReader(db),
    connections: createConnectionReader(db),
    revision: async () => Number((await metaOf(db, 'config_revision')) ?? 0),
    ...typedReads({
      byId: async (type, id) => {
        const row = await db
          .selectFrom('resources')
          .selectAll()
          .where('id', '=', id)
          .where('type', '=', type)
          .executeTakeFirst()
        return row && toResource(row)
      },
      bySlug: async (type, slug, parent, within) => {
        let query = db.selectFrom('resources').selectAll().where('type', '=', type).where('slug', '=', slug)
        if (parent !== undefined) query = query.where(sql<boolean>`coalesce(parent_id, '') = ${parent}`)
        if (within !== undefined) query = query.where((eb) => eb.or(within.map((part) => fits(eb, part))))
        return (await query.orderBy(byIdAlone).limit(20).execute()).map(toResource)
      },
      byKey: async (type, key, parent) => {
        let query = db
          .selectFrom('resources')
          .selectAll()
          .where('type', '=', type)
          .where('lookup_key', '=', key)
        if (parent !== null) query = query.where((eb) => eb(dialect.unindexed('parent_id'), '=', parent))
        return (await query.orderBy(byIdAlone).execute()).map(toResource)
      },
      list: (query) => listResources(db, query, dialect),
      all: async (type, parent) => {
        const found: Resource[] = []
        for (;;) {
          let query = db.selectFrom('resources').selectAll().where('type', '=', type)
          if (parent !== undefined) query = query.where('parent_id', '=', parent)
          const last = found.at(-1)
          if (last !== undefined) query = query.where('id', '>', last.id)
          const rows = await query.orderBy('id').limit(ROWS_MAX).execute()
          for (const row of rows) {
            found.push(toResource(row))
            await yieldThread(1)
          }
          if (rows.length < ROWS_MAX) return found
        }
      },
      below: async (type, parents) => {
        const rows = await inPieces(parents, (some) =>
          db
            .selectFrom('resources')
            .selectAll()
            .where('type', '=', type)
            .where('parent_id', 'in', some)
            .orderBy(byIdAlone)
            .execute(),
        )
        return rows.map(toResource)
      },
    }),
    slugs: async (ids) => {
      const found = new Map<string, string>()
      const rows = await inPieces(ids, (some) =>
        db.selectFrom('resources').select(['id', 'slug']).where('id', 'in', some).execute(),
      )
      for (const row of rows) found.set(row.id, row.slug)
      return found
    },
    usersOf: async (id) => {
      const found: Resource[] = []
      for (;;) {
        let query = db
          .selectFrom('links')
          .innerJoin('resources', 'resources.id', 'links.from_id')
          .selectAll('resources')
          .where('links.to_id', '=', id)
        const last = found.at(-1)
        if (last !== undefined) query = query.where('links.from_id', '>', last.id)
        const rows = await query.orderBy('links.from_id').limit(ROWS_MAX).execute()
        for (const row of rows) {
          found.push(toResource(row))
          await yieldThread(found.length)
        }
        if (rows.length < ROWS_MAX) return found
      }
    },
    tokensOf: async (profiles) => {
      const rows = await inPieces(profiles, (some) =>
        db
          .selectFrom('tokens')
          .selectAll()
          .where('profile_id', 'in', some)
          .orderBy('created_at')
          .orderBy('id')
          .execute(),
      )
      return rows.map(({ profile_id, ...row }) => ({ ...row, profile: profile_id }))
    },
    tokenByLookup: async (lookup) => {
      const row = await db.selectFrom('tokens').selectAll().where('lookup', '=', lookup).executeTakeFirst()
      if (row === undefined) return undefined
      const { profile_id, ...rest } = row
      return { ...rest, profile: profile_id }
    },
    secretsOf: async (owners) => {
      const rows = await inPieces(owners, (some) =>
        db.selectFrom('secrets').selectAll().where('owner_id', 'in', some).orderBy('field').execute(),
      )
      return rows.map(toSecret)
    },
    statesOf: async (owners, part) => {
      const rows = await inPieces(owners, (some) =>
        db
          .selectFrom('resource_state')
          .selectAll()
          .where('resource_id', 'in', some)
          .$if(part !== undefined, (query) => query.where('part', '=', part!))
          .orderBy('resource_id')
          .orderBy('part')
          .execute(),
      )
      return rows.map(({ resource_id, ...state }) => ({ owner: resource_id, ...state }))
    },
    secrets: async () => (await db.selectFrom('secrets').selectAll().execute()).map(toSecret),
    schema: async (hash) =>
      (await db.selectFrom('schemas').select('json').where('hash', '=', hash).executeTakeFirst())?.json,
    meta: (name) => metaOf(db, name),
    accessToken: async (lookup) => {
      const row = await db
        .selectFrom('access_tokens')
        .selectAll()
        .where('lookup', '=', lookup)
        .executeTakeFirst()
      return row && toAccessToken(row)
    },
    personalToken: async (by) => {
      const rows = db.selectFrom('access_tokens').selectAll().where('owner', 'is not', null)
      const row = await ('id' in by
        ? rows.where('id', '=', by.id)
        : rows.where('lookup', '=', by.lookup)
      ).executeTakeFirst()
      return row && toAccessToken(row)
    },
    personalTokens: async ({ owner, limit, order = 'oldest', after }) => {
      const { beyond, direction } = keysetOf(order)
      let query = db
        .selectFrom('access_tokens')
        .selectAll()
        .where('owner', 'is not', null)
        .where('revoked_at', 'is', null)
      if (owner !== null) query = query.where('owner', '=', owner)
      if (after !== undefined) query = query.where('id', beyond, after)
      return (await query.orderBy('id', direction).limit(limit).execute()).map(toAccessToken)
    },
    password: async (user) =>
      (await db.selectFrom('passwords').select('hash').where('user_id', '=', user).executeTakeFirst())?.hash,
    setUpLink: async (hash) => {
      const row = await db.selectFrom('set_up_links').selectAll().where('hash', '=', hash).executeTakeFirst()
      if (row === undefined) return undefined
      const { user_id: user, ...link } = row
      return { ...link, user }
    },
    answer: async (scope) => {
      const row = await db.selectFrom('answers').selectAll().where('scope', '=', scope).executeTakeFirst()
      if (row === undefined) return undefined
      return { ...row, answer: row.answer === null ? null : (JSON.parse(row.answer) as Fields) }
    },
    plan: async (id) => {
      const row = await db.selectFrom('plans').selectAll().where('id', '=', id).executeTakeFirst()
      // Only putPlan writes this column
      return row && { ...row, steps: JSON.parse(row.steps) as StoredPlan['steps'] }
    },
    applied: async (owner) => {
      const found: StoredApplied[] = []
      for (;;) {
        const after = found.at(-1)?.address ?? ''
        const rows = await db
          .selectFrom('applied')
          .selectAll()
          .where('owner', '=', owner)
          .where('address', '>', after)
          .orderBy('address')
          .limit(ROWS_MAX)
          .execute()
        for (const { resource_id, spec, ...row } of rows) {
          found.push({ ...row, resource: resource_id, spec: JSON.parse(spec) as Fields })
          await yieldThread(1)
        }
        if (rows.length < ROWS_MAX) return found
      }
    },
  }
}

async function metaOf(db: Db, name: string): Promise<string | undefined> {
  return (await db.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirst())?.value
}

async function inPieces<T>(
  ids: readonly string[],
  ask: (some: readonly string[]) => Promise<T[]>,
): Promise<T[]> {
  const rows: T[] = []
  for (let at = 0; at < ids.length; at += IDS_MAX) {
    rows.push(...(await ask(ids.slice(at, at + IDS_MAX))))
    await yieldThread(1)
  }
  return rows
}

function toAccessToken(row: ConfigTables['access_tokens']): StoredPersonalToken {
  // Only putAccessToken writes these rows, and asked for those with an owner.
  return { ...row, grants: JSON.parse(row.grants) as StoredGrant[] } as StoredPersonalToken
}

function toSecret({ owner_id, ...row }: ConfigTables['secrets']): StoredSecret {
  return { ...row, owner: owner_id }
}

type Row = ConfigTables['change_requests']

const PENDING = ['open', 'approved'] as const
/** What was sent may be large, and is read by id alone. */
const FACTS = ['id', 'state', 'asker', 'expires_at', 'entry'] as const

/** Change requests that are read at once: each may be as large as what an approver can be shown. */
const REQUESTS_AT_ONCE = 20

/** @param ask gives at most `count` of those that follow the one with the id `after`, or the first ones */
async function factsInParts(
  limit: number,
  last: string | undefined,
  ask: (count: number, after: string | undefined) => Promise<readonly Omit<Row, 'sealed'>[]>,
): Promise<ChangeRequestFacts[]> {
  const found: ChangeRequestFacts[] = []
  for (let after = last; ; after = found.at(-1)?.id) {
    const count = Math.min(limit - found.length, REQUESTS_AT_ONCE)
    const rows = await ask(count, after)
    for (const row of rows) {
      found.push(toFacts(row))
      await yieldThread(1)
    }
    if (rows.length < count || found.length === limit) return found
  }
}

/** Reads change requests. */
function createChangeRequestReader(db: Db): ChangeRequestReader {
  return {
    changeRequest: async (id) => {
      const row = await db.selectFrom('change_requests').selectAll().where('id', '=', id).executeTakeFirst()
      return row && { ...toFacts(row), sealed: row.sealed }
    },
    changeRequests: ({ limit, order = 'newest', last, asker }) => {
      const { beyond, direction } = keysetOf(order)
      return factsInParts(limit, last, (count, after) => {
        let query = db.selectFrom('change_requests').select(FACTS)
        if (after !== undefined) query = query.where('id', beyond, after)
        if (asker !== undefined) query = query.where('asker', '=', asker)
        return query.orderBy('id', direction).limit(count).execute()
      })
    },
    pendingChangeRequests: (asker) =>
      factsInParts(Number.POSITIVE_INFINITY, undefined, (count, after) => {
        let query = db.selectFrom('change_requests').select(FACTS).where('state', 'in', PENDING)
        if (after !== undefined) query = query.where('id', '>', after)
        if (asker !== undefined) query = query.where('asker', '=', asker)
        return query.orderBy('id').limit(count).execute()
      }),
    pendingSize: async (asker) => {
      const { size } = await db
        .selectFrom('change_requests')
        .select(sql<number | string | bigint>`coalesce(sum(length(sealed)), 0)`.as('size'))
        .where('state', 'in', PENDING)
        .where('asker', '=', asker)
        .executeTakeFirstOrThrow()
      return Number(size)
    },
  }
}

/** Writes them, inside of the transaction that `db` stands in. */
export function createChangeRequestWriter(db: Db): ChangeRequestWriter {
  return {
    putChangeRequest: async (request) => {
      const row = toRow(request)
      await db
        .insertInto('change_requests')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
    },
    forgetChangeRequests: async (before) => {
      await db
        .deleteFrom('change_requests')
        .where('state', 'not in', PENDING)
        .where('expires_at', '<', before)
        .execute()
    },
  }
}

function toRow({ id, state, asker, expires_at, sealed, ...entry }: StoredChangeRequest): Row {
  return { id, state, asker, expires_at, sealed, entry: JSON.stringify(entry) }
}

function toFacts({ entry, id, state, asker, expires_at }: Omit<Row, 'sealed'>): ChangeRequestFacts {
  // Only toRow writes these.
  return { ...JSON.parse(entry), id, state, asker, expires_at } as ChangeRequestFacts
}

type RequestRow = ConfigTables['access_requests']

/** Reads the requests for access that are kept. */
function createAccessRequestReader(db: Db): AccessRequestReader {
  return {
    accessRequest: async (id) => {
      const row = await db.selectFrom('access_requests').selectAll().where('id', '=', id).executeTakeFirst()
      return row && toRequest(row)
    },
    accessRequests: async ({ limit, order = 'oldest', after, requester, client, state, now }) => {
      const { beyond, direction } = keysetOf(order)
      let query = db.selectFrom('access_requests').selectAll()
      if (after !== undefined) query = query.where('id', beyond, after)
      if (requester !== undefined) query = query.where('requester', '=', requester)
      if (client !== undefined) query = query.where('client', '=', client)
      if (state === 'open') query = query.where('state', '=', 'open').where('expires_at', '>', now)
      else if (state === 'expired')
        query = query.where((eb) =>
          eb.or([
            eb('state', '=', 'expired'),
            eb.and([eb('state', '=', 'open'), eb('expires_at', '<=', now)]),
          ]),
        )
      else if (state !== undefined) query = query.where('state', '=', state)
      return (await query.orderBy('id', direction).limit(limit).execute()).map(toRequest)
    },
  }
}

/** Writes them, inside of the transaction that `db` stands in. */
export function createAccessRequestWriter(db: Db): AccessRequestWriter {
  return {
    putAccessRequest: async (request, since) => {
      const old = db.selectFrom('access_requests').select('id').where('created_at', '<', since)
      await db.deleteFrom('access_request_collections').where('request_id', 'in', old).execute()
      await db.deleteFrom('access_requests').where('created_at', '<', since).execute()
      const row = { ...request, collections: JSON.stringify(request.collections) }
      await db
        .insertInto('access_requests')
        .values(row)
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
      await putCollections(db, request)
    },
  }
}

async function putCollections(db: Db, { id, collections }: StoredAccessRequest): Promise<void> {
  await db.deleteFrom('access_request_collections').where('request_id', '=', id).execute()
  const rows = [...new Set(collections)].map((collection_id) => ({ request_id: id, collection_id }))
  for (let at = 0; at < rows.length; at += ROWS_MAX)
    await db
      .insertInto('access_request_collections')
      .values(rows.slice(at, at + ROWS_MAX))
      .execute()
}

/** Ends what is still asked by a resource that goes, or for it. */
export async function endRequestsAbout(db: Db, id: string): Promise<void> {
  await db
    .updateTable('access_requests')
    .set({ state: 'expired', reason: 'The requester, the client or a collection was deleted.' })
    .where('state', '=', 'open')
    .where((eb) =>
      eb.or([
        eb('client', '=', id),
        eb('requester', '=', id),
        eb(
          'id',
          'in',
          eb.selectFrom('access_request_collections').select('request_id').where('collection_id', '=', id),
        ),
      ]),
    )
    .execute()
}

function toRequest({ collections, state, ...row }: RequestRow): StoredAccessRequest {
  // Only putAccessRequest and endRequestsAbout write these columns
  return {
    ...row,
    collections: JSON.parse(collections) as string[],
    state: state as StoredAccessRequest['state'],
  }
}
