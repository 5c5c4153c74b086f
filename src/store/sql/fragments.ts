import type { Kysely } from 'kysely'
import { yieldThread } from '../../base/threads/time-slices.ts'
import {
  type FragmentReader,
  type FragmentWriter,
  type StoredFragment,
  TOMBSTONES_MAX,
} from '../ports/config.ts'
import { type ConfigTables, IDS_MAX, ROWS_MAX } from './tables.ts'

type Db = Kysely<ConfigTables>
type Row = ConfigTables['fragments']

/** Names what compiled all fragments; empty while some may be of another compiler, or may not be what the configuration compiles to. */
const COMPILER = 'fragments_compiler'
/** Before the name of a compiler: the last revision whose fragments it has put. Kept while fragments are of several compilers. */
const PUT_BY = 'fragments_put_by '
/** The revision up to which tombstones are gone. */
const PRUNED = 'fragments_pruned'

type Meta = (name: string) => Promise<string | undefined>
type SetMeta = (name: string, value: string) => Promise<void>

/** Reads fragments. @param meta reads a value of the table `meta` */
export function createFragmentReader(db: Db, meta: Meta): FragmentReader {
  return {
    fragments: async (compiler, after, limit) => {
      if ((await meta(COMPILER)) !== compiler) return null
      const rows = await db
        .selectFrom('fragments')
        .selectAll()
        .where('json', 'is not', null)
        .where('key', '>', after)
        .orderBy('key')
        .limit(limit)
        .execute()
      return rows.filter(isLive).map(toStored)
    },
    fragmentHashes: async (compiler, form) => {
      if ((await meta(COMPILER)) !== compiler) return null
      const rows = await db
        .selectFrom('fragments')
        .select(['key', 'hash', 'form'])
        .where('json', 'is not', null)
        .execute()
      const known = rows.flatMap(({ key, hash, form: its }) =>
        hash === null || its !== form ? [] : [{ key, hash }],
      )
      return known.length === rows.length ? known : null
    },
    fragmentsSince: async (after, compiler) => {
      // First: what is committed after it is told with the revision of its own
      const revision = Number((await meta('config_revision')) ?? 0)
      const rows = await rowsSince(db, after)
      // Last: no tombstone may go between
      if (Number((await meta(PRUNED)) ?? 0) > after) return null
      if (compiler !== undefined && (await othersSince(db, meta, compiler, revision)) > after) return null
      const put: StoredFragment[] = []
      const drop: string[] = []
      for (const row of rows) {
        if (isLive(row)) put.push(toStored(row))
        else drop.push(row.key)
        await yieldThread(1)
      }
      return { revision: Math.max(revision, rows.at(-1)?.revision ?? 0), put, drop }
    },
  }
}

/** The last revision that another compiler may have put fragments for; 0 where all are of this one. @param revision the present one */
async function othersSince(db: Db, meta: Meta, compiler: string, revision: number): Promise<number> {
  const whole = (await meta(COMPILER)) ?? ''
  if (whole === compiler) return 0
  return whole === '' ? putByOthers(db, compiler) : revision
}

/** The last revision for which another compiler has put fragments, of those that are noted; 0 for none. */
async function putByOthers(db: Db, compiler: string): Promise<number> {
  const rows = await db
    .selectFrom('meta')
    .select('value')
    .where('name', 'like', `${PUT_BY}%`)
    .where('name', '!=', PUT_BY + compiler)
    .execute()
  return Math.max(0, ...rows.map(({ value }) => Number(value)))
}

/** Characters of fragments after which the next one is read alone. */
const PAGE_CHARS = 1024 ** 2

/**
 * What has changed since a revision, page by page: the fragment of a large collection alone takes a while to read. What another process
 * changes meanwhile comes on a later page, with its own revision.
 */
async function rowsSince(db: Db, revision: number): Promise<Row[]> {
  const rows = new Map<string, Row>()
  let last: Row | undefined
  for (let limit = 1; ; ) {
    let query = db
      .selectFrom('fragments')
      .selectAll()
      .where('revision', '>=', last?.revision ?? revision + 1)
    if (last !== undefined) {
      const { key, revision } = last
      query = query.where((eb) => eb.or([eb('revision', '>', revision), eb('key', '>', key)]))
    }
    const page = await query.orderBy('revision').orderBy('key').limit(limit).execute()
    let chars = 0
    for (const row of page) {
      // The later one counts
      rows.delete(row.key)
      rows.set(row.key, row)
      chars += row.json?.length ?? 0
    }
    last = page.at(-1)
    if (page.length < limit) return [...rows.values()]
    limit = chars > PAGE_CHARS ? 1 : Math.min(2 * limit, ROWS_MAX)
    await yieldThread(1)
  }
}

