/** Nodes as rows of PostgreSQL, and what the database tells them (LISTEN and NOTIFY). */
import type { DatabaseAddress } from '../../../base/net/database-url.ts'
import {
  type EventTable,
  LIVE_MS,
  type NodeFacts,
  type NodeNotices,
  type NodeRow,
  type NodeRows,
  type NodeTable,
} from '../../ports/nodes.ts'
import { openPool, type PgClient, SCHEMA } from '../connection.ts'
import type { SharedDatabase } from './database.ts'

/** Channels of notices. That of revisions is named by a trigger of the configuration too. */
const CHANNELS = { revision: 'postern_revision', nodes: 'postern_nodes', event: 'postern_event' } as const

const TABLE = `${SCHEMA}.shared_nodes`

/** All rows; one row without an id where there are none. */
const ALL = `select id, epoch, name, facts, revision, ended, is_draining, counted, extract(epoch from joined_at) * 1000 as joined_at,
    extract(epoch from seen_at) * 1000 as seen_at, extract(epoch from clock_timestamp()) * 1000 as now
  from (select) as once left join ${TABLE} on true order by name, id`

/** @param direct for notices: a server itself, past a pooler that gives each transaction another session */
export function createNodeTable(database: SharedDatabase, direct: DatabaseAddress): NodeTable {
  return {
    async join(id, name, place, { facts, held, counted }) {
      const [row] = await database.query(
        `with joined as (
          insert into ${TABLE} as it (id, epoch, name, place, facts, revision, ended, is_draining, counted, seen_at, joined_at)
          values ($1, (extract(epoch from clock_timestamp()) * 1000)::bigint, $2, $3, $4, $5, $6, false, $7, clock_timestamp(), clock_timestamp())
          on conflict (id) do update set epoch = excluded.epoch, name = excluded.name, place = excluded.place, facts = excluded.facts,
            revision = excluded.revision, ended = excluded.ended, is_draining = false, counted = excluded.counted, seen_at = excluded.seen_at, joined_at = excluded.joined_at
          where it.place = excluded.place or it.seen_at < clock_timestamp() - interval '${LIVE_MS} milliseconds'
          returning epoch
        ) select epoch, pg_notify('${CHANNELS.nodes}', '') from joined`,
        [id, name, place, JSON.stringify(facts), held.revision, held.ended, JSON.stringify(counted)],
      )
      return row === undefined ? null : Number(row['epoch'])
    },
    async beat({ id, epoch }, { facts, held, counted, isNews }) {
      const rows = await database.query(
        `with beaten as (
          update ${TABLE} set facts = $3, revision = greatest(revision, $4), ended = greatest(ended, $5), counted = $6, seen_at = clock_timestamp() where id = $1 and epoch = $2 returning id
        ) select id, case when $7 then pg_notify('${CHANNELS.nodes}', '') end from beaten`,
        [id, epoch, JSON.stringify(facts), held.revision, held.ended, JSON.stringify(counted), isNews],
      )
      return rows.length === 1
    },
    async all() {
      return toNodes(await database.query(ALL))
    },
    async acknowledge({ id, epoch }, held) {
      await database.query(
        `with told as (
          update ${TABLE} set revision = greatest(revision, $3), ended = greatest(ended, $4), seen_at = clock_timestamp() where id = $1 and epoch = $2 returning id
        ) select pg_notify('${CHANNELS.nodes}', '') from told`,
        [id, epoch, held.revision, held.ended],
      )
    },
    async wake() {
      await database.query(`select pg_notify('${CHANNELS.revision}', '')`)
    },
    async drain(id, isDraining) {
      const rows = await database.query(
        `with drained as (update ${TABLE} set is_draining = $2 where id = $1 returning id)
        select pg_notify('${CHANNELS.nodes}', '') from drained`,
        [id, isDraining],
      )
      return rows.length === 1
    },
    async remove(id, epoch) {
      const rows = await database.query(
        `with removed as (delete from ${TABLE} where id = $1 and case when $2::bigint is null then seen_at < clock_timestamp() - interval '${LIVE_MS} milliseconds' else epoch = $2 end returning id)
        select pg_notify('${CHANNELS.nodes}', '') from removed`,
        [id, epoch],
      )
      return rows.length === 1
    },
    async listen(notices, lost) {
      let isOver = false
      const pool = await openPool(direct, 1, () => {})
      const over = (): void => {
        if (isOver) return
        isOver = true
        lost()
      }
      let client: PgClient | null = null
      const close = async (): Promise<void> => {
        isOver = true
        // The pool waits for it
        client?.release(true)
        await pool.end()
      }
      try {
        const opened = await pool.connect()
        client = opened
        opened.on('notification', ({ channel, payload = '' }) => {
          if (channel === CHANNELS.revision) notices.revision()
          else if (channel === CHANNELS.event) notices.event(toEvent(payload))
          else notices.nodes()
        })
        opened.on('error', over)
        opened.on('end', over)
        await opened.query(
          Object.values(CHANNELS)
            .map((channel) => `listen ${channel}`)
            .join('; '),
        )
        return {
          async look() {
            await opened.query('select 1').catch(over)
          },
          close,
        }
      } catch (error) {
        await close()
        throw error
      }
    },
  }
}

