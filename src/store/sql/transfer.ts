/**
 * Copies all tables of configuration and audit from one engine to another. Rows stream in pieces; nothing whole is in memory. Engines
 * keep the promise that texts sort by their bytes, so that rows in the order of their keys have the same hash on both sides.
 */
import { createHash } from 'node:crypto'
import { CannotStart } from '../../base/refusal.ts'
import { visibleJson } from '../../base/text/visible.ts'
import type {
  TransferOrder,
  TransferProgress,
  TransferredTable,
  TransferSink,
  TransferSource,
  TransferTable,
  TransferValue,
} from '../ports/transfer.ts'

/** All tables of {@link ConfigTables}, each after those that its rows refer to. `schema_versions` is of each engine itself. */
export const CONFIG_TRANSFER: readonly TransferTable[] = [
  // Written by probes of a database
  { name: 'meta', key: ['name'], without: ['probed'] },
  { name: 'resources', key: ['id'], above: 'parent_id' },
  { name: 'links', key: ['from_id', 'to_id'] },
  { name: 'facets', key: ['type', 'name', 'value', 'resource_id'] },
  { name: 'tokens', key: ['id'] },
  { name: 'secrets', key: ['owner_id', 'field'] },
  { name: 'passwords', key: ['user_id'] },
  { name: 'set_up_links', key: ['hash'] },
  { name: 'schemas', key: ['hash'] },
  { name: 'resource_state', key: ['resource_id', 'part'] },
  { name: 'access_tokens', key: ['id'] },
  { name: 'answers', key: ['scope'] },
  { name: 'oauth_keys', key: ['id'] },
  { name: 'oauth_artifacts', key: ['kind', 'id'] },
  { name: 'connections', key: ['user', 'origin'] },
  { name: 'plans', key: ['id'] },
  { name: 'applied', key: ['owner', 'address'] },
  { name: 'revisions', key: ['revision'] },
  { name: 'revision_items', key: ['revision', 'resource_id'] },
  { name: 'change_requests', key: ['id'] },
  { name: 'access_requests', key: ['id'] },
  { name: 'access_request_collections', key: ['request_id', 'collection_id'] },
  { name: 'fragments', key: ['key'] },
  { name: 'jobs', key: ['name'] },
  { name: 'audit', key: ['seq'] },
  { name: 'audit_filters', key: ['seq'] },
  { name: 'audit_chain', key: ['seq'] },
  { name: 'audit_checkpoints', key: ['seq'] },
  { name: 'audit_anchors', key: ['seq'] },
  { name: 'audit_key_anchor', key: ['one'] },
]

/** What quotas have counted, which would else begin at zero. Request records stay where they are. */
export const QUOTA_TRANSFER: readonly TransferTable[] = [
  { name: 'quota_turns', there: 'record_quota_turns', key: ['id'], isSeeded: true },
  { name: 'quotas', there: 'record_quotas', key: ['key'] },
]

/** Rows of one piece. */
export const PIECE_ROWS = 1000
/** A piece ends before it has much more than this, in characters: rows with documents are large. */
export const PIECE_CHARS = 4_000_000

/** Copies tables into tables without rows. */
export async function copyTables(
  source: TransferSource,
  sink: Pick<TransferSink, 'put' | 'refuses'>,
  tables: readonly TransferTable[],
  progress: (part: number) => void,
): Promise<void> {
  const tell = await counter(source, tables, 1, progress)
  for (const table of tables) {
    const columns = await source.columns(table)
    for await (const rows of source.rows(table, columns, 'copy')) {
      if (sink.refuses !== null) refuseText(table, columns, rows, sink.refuses)
      await sink.put(table, columns, rows)
      tell(rows.length)
    }
  }
  progress(1)
}

/** Compares tables on both sides. Throws {@link CannotStart} where they differ. */
async function compareTables(
  source: TransferSource,
  sink: Omit<TransferSource, 'schemaVersion'>,
  tables: readonly TransferTable[],
  progress: (part: number) => void,
): Promise<readonly TransferredTable[]> {
  const tell = await counter(source, tables, 2, progress)
  const compared: TransferredTable[] = []
  for (const table of tables) {
    const columns = await source.columns(table)
    const before = await digestOf(source, table, columns, tell)
    const after = await digestOf(sink, table, columns, tell)
    if (before.rows !== after.rows || before.sha256 !== after.sha256)
      throw new CannotStart(
        `The copy differs in table ${table.name}: ${before.rows} rows with SHA-256 ${before.sha256} became ${after.rows} rows with ${after.sha256}. Nothing was changed. Report this as a fault.`,
      )
    compared.push({ table: table.name, ...before })
  }
  progress(1)
  return compared
}