/** Stores fragments inside of the transaction that `db` is. */
export function createFragmentWriter(db: Db, meta: Meta, setMeta: SetMeta): FragmentWriter {
  async function put(rows: readonly Row[]): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_MAX) {
      await db
        .insertInto('fragments')
        .values(rows.slice(at, at + ROWS_MAX))
        .onConflict((conflict) =>
          conflict.column('key').doUpdateSet((eb) => ({
            hash: eb.ref('excluded.hash'),
            revision: eb.ref('excluded.revision'),
            form: eb.ref('excluded.form'),
            json: eb.ref('excluded.json'),
          })),
        )
        .execute()
      await yieldThread(1)
    }
  }

  /** Of those that are there. */
  async function hashes(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>()
    for (let at = 0; at < keys.length; at += IDS_MAX) {
      const some = keys.slice(at, at + IDS_MAX)
      const rows = await db.selectFrom('fragments').select(['key', 'hash']).where('key', 'in', some).execute()
      for (const { key, hash } of rows) if (hash !== null) found.set(key, hash)
      await yieldThread(1)
    }
    return found
  }

  /** Removes the oldest tombstones beyond the bound. Those of the present revision stay: nobody has read them yet. */
  async function prune(revision: number): Promise<void> {
    const first = await db
      .selectFrom('fragments')
      .select('revision')
      .where('json', 'is', null)
      .orderBy('revision', 'desc')
      .offset(TOMBSTONES_MAX)
      .limit(1)
      .executeTakeFirst()
    if (first === undefined) return
    const upTo = Math.min(first.revision, revision - 1)
    const { numDeletedRows } = await db
      .deleteFrom('fragments')
      .where('json', 'is', null)
      .where('revision', '<=', upTo)
      .executeTakeFirst()
    if (numDeletedRows > 0n) await setMeta(PRUNED, String(upTo))
  }

  /**
   * Notes who puts fragments, where others have put some.
   * @returns whether fragments are of several compilers. Then a process of this one holds others than those that are stored
   */
  async function noteCompiler(revision: number, compiler: string): Promise<boolean> {
    const whole = (await meta(COMPILER)) ?? ''
    if (whole === compiler) return false
    if (whole !== '') {
      await setMeta(PUT_BY + whole, String(revision - 1))
      await setMeta(COMPILER, '')
    }
    await setMeta(PUT_BY + compiler, String(revision))
    return (await putByOthers(db, compiler)) > 0
  }

  return {
    putFragments: async (revision, changes, compiler) => {
      const isMixed = compiler !== undefined && (await noteCompiler(revision, compiler))
      const known = await hashes([...changes.put.map(({ key }) => key), ...changes.drop])
      const tombstones = changes.drop
        .filter((key) => isMixed || known.has(key))
        .map((key) => ({ key, hash: null, revision, form: 0, json: null }))
      const changed = changes.put.filter(({ key, hash }) => isMixed || known.get(key) !== hash)
      await put([...changed.map((one) => ({ ...one, revision })), ...tombstones])
      if (tombstones.length > 0) await prune(revision)
    },
    replaceFragments: async (revision, fill) => {
      await db.deleteFrom('fragments').execute()
      const compiler = await fill((some) => put(some.map((one) => ({ ...one, revision }))))
      await setMeta(PRUNED, String(revision))
      await setMeta(COMPILER, compiler ?? '')
      await db.deleteFrom('meta').where('name', 'like', `${PUT_BY}%`).execute()
    },
    doubtFragments: () => setMeta(COMPILER, ''),
  }
}

function isLive(row: Row): row is Row & { hash: string; json: string } {
  return row.hash !== null && row.json !== null
}

function toStored({ key, hash, form, json }: Row & { hash: string; json: string }): StoredFragment {
  return { key, hash, form, json }
}
