/**
 * Counts of quotas in PostgreSQL. Each node writes rows of its own, with what it has counted itself: so nothing counts twice when the
 * answer of a statement was lost, and the counts of a node stay when the node is gone.
 *
 * Calendar quotas are counted over all nodes. In an exchange a node reads the rows of the others and writes its own, with the share that
 * it may admit until the next one. One exchange at a time over all nodes, so that no two give away the same rest (`row lock of the turns`).
 */
import {
  type NodeQuota,
  type OtherNodeQuota,
  type QuotaRow,
  type QuotaStore,
  type SharedQuotas,
  toQuotaRow,
} from '../ports/records.ts'
import { type PgClient, SCHEMA } from './connection.ts'
import type { RecordDatabase } from './record-database.ts'
import { LIMITS } from './record-upkeep.ts'

const QUOTAS = `${SCHEMA}.record_quotas`
const TURNS = `${SCHEMA}.record_quota_turns`

/** Only keys of calendar quotas have this letter: all else in them is hexadecimal, a digit, `k`, `r` or a full stop. */
const CALENDAR = "position('q' in key) > 0"
const READ = 'select key, node, period, ends, entered, count, max, cost, share'

/** @param holder of the upkeep: the turns are counted by whichever process does that, or by each while none does */
export function createQuotaStore(database: RecordDatabase, holder: string, node: string): QuotaStore {
  const self = { node }
  return {
    async load() {
      // Rows of a data directory that was moved here belong to the first node
      const { rows } = await database.transaction(async (client) => {
        await client.query(
          `update ${QUOTAS} q set node = $1 where node = '' and not exists (
             select 1 from ${QUOTAS} own where own.key = q.key and own.node = $1)`,
          [self.node],
        )
        return client.query(`select key, period, ends, entered, count from ${QUOTAS} where node = $1`, [
          self.node,
        ])
      })
      return rows.map(toQuotaRow)
    },
    async save(rows) {
      if (rows.length === 0) return
      const saved = rows.map((row) => ({ ...row, max: 0, cost: 0, share: 0 }))
      await database.use((client) => write(client, self.node, saved, `(select exchanges from ${TURNS})`))
    },
    async prune(beforeMs, turnsKept) {
      await database.use((client) =>
        client.query(
          // Nothing is written while there is nothing to forget
          `with turned as (
             update ${TURNS} set turn = turn + 1
               where exists (select 1 from ${QUOTAS}) and exists (
                 select 1 from ${SCHEMA}.record_upkeep
                   where holder = $1 or holder is null or used < clock_timestamp() - interval '10 seconds')
               returning turn)
           delete from ${QUOTAS} q using turned where q.period < $2 and q.turn < turned.turn - $3::bigint`,
          [holder, Math.floor(beforeMs), turnsKept],
        ),
      )
    },
    shared: createSharedQuotas(database, self),
  }
}

/** Rows of others that one exchange is about: more nodes wait for it than this one. */
const PAGE = 1000

/**
 * What a node reads next of the rows of others, which are in the order of the exchange that wrote them, and then of their counters. A row
 * that changes goes to the end: numbers of exchanges rise in the order in which they are committed.
 */
interface Place {
  readonly exchange: number
  /** After this counter; empty for the first one. */
  readonly counter: string
}

const START: Place = { exchange: -1, counter: '' }

