import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import type { AuditEntry } from '../../model/audit.ts'
import type { ResourceType, Status } from '../../model/common.ts'
import { type AuditLink, linkedValues } from '../ports/audit-chain.ts'
import type {
  AuditFilter,
  ConfigReader,
  Fields,
  ListQuery,
  Part,
  Resource,
  StoredGrant,
  StoredPersonalToken,
  StoredPlan,
  StoredSecret,
} from '../ports/config.ts'
import { createAccessRequestReader } from './access-requests.ts'
import { createChangeRequestReader } from './change-requests.ts'
import { type Dialect, IDS_MAX } from './dialect.ts'
import { createOAuthReader } from './oauth.ts'
import { createRevisionReader } from './revisions.ts'
import type { ConfigTables, ResourceRow } from './tables.ts'

type Db = Kysely<ConfigTables>

/** The questions of {@link ConfigReader}, asked on one connection (the reading one, or that of a transaction). */
export function createReader(db: Db, dialect: Dialect): ConfigReader {
  /**
   * Order of the few rows that a slug or key finds. With an index, SQLite would read all rows of a type in this order
   * to find them, which made an import cost the square of its endpoints. `parent_id` below is written so for the same reason.
   */
  const byIdAlone = dialect.unindexed('id')
  return {
    ...createRevisionReader(db),
    ...createChangeRequestReader(db),
    ...createAccessRequestReader(db),
    oauth: createOAuthReader(db),
    revision: async () => Number((await metaOf(db, 'config_revision')) ?? 0),
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
    list: (query) => list(db, query),
    all: async (type, parent) => {
      let query = db.selectFrom('resources').selectAll().where('type', '=', type)
      if (parent !== undefined) query = query.where('parent_id', '=', parent)
      return (await query.orderBy('id').execute()).map(toResource)
    },
    slugs: async (ids) => {
      const found = new Map<string, string>()
      const rows = await inPieces(ids, (some) =>
        db.selectFrom('resources').select(['id', 'slug']).where('id', 'in', some).execute(),
      )
      for (const row of rows) found.set(row.id, row.slug)
      return found
    },
    usersOf: async (id) => {
      const rows = await db
        .selectFrom('resources')
        .selectAll()
        .where('id', 'in', db.selectFrom('links').select('from_id').where('to_id', '=', id))
        .orderBy('id')
        .execute()
      return rows.map(toResource)
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
    secretsOf: async (owners) => {
      const rows = await inPieces(owners, (some) =>
        db.selectFrom('secrets').selectAll().where('owner_id', 'in', some).orderBy('field').execute(),
      )
      return rows.map(toSecret)
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
    personalTokens: async ({ owner, limit, after }) => {
      let query = db
        .selectFrom('access_tokens')
        .selectAll()
        .where('owner', 'is not', null)
        .where('revoked_at', 'is', null)
      if (owner !== null) query = query.where('owner', '=', owner)
      if (after !== undefined) query = query.where('id', '>', after)
      return (await query.orderBy('id').limit(limit).execute()).map(toAccessToken)
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
      const rows = await db.selectFrom('applied').selectAll().where('owner', '=', owner).execute()
      return rows.map(({ resource_id, spec, ...row }) => ({
        ...row,
        resource: resource_id,
        spec: JSON.parse(spec) as Fields,
      }))
    },
    auditEntry: async (id) => {
      const row = await db
        .selectFrom('audit')
        .select(['entry', 'request', 'response'])
        .where('id', '=', id)
        .executeTakeFirst()
      return row && withBodies(row)
    },
    auditLinks: (after, count) => auditLinks(db, after, count),
    lastAuditLink: () =>
      db.selectFrom('audit_chain').selectAll().orderBy('seq', 'desc').limit(1).executeTakeFirst(),
    checkpoints: () => db.selectFrom('audit_checkpoints').selectAll().orderBy('seq').execute(),
    auditKeyAnchor: () =>
      db.selectFrom('audit_key_anchor').select(['seq', 'hash', 'time', 'mac']).executeTakeFirst(),
    auditAnchors: () => db.selectFrom('audit_anchors').selectAll().orderBy('seq').execute(),
    oldestAudit: () =>
      db.selectFrom('audit').select(['seq', 'time']).orderBy('seq').limit(1).executeTakeFirst(),
    lastAuditBefore: async (time) => {
      const { fn } = db
      const kept = await db
        .selectFrom('audit')
        .select(fn.min<number | null>('seq').as('seq'))
        .where('time', '>=', time)
        .executeTakeFirst()
      const ends = await db
        .selectFrom('audit')
        .select([fn.min<number | null>('seq').as('first'), fn.max<number | null>('seq').as('last')])
        .executeTakeFirst()
      const last = kept?.seq == null ? ends?.last : kept.seq - 1
      return last == null || ends?.first == null || last < ends.first ? null : last
    },
    auditEntries: (filter) => auditEntries(db, dialect, filter),
  }
}

async function auditLinks(db: Db, after: number, count: number): Promise<AuditLink[]> {
  const { fn } = db
  const first = fn.min<number | null>('seq').as('seq')
  // From the first number on that either has, so that a gap ends nothing
  const firsts = [
    await db.selectFrom('audit').select(first).where('seq', '>', after).executeTakeFirst(),
    await db.selectFrom('audit_chain').select(first).where('seq', '>', after).executeTakeFirst(),
  ]
  const found = firsts.flatMap((one) => one?.seq ?? [])
  if (found.length === 0) return []
  const from = Math.min(...found)
  const end = from + count
  const rows = await db
    .selectFrom('audit')
    .selectAll()
    .where('seq', '>=', from)
    .where('seq', '<', end)
    .execute()
  const links = await db
    .selectFrom('audit_chain')
    .selectAll()
    .where('seq', '>=', from)
    .where('seq', '<', end)
    .execute()
  const entries = new Map(rows.map((row) => [row.seq, row]))
  const hashes = new Map(links.map(({ seq, hash }) => [seq, hash]))
  const seqs = [...new Set([...entries.keys(), ...hashes.keys()])].sort((a, b) => a - b)
  return seqs.map((seq) => {
    const row = entries.get(seq)
    return {
      seq,
      hash: hashes.get(seq) ?? null,
      id: row?.id ?? null,
      columns: row === undefined ? null : linkedValues(row),
    }
  })
}

async function metaOf(db: Db, name: string): Promise<string | undefined> {
  return (await db.selectFrom('meta').select('value').where('name', '=', name).executeTakeFirst())?.value
}

async function inPieces<T>(
  ids: readonly string[],
  ask: (some: readonly string[]) => Promise<T[]>,
): Promise<T[]> {
  const rows: T[] = []
  for (let at = 0; at < ids.length; at += IDS_MAX) rows.push(...(await ask(ids.slice(at, at + IDS_MAX))))
  return rows
}

async function list(db: Db, query: ListQuery): Promise<Resource[]> {
  let select = db.selectFrom('resources').selectAll().where('type', '=', query.type)
  if (query.parent !== undefined) select = select.where('parent_id', '=', query.parent)
  if (query.after !== undefined) select = select.where('id', '>', query.after)
  for (const [field, value] of Object.entries(query.where ?? {}))
    select = select.where(
      sql<boolean>`json_extract(spec, ${`$.${field}`}) = ${typeof value === 'boolean' ? Number(value) : value}`,
    )
  const tags = (query.tags ?? []).map((tag) => ['tags', tag] as const)
  for (const [field, value] of [...tags, ...Object.entries(query.holds ?? {})])
    select = select.where(
      sql<boolean>`exists (select 1 from json_each(spec, ${`$.${field}`}) where value = ${value})`,
    )
  const { within } = query
  if (within !== undefined) select = select.where((eb) => eb.or(within.map((part) => fits(eb, part))))
  return (await select.orderBy('id').limit(query.limit).execute()).map(toResource)
}

function fits(eb: ExpressionBuilder<ConfigTables, 'resources'>, { collections, tags }: Part) {
  const wanted = JSON.stringify(tags)
  return eb.and([
    // A parent may be a client too, but ids of different types never meet
    ...(collections.length === 0
      ? []
      : [eb.or([eb('id', 'in', collections), eb('parent_id', 'in', collections)])]),
    ...(tags.length === 0
      ? []
      : [
          eb.or([
            sql<boolean>`exists (select 1 from json_each(resources.spec, '$.tags') as tag, json_each(${wanted}) as one where tag.value = one.value)`,
            sql<boolean>`exists (select 1 from resources as above, json_each(above.spec, '$.tags') as tag, json_each(${wanted}) as one where above.id = resources.parent_id and tag.value = one.value)`,
          ]),
        ]),
  ])
}

/** Filters that are one member of the entry, and its path. */
const ENTRY_PATHS = [
  ['actor_type', '$.actor.type'],
  ['auth_method', '$.actor.auth_method'],
  ['agent', '$.agent.name'],
  ['agent_version', '$.agent.version'],
  ['session_id', '$.agent.session_id'],
  ['conversation_id', '$.agent.conversation_id'],
  ['method', '$.http.method'],
  ['ip', '$.ip'],
  ['request_id', '$.request_id'],
  ['plan_id', '$.plan_id'],
  ['config_revision', '$.config_revision'],
  ['error', '$.error'],
] as const satisfies (readonly [keyof AuditFilter, string])[]

const LINE_END = sql.lit('\n')

/** Filters that are a part of a text of the entry, in any case, and where that is. */
const ENTRY_TEXTS = [
  ['reason', sql<string>`json_extract(entry, '$.reason')`],
  ['path_contains', sql<string>`json_extract(entry, '$.http.url')`],
  ['user_agent', sql<string>`json_extract(entry, '$.user_agent')`],
  ['detail', sql<string>`json_extract(entry, '$.detail')`],
  ['diff', sql<string>`json_extract(entry, '$.diff')`],
  ['request', sql<string | null>`request`],
  ['response', sql<string | null>`response`],
  [
    'text',
    sql<string>`entry || ${LINE_END} || coalesce(request, '') || ${LINE_END} || coalesce(response, '')`,
  ],
] as const satisfies (readonly [keyof AuditFilter, unknown])[]

async function auditEntries(
  db: Db,
  dialect: Dialect,
  filter: AuditFilter,
): Promise<{ items: readonly AuditEntry[]; next: number | null }> {
  let query = db
    .selectFrom('audit')
    .select(['seq', 'entry'])
    .$if(filter.bodies === true, (some) => some.select(['request', 'response']))
  const { before, resource, actor, approver, collection, actions, statuses, revision, from, to } = filter
  if (before !== undefined) query = query.where('seq', '<', before)
  for (const column of ['resource_type', 'operation', 'surface', 'outcome'] as const) {
    const value = filter[column]
    if (value !== undefined) query = query.where(column, '=', value)
  }
  if (actions !== undefined) query = query.where('action', 'in', actions)
  for (const [name, path] of ENTRY_PATHS) {
    const value = filter[name]
    if (value !== undefined) query = query.where(sql<boolean>`json_extract(entry, ${path}) = ${value}`)
  }
  if (statuses !== undefined) {
    const status = sql<number>`json_extract(entry, '$.http.status')`
    query = query.where((eb) =>
      eb.or([
        eb(status, 'in', [...statuses.exact, 0]),
        eb(sql<number>`${status} / 100`, 'in', [...statuses.hundreds, 0]),
      ]),
    )
  }
  for (const [name, place] of ENTRY_TEXTS) {
    const part = filter[name]
    if (part !== undefined) query = query.where(dialect.contains(place, part))
  }
  if (revision !== undefined)
    query = query.where(
      sql<boolean>`${revision} in (json_extract(entry, '$.revision_before'), json_extract(entry, '$.revision_after'))`,
    )
  if (resource !== undefined)
    query = query.where((eb) => eb.or([eb('resource_id', '=', resource), eb('resource_slug', '=', resource)]))
  if (actor !== undefined)
    query = query.where((eb) => eb.or([eb('actor_id', '=', actor), eb('actor_name', '=', actor)]))
  if (approver !== undefined)
    query = query.where((eb) =>
      eb.or([
        eb('approver', '=', approver),
        sql<boolean>`json_extract(entry, '$.approver.name') = ${approver}`,
      ]),
    )
  if (collection !== undefined)
    query = query.where((eb) =>
      eb.or([eb('collection_id', '=', collection), eb('collection_slug', '=', collection)]),
    )
  const { collections } = filter
  if (collections !== undefined)
    query = query.where((eb) =>
      collections.length === 0 ? eb.val(false) : eb('collection_id', 'in', collections),
    )
  if (from !== undefined) query = query.where('time', '>=', from)
  if (to !== undefined) query = query.where('time', '<', to)
  const rows = await query
    .orderBy('seq', 'desc')
    .limit(filter.limit + 1)
    .execute()
  const page = rows.slice(0, filter.limit)
  return {
    items: page.map((row) => (filter.bodies === true ? withBodies(row) : toEntry(row.entry))),
    next: rows.length > filter.limit ? (page.at(-1)?.seq ?? null) : null,
  }
}

type Bodies = Partial<Pick<ConfigTables['audit'], 'request' | 'response'>>

function withBodies({ entry, request, response }: { readonly entry: string } & Bodies): AuditEntry {
  const body = (text: string | null | undefined): AuditEntry['request'] =>
    text == null ? null : JSON.parse(text)
  return { ...toEntry(entry), request: body(request), response: body(response) }
}

function toEntry(text: string): AuditEntry {
  // Only appendAudit writes this column, from an AuditEntry; the first ones knew of neither.
  const entry = JSON.parse(text) as Omit<AuditEntry, 'approver' | 'environment'> & Partial<AuditEntry>
  return { ...entry, approver: entry.approver ?? null, environment: entry.environment ?? null }
}

function toAccessToken(row: ConfigTables['access_tokens']): StoredPersonalToken {
  // Only putAccessToken writes these rows, and asked for those with an owner.
  return { ...row, grants: JSON.parse(row.grants) as StoredGrant[] } as StoredPersonalToken
}

function toSecret({ owner_id, ...row }: ConfigTables['secrets']): StoredSecret {
  return { ...row, owner: owner_id }
}

function toResource(row: ResourceRow): Resource {
  const { parent_id, lookup_key, ...rest } = row
  return {
    ...rest,
    // Only insert and replace write these columns, from a Resource.
    type: row.type as ResourceType,
    status: row.status as Status | null,
    parent: parent_id,
    key: lookup_key,
    spec: JSON.parse(row.spec) as Fields,
    draft: row.draft === null ? null : (JSON.parse(row.draft) as Fields),
  }
}
