import { type Expression, expressionBuilder, type Kysely, type SqlBool, sql } from 'kysely'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { type AuditLink, linkedValues } from '../ports/audit-chain.ts'
import type { AuditFilter, AuditReader } from '../ports/config.ts'
import { keysetOf } from '../ports/resource.ts'
import type { ConfigTables, Dialect } from './tables.ts'

type Db = Kysely<ConfigTables>

/** Entries that are held or looked through at once. */
const PIECE = 500

/** Reads the audit trail. */
export function createAuditReader(db: Db, dialect: Dialect): AuditReader {
  return {
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
  const starts = firsts.flatMap((one) => one?.seq ?? [])
  if (starts.length === 0) return []
  // Entries that follow meanwhile are left for later: they would be in some of the answers below, and seem to lack the others
  const last = fn.max<number | null>('seq').as('seq')
  const ends = [
    await db.selectFrom('audit').select(last).executeTakeFirst(),
    await db.selectFrom('audit_chain').select(last).executeTakeFirst(),
  ]
  const from = Math.min(...starts)
  const end = Math.min(from + count, Math.max(...ends.map((one) => one?.seq ?? 0)) + 1)
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
  const filters = await db
    .selectFrom('audit_filters')
    .selectAll()
    .where('seq', '>=', from)
    .where('seq', '<', end)
    .execute()
  const filtersOf = new Map(filters.map((row) => [row.seq, row]))
  const entries = new Map(rows.map((row) => [row.seq, row]))
  const hashes = new Map(links.map(({ seq, hash }) => [seq, hash]))
  const seqs = [...new Set([...entries.keys(), ...hashes.keys()])].sort((a, b) => a - b)
  const found: AuditLink[] = []
  for (const seq of seqs) {
    const row = entries.get(seq)
    found.push({
      seq,
      hash: hashes.get(seq) ?? null,
      id: row?.id ?? null,
      columns: row === undefined ? null : linkedValues(row),
      isFindable: row !== undefined && areFiltersOf(row.entry, filtersOf.get(seq)),
    })
    // Each may be as large as a difference
    await yieldThread(1)
  }
  return found
}

type Joined = ConfigTables & { found: ConfigTables['audit_filters'] }

/** Makes conditions on an entry, `audit`, and on what is read from it, `found`. */
const on = expressionBuilder<Joined, 'audit' | 'found'>()

const BODIES = ['audit.request', 'audit.response'] as const
/** Filters that are the value of a column of the entry. */
const COLUMNS = ['resource_type', 'operation', 'surface', 'outcome'] as const
/** Filters that are the value of a column that is read from it. */
const FILTERS = [
  'actor_type',
  'auth_method',
  'agent',
  'agent_version',
  'session_id',
  'conversation_id',
  'method',
  'ip',
  'request_id',
  'plan_id',
  'config_revision',
  'error',
] as const satisfies readonly (keyof AuditFilter & keyof AuditFilters)[]

/** Filters that are a part of a text, in any case, and where that is. */
type Texts = readonly (readonly [TextFilter, Expression<string | null>])[]
type TextFilter =
  | 'reason'
  | 'path_contains'
  | 'user_agent'
  | 'detail'
  | 'diff'
  | 'request'
  | 'response'
  | 'text'

const LINE_END = sql.lit('\n')
const ENTRY_TEXTS: Texts = [
  ['request', on.ref('audit.request')],
  ['response', on.ref('audit.response')],
  [
    'text',
    sql<string>`audit.entry || ${LINE_END} || coalesce(audit.request, '') || ${LINE_END} || coalesce(audit.response, '')`,
  ],
]
const FILTER_TEXTS: Texts = [
  ['reason', on.ref('found.reason')],
  ['path_contains', on.ref('found.url')],
  ['user_agent', on.ref('found.user_agent')],
  ['detail', on.ref('found.detail')],
  ['diff', on.ref('found.diff')],
]

async function auditEntries(
  db: Db,
  dialect: Dialect,
  filter: AuditFilter,
): ReturnType<AuditReader['auditEntries']> {
  const { limit, order = 'newest', bodies = false } = filter
  const { direction } = keysetOf(order)
  const columns = ['audit.seq', 'audit.entry', ...(bodies ? BODIES : [])] as const
  const conditions = ofEntry(dialect, filter)
  const wanted = on.and(conditions)
  const found = ofFilters(dialect, filter)
  const entries = db.selectFrom('audit').select(columns).where(wanted).orderBy('audit.seq', direction)
  // A cross join: SQLite keeps its order, and so looks through the small rows, in the order asked for, before it reads an entry
  const filtered = db
    .selectFrom('audit_filters as found')
    .crossJoin('audit')
    .whereRef('audit.seq', '=', 'found.seq')
    .select(columns)
    .where(on.and([...found, wanted]))
    .orderBy('found.seq', direction)
  const rows: ({ readonly seq: number; readonly entry: string } & Bodies)[] = []
  // Without a condition, the first entries are those of the page
  const step = found.length + conditions.length === 0 ? Number.POSITIVE_INFINITY : PIECE
  for (const [from, to] of partsOf(await rangeOf(db, filter), step, direction)) {
    const part =
      found.length === 0
        ? entries.where('audit.seq', '>=', from).where('audit.seq', '<=', to)
        : filtered.where('found.seq', '>=', from).where('found.seq', '<=', to)
    rows.push(...(await part.limit(limit + 1 - rows.length).execute()))
    if (rows.length > limit) break
    await yieldThread(0)
  }
  const page = rows.slice(0, limit)
  return {
    items: page.map((row) => (bodies ? withBodies(row) : toEntry(row.entry))),
    seqs: page.map(({ seq }) => seq),
    next: rows.length > limit ? (page.at(-1)?.seq ?? null) : null,
  }
}

/** The first and last number that an entry may have; null without entries. */
async function rangeOf(
  db: Db,
  { last, order = 'newest', from, to }: AuditFilter,
): Promise<readonly [number, number] | null> {
  const { min, max } = db.fn
  let all = db.selectFrom('audit')
  if (from !== undefined) all = all.where('time', '>=', from)
  if (to !== undefined) all = all.where('time', '<', to)
  // Asked in one statement, SQLite would read all of them
  const low = (await all.select(min<number | null>('seq').as('seq')).executeTakeFirst())?.seq ?? null
  const high = (await all.select(max<number | null>('seq').as('seq')).executeTakeFirst())?.seq ?? null
  if (low === null || high === null) return null
  if (last === undefined) return [low, high]
  return order === 'newest' ? [low, Math.min(high, last - 1)] : [Math.max(low, last + 1), high]
}

/** Parts of a range in the order in which they are read: one statement would hold the thread until it has looked through all. */
function* partsOf(
  range: readonly [number, number] | null,
  step: number,
  direction: 'asc' | 'desc',
): Generator<readonly [number, number]> {
  if (range === null) return
  const [low, high] = range
  if (direction === 'asc')
    for (let from = low; from <= high; from += step) yield [from, Math.min(high, from + step - 1)]
  else for (let to = high; to >= low; to -= step) yield [Math.max(low, to - step + 1), to]
}

/** Conditions on the columns of entries. */
function ofEntry(dialect: Dialect, filter: AuditFilter): Expression<SqlBool>[] {
  const { resource, actor, actions, collection, collections, from, to } = filter
  const all: Expression<SqlBool>[] = []
  for (const column of COLUMNS) {
    const value = filter[column]
    if (value !== undefined) all.push(on(`audit.${column}`, '=', value))
  }
  if (actions !== undefined) all.push(on('audit.action', 'in', actions))
  if (resource !== undefined)
    all.push(on.or([on('audit.resource_id', '=', resource), on('audit.resource_slug', '=', resource)]))
  if (actor !== undefined)
    all.push(on.or([on('audit.actor_id', '=', actor), on('audit.actor_name', '=', actor)]))
  if (collection !== undefined)
    all.push(
      on.or([on('audit.collection_id', '=', collection), on('audit.collection_slug', '=', collection)]),
    )
  if (collections !== undefined)
    all.push(collections.length === 0 ? on.or([]) : on('audit.collection_id', 'in', collections))
  if (from !== undefined) all.push(on('audit.time', '>=', from))
  if (to !== undefined) all.push(on('audit.time', '<', to))
  return [...all, ...ofTexts(dialect, filter, ENTRY_TEXTS)]
}

/** Conditions on the columns that are read from entries. */
function ofFilters(dialect: Dialect, filter: AuditFilter): Expression<SqlBool>[] {
  const { statuses, revision, approver } = filter
  const all: Expression<SqlBool>[] = []
  for (const column of FILTERS) {
    const value = filter[column]
    if (value !== undefined) all.push(on(`found.${column}`, '=', value))
  }
  if (statuses !== undefined)
    all.push(
      on.or([
        on('found.status', 'in', [...statuses.exact, 0]),
        on(sql<number>`found.status / 100`, 'in', [...statuses.hundreds, 0]),
      ]),
    )
  if (revision !== undefined)
    all.push(on.or([on('found.revision_before', '=', revision), on('found.revision_after', '=', revision)]))
  if (approver !== undefined)
    all.push(on.or([on('audit.approver', '=', approver), on('found.approver_name', '=', approver)]))
  return [...all, ...ofTexts(dialect, filter, FILTER_TEXTS)]
}

function ofTexts(dialect: Dialect, filter: AuditFilter, texts: Texts): Expression<SqlBool>[] {
  return texts.flatMap(([name, place]) => {
    const part = filter[name]
    return part === undefined ? [] : [dialect.contains(place, part)]
  })
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

// The columns by which the audit trail is filtered: a row beside each entry, read from the entry. The row is no evidence.
// Verifying the trail compares it with the entry, so a changed row cannot hide an entry from a filter unnoticed.

/** The columns of `audit_filters` but the number of the entry. */
export type AuditFilters = Omit<ConfigTables['audit_filters'], 'seq'>

/** An entry as it was stored: entries of earlier versions have fewer members. */
type Stored = { readonly [Name in keyof AuditEntry]?: AuditEntry[Name] }

/** What filters find an entry by. */
export function auditFiltersOf(entry: Stored): AuditFilters {
  const { actor, agent, http, approver } = entry
  return {
    actor_type: actor?.type ?? null,
    auth_method: actor?.auth_method ?? null,
    agent: agent?.name ?? null,
    agent_version: agent?.version ?? null,
    session_id: agent?.session_id ?? null,
    conversation_id: agent?.conversation_id ?? null,
    method: http?.method ?? null,
    url: http?.url ?? null,
    status: http?.status ?? null,
    ip: entry.ip ?? null,
    user_agent: entry.user_agent ?? null,
    request_id: entry.request_id ?? null,
    plan_id: entry.plan_id ?? null,
    revision_before: entry.revision_before ?? null,
    revision_after: entry.revision_after ?? null,
    config_revision: entry.config_revision ?? null,
    approver_name: approver?.name ?? null,
    error: entry.error ?? null,
    reason: entry.reason ?? null,
    detail: entry.detail ?? null,
    diff: entry.diff === undefined ? null : JSON.stringify(entry.diff),
  }
}

/** The columns by the text of the entry. A text that is no entry has none: reading the entry finds the fault. */
function auditFiltersIn(text: string): AuditFilters {
  try {
    // Only appendAudit writes this text, from an AuditEntry
    return auditFiltersOf((JSON.parse(text) as Stored | null) ?? {})
  } catch {
    return auditFiltersOf({})
  }
}

// Its keys are those of the type that it is made as
const NAMES = Object.keys(auditFiltersOf({})) as (keyof AuditFilters)[]

/** Whether a row is what its entry says. */
function areFiltersOf(text: string, row: AuditFilters | undefined): boolean {
  if (row === undefined) return false
  const filters = auditFiltersIn(text)
  for (const name of NAMES) if (filters[name] !== row[name]) return false
  return true
}

/** Writes the row of an entry. */
export async function putAuditFilters(db: Db, row: ConfigTables['audit_filters']): Promise<void> {
  await db
    .insertInto('audit_filters')
    .values(row)
    // Where entries were removed from outside, a row may be left of one with this number
    .onConflict((conflict) => conflict.column('seq').doUpdateSet(row))
    .execute()
}

/** See the writer of the store. */
export async function mendAuditFilters(db: Db): Promise<void> {
  for (let after = 0; ; ) {
    const entries = await db
      .selectFrom('audit')
      .select(['seq', 'entry'])
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(PIECE)
      .execute()
    const last = entries.at(-1)
    if (last === undefined) return
    const rows = await db
      .selectFrom('audit_filters')
      .selectAll()
      .where('seq', '>', after)
      .where('seq', '<=', last.seq)
      .execute()
    const known = new Map(rows.map((row) => [row.seq, row]))
    for (const { seq, entry } of entries)
      if (!areFiltersOf(entry, known.get(seq))) await putAuditFilters(db, { seq, ...auditFiltersIn(entry) })
    after = last.seq
  }
}