function createSharedQuotas(database: RecordDatabase, self: { node: string }): SharedQuotas {
  let place: Place = { exchange: 1, counter: '' }
  return {
    enterAs(node) {
      self.node = node
    },
    async others(nowMs) {
      const { rows } = await database.use((client) =>
        client.query(`${READ} from ${QUOTAS} where node <> $1 and ends > $2 and ${CALENDAR}`, [
          self.node,
          Math.floor(nowMs),
        ]),
      )
      return rows.map(toOther)
    },
    async exchange(keys, isAll, settle) {
      if (keys.length === 0 && !isAll) {
        const { rows } = await database.use((client) => client.query(`select exchanges from ${TURNS}`))
        if (Number(rows[0]?.['exchanges']) < place.exchange) return { stored: [], isMore: false }
      }
      const done = await database.transaction(async (client) => {
        await client.query(LIMITS)
        const turns = await client.query(`select exchanges from ${TURNS} where id = 1 for update`)
        const last = Number(turns.rows[0]?.['exchanges'])
        const isReset = place.exchange > last + 1
        const { counters, next } = await readChanged(client, self.node, isAll || isReset ? START : place)
        const others = await readOthers(client, self.node, [...keys.map(counterOf), ...counters])
        const stored = settle(others)
        const number = stored.length === 0 ? last : last + 1
        if (stored.length > 0) {
          await client.query(`update ${TURNS} set exchanges = $1 where id = 1`, [number])
          await write(client, self.node, stored, String(number))
        }
        return { stored, isMore: next !== null, place: next ?? { exchange: number + 1, counter: '' } }
      })
      place = done.place
      return done
    },
    async adopt(live) {
      const { rows } = await database.use((client) =>
        client.query(
          `delete from ${QUOTAS} where not (node = any ($1::text[])) and not ${CALENDAR}
             returning key, period, ends, entered, count`,
          [live],
        ),
      )
      return rows.map(toQuotaRow)
    },
  }
}

/** The counters of the next rows of other nodes, and where the rows after them begin; null where there are none. */
async function readChanged(
  client: PgClient,
  node: string,
  { exchange, counter }: Place,
): Promise<{ readonly counters: readonly string[]; readonly next: Place | null }> {
  const { rows } = await client.query(
    `select changed, left(key, -2) as counter from ${QUOTAS}
       where node <> $1 and ${CALENDAR} and changed >= $2 and (changed > $2 or left(key, -2) > $3)
       order by changed, left(key, -2) limit ${PAGE}`,
    [node, exchange, counter],
  )
  const last = rows.length < PAGE ? undefined : rows.at(-1)
  return {
    counters: rows.map((row) => String(row['counter'])),
    next: last === undefined ? null : { exchange: Number(last['changed']), counter: String(last['counter']) },
  }
}

/** All rows that other nodes have of counters. */
async function readOthers(
  client: PgClient,
  node: string,
  counters: readonly string[],
): Promise<OtherNodeQuota[]> {
  const { rows } = await client.query(
    `${READ} from ${QUOTAS} where node <> $1 and ${CALENDAR} and left(key, -2) = any ($2::text[])`,
    [node, [...new Set(counters)]],
  )
  return rows.map(toOther)
}

/** What a key counts, without the period. */
function counterOf(key: string): string {
  return key.slice(0, -2)
}

/** @param changed expression of the number of the exchange */
async function write(
  client: PgClient,
  node: string,
  rows: readonly NodeQuota[],
  changed: string,
): Promise<void> {
  const columns = (['period', 'ends', 'entered', 'count', 'max', 'cost', 'share'] as const).map((name) =>
    rows.map((row) => row[name]),
  )
  await client.query(
    // In one order, so that two processes do not wait for each other
    `insert into ${QUOTAS} (key, node, period, ends, entered, count, max, cost, share, turn, changed)
       select v.key, $1, v.period, v.ends, v.entered, v.count, v.max, v.cost, v.share,
           (select turn from ${TURNS}), ${changed}
         from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
           as v (key, period, ends, entered, count, max, cost, share) order by 1
       on conflict (key, node) do update set period = excluded.period, ends = excluded.ends, entered = excluded.entered,
         count = excluded.count, max = excluded.max, cost = excluded.cost, share = excluded.share,
         turn = excluded.turn, changed = excluded.changed`,
    [node, rows.map(({ key }) => key), ...columns],
  )
}

function toOther(row: Readonly<Record<string, unknown>>): OtherNodeQuota {
  const quota: QuotaRow = toQuotaRow(row)
  const number = (name: string): number => Number(row[name])
  return {
    ...quota,
    node: String(row['node']),
    max: number('max'),
    cost: number('cost'),
    share: number('share'),
  }
}