/** Characters of a notice: PostgreSQL allows less than 8,000 bytes. */
const NOTICE_CHARS_MAX = 7500
/** How long rows of events are kept. */
const EVENTS_KEPT = '10 minutes'

export function createEventTable(database: SharedDatabase): EventTable {
  return {
    async add(node, sealed) {
      const text = Buffer.from(sealed).toString('base64')
      await database.query(
        `with counted as (update ${SCHEMA}.shared_event_number set last = last + 1 returning last),
        added as (insert into ${SCHEMA}.shared_events (number, node, sealed, at) select last, $1, $2, clock_timestamp() from counted returning number)
        select pg_notify('${CHANNELS.event}', number || ' ' || $1::text || ' ' || $3::text) from added`,
        [node, Buffer.from(sealed), text.length <= NOTICE_CHARS_MAX ? text : ''],
      )
    },
    async last() {
      const [row] = await database.query(`select last from ${SCHEMA}.shared_event_number`)
      return Number(row?.['last'] ?? 0)
    },
    async after(number, max) {
      const rows = await database.query(
        `select number, node, sealed from ${SCHEMA}.shared_events where number > $1 order by number limit $2`,
        [number, max],
      )
      return rows.map((row) => ({
        number: Number(row['number']),
        node: String(row['node']),
        sealed: row['sealed'] as Uint8Array,
      }))
    },
    async sweep() {
      await database.query(
        `delete from ${SCHEMA}.shared_events where at < clock_timestamp() - interval '${EVENTS_KEPT}'`,
      )
    },
  }
}

function toEvent(payload: string): Parameters<NodeNotices['event']>[0] {
  const [number = '', node = '', sealed = ''] = payload.split(' ')
  return { number: Number(number), node, sealed: sealed === '' ? null : Buffer.from(sealed, 'base64') }
}

/** Nodes of a database whose tables may not be there. */
export async function nodesIn(client: Pick<PgClient, 'query'>): Promise<readonly NodeRow[]> {
  const { rows } = await client.query('select to_regclass($1) is not null as known', [TABLE])
  return rows[0]?.['known'] === true ? toNodes((await client.query(ALL)).rows).rows : []
}

function toNodes(rows: readonly Readonly<Record<string, unknown>>[]): NodeRows {
  const now = Number(rows[0]!['now'])
  return { rows: rows.filter(({ id }) => id !== null).map((row) => toNode(row, now)), now }
}

function toNode(row: Readonly<Record<string, unknown>>, now: number): NodeRow {
  return {
    id: String(row['id']),
    epoch: Number(row['epoch']),
    name: String(row['name']),
    facts: JSON.parse(String(row['facts'])) as NodeFacts,
    held: { revision: Number(row['revision']), ended: Number(row['ended']) },
    isDraining: row['is_draining'] === true,
    silentMs: Math.max(0, Math.round(now - Number(row['seen_at']))),
    joinedAt: Math.round(Number(row['joined_at'])),
    counted: JSON.parse(String(row['counted'])) as readonly string[],
  }
}