/** Copies tables and compares them. */
export async function transferTables(
  source: TransferSource,
  sink: TransferSink,
  tables: readonly TransferTable[],
  progress: TransferProgress,
): Promise<readonly TransferredTable[]> {
  await copyTables(source, sink, tables, (part) => progress('copy', part))
  return compareTables(source, sink, tables, (part) => progress('compare', part))
}

/** The query of {@link TransferSource.rows}, as every engine reads it. */
export function selectRows(
  { name, key, above, without = [] }: TransferTable,
  columns: readonly string[],
  order: TransferOrder,
): string {
  const listed = columns.map((column) => `it.${quoted(column)}`).join(', ')
  const sorted = key.map((column) => `it.${quoted(column)}`).join(', ')
  const rest = without.length === 0 ? '' : ` where ${isCopied({ key, without }, 'it.')}`
  if (order === 'key' || above === undefined)
    return `select ${listed} from ${name} as it${rest} order by ${sorted}`
  const own = quoted(key[0]!)
  return `with recursive tree (its, depth) as (
    select ${own}, 0 from ${name} where ${quoted(above)} is null
    union all
    select below.${own}, tree.depth + 1 from ${name} as below join tree on below.${quoted(above)} = tree.its
  ) select ${listed} from tree join ${name} as it on it.${own} = tree.its order by tree.depth, ${sorted}`
}

/** The condition for rows that are copied. @param of stands before the column */
export function isCopied({ key, without = [] }: Pick<TransferTable, 'key' | 'without'>, of = ''): string {
  return without.length === 0
    ? 'true'
    : `${of}${quoted(key[0]!)} not in (${without.map((value) => `'${value}'`).join(', ')})`
}

/** A name as a statement has it: `user` is a word of SQL. */
export function quoted(name: string): string {
  return `"${name}"`
}

/** The size of a row, about. */
export function charsOf(row: readonly TransferValue[]): number {
  return row.reduce<number>(
    (sum, value) => sum + (typeof value === 'string' || value instanceof Uint8Array ? value.length : 8),
    0,
  )
}

async function digestOf(
  side: Pick<TransferSource, 'rows'>,
  table: TransferTable,
  columns: readonly string[],
  tell: (rows: number) => void,
): Promise<Omit<TransferredTable, 'table'>> {
  const hash = createHash('sha256').update(`${JSON.stringify(columns)}\n`)
  let count = 0
  for await (const rows of side.rows(table, columns, 'key')) {
    for (const row of rows) hash.update(`${JSON.stringify(row.map(comparable))}\n`)
    count += rows.length
    tell(rows.length)
  }
  return { rows: count, sha256: hash.digest('hex') }
}

function comparable(value: TransferValue): string | number | null | { readonly bytes: string } {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value
}

/** Tells the part that is done when so many rows more were read. @param passes how often each row is read */
async function counter(
  source: TransferSource,
  tables: readonly TransferTable[],
  passes: number,
  progress: (part: number) => void,
): Promise<(rows: number) => void> {
  let all = 0
  for (const table of tables) all += passes * (await source.count(table))
  let done = 0
  return (rows) => {
    done += rows
    progress(Math.min(1, done / Math.max(1, all)))
  }
}

function refuseText(
  table: TransferTable,
  columns: readonly string[],
  rows: readonly (readonly TransferValue[])[],
  character: string,
): void {
  for (const row of rows) {
    const at = row.findIndex((value) => typeof value === 'string' && value.includes(character))
    if (at < 0) continue
    const key = table.key
      .map((name) => `${name} ${visibleJson(JSON.stringify(row[columns.indexOf(name)]))}`)
      .join(', ')
    const code = `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`
    throw new CannotStart(
      `Table ${table.name} has a row with ${key} whose column ${columns[at]} contains ${code}, which the database cannot store. Start Postern with the files, change or delete what this row describes, stop Postern, and migrate again.`,
    )
  }
}
