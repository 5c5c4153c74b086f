/**
 * Claim: metrics over 30 days at 1,000 requests a second answer in under 200 ms from rollups. Also tells what counting a record costs
 * the recorder.
 */
import { performance } from 'node:perf_hooks'
import { createBatchWriter } from '../src/record/batch.ts'
import { toBlock } from '../src/record/block.ts'
import type { MetricsGrouping, MetricsQuestion } from '../src/record/metrics.ts'
import { measureRolled } from '../src/record/rollup/answer.ts'
import { type Cell, countsIn, encodeShard, mergeCell } from '../src/record/rollup/codec.ts'
import { stepOf } from '../src/record/rollup/histogram.ts'
import { RollupKeeper, TIERS } from '../src/record/rollup/keeper.ts'
import { FACETS, type FacetName, SEPARATOR, shardOf } from '../src/record/rollup/sum.ts'
import type { RollupRow } from '../src/store/ports/records.ts'
import { openRecordReader } from '../src/store/sqlite/record-reader.ts'
import { openRecordStore } from '../src/store/sqlite/records.ts'
import { recordFields } from '../test/programs/record-fields.ts'
import { type Random, seeded } from '../test/support/planted-values.ts'
import type { Outcome } from './measure/results.ts'
import { scratchDirectory } from './measure/scratch.ts'

const BAR_MS = 200
const PER_SECOND = 1000
const DAYS = 30
const ENDPOINTS = 2000
const COLLECTIONS = 50
const CLIENTS = 500
const AGENTS = 20
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOW = Date.parse('2026-03-10T12:34:56Z')
const ROUNDS = 5
const COUNTED_ROWS = 60_000

/** One cell with so many requests: most answered quickly, some late, some not found, some failed. */
function cellOf(random: Random, requests: number, isTimed: boolean): Cell {
  const cell: Cell = new Map()
  const parts = [
    [200, 0.93],
    [404, 0.05],
    [502, 0.02],
  ] as const
  for (const [status, part] of parts) {
    const count = Math.round(requests * part)
    if (count === 0) continue
    const counts = countsIn(cell, status)
    Object.assign(counts, {
      requests: count,
      bytesIn: count * 300,
      bytesOut: count * 2100,
      agents: count >> 3,
    })
    const middle = 5 + random() * 40
    for (let i = 0; i < Math.min(count, 60); i++) {
      const ms = middle * Math.exp((random() + random() + random() - 1.5) * 2)
      const times = Math.ceil(count / 60)
      for (const [name, took] of [
        ['duration', ms],
        ['upstream', ms * 0.9],
        ['gateway', 0.2 + ms * 0.02],
      ] as const)
        if (isTimed || name === 'duration')
          counts[name].set(stepOf(took), (counts[name].get(stepOf(took)) ?? 0) + times)
    }
    if (status !== 200) counts.codes.set(1, count)
  }
  return cell
}

/** The values of each facet. */
function valuesOf(): Record<FacetName, readonly string[]> {
  const many = (count: number, name: string): string[] =>
    Array.from({ length: count }, (_, at) => `${name}_${at}`)
  return {
    all: [''],
    collection: many(COLLECTIONS, 'col'),
    endpoint: many(ENDPOINTS, 'prx').map((proxy, at) =>
      [proxy, `col_${at % COLLECTIONS}`, 'GET', `/collection-${at % COLLECTIONS}/resources/${at}/{id}`].join(
        SEPARATOR,
      ),
    ),
    // Each may call three collections
    client: many(CLIENTS, 'cli').flatMap((client, at) =>
      [0, 1, 2].map((step) => `${client + SEPARATOR}col_${(at + step) % COLLECTIONS}`),
    ),
    agent: many(AGENTS, 'agent'),
    method: ['GET', 'POST', 'PUT', 'DELETE'],
    surface: ['0', '1', '2'],
    virtual_mcp: many(10, 'vmc'),
    origin: many(10, 'org'),
    profile: many(CLIENTS * 2, 'pro'),
  }
}

/** Shards of one hour, and of 24 such hours; hours of one load are alike. */
function shardsOf(
  words: Map<string, number>,
): Record<'hour' | 'day', Omit<RollupRow, 'widthMs' | 'startMs'>[]> {
  const random = seeded(20_26)
  const made = {
    hour: [] as Omit<RollupRow, 'widthMs' | 'startMs'>[],
    day: [] as Omit<RollupRow, 'widthMs' | 'startMs'>[],
  }
  const values = valuesOf()
  for (const facet of FACETS) {
    const shards = Array.from({ length: facet.shards }, () => ({
      hour: new Map<number, Cell>(),
      day: new Map<number, Cell>(),
    }))
    const all = values[facet.name]
    for (const value of all) {
      const cell = cellOf(random, Math.round((PER_SECOND * 3600) / all.length), facet.isTimed)
      const day: Cell = new Map()
      for (let hour = 0; hour < 24; hour++) mergeCell(day, cell)
      if (!words.has(value)) words.set(value, words.size + 1)
      const shard = shards[shardOf(facet, value)]!
      shard.hour.set(words.get(value)!, cell)
      shard.day.set(words.get(value)!, day)
    }
    for (const [shard, { hour, day }] of shards.entries()) {
      made.hour.push({ facet: facet.id, shard, data: encodeShard(hour) })
      made.day.push({ facet: facet.id, shard, data: encodeShard(day) })
    }
  }
  return made
}

const QUESTIONS: readonly (readonly [string, MetricsGrouping, MetricsQuestion['selection']])[] = [
  ['overview', 'all', {}],
  ['overview of a collection', 'all', { collection: 'col_7' }],
  ['overview of a proxy', 'all', { proxy: 'prx_7' }],
  ['overview of a client', 'all', { client: 'cli_7' }],
  ['overview of an agent', 'all', { agent_name: 'agent_7' }],
  ['overview of status 5xx', 'all', { status: '5xx' }],
  ['status codes', 'status', {}],
  ['methods', 'method', {}],
  ['top endpoints', 'endpoint', {}],
  ['top endpoints of a collection', 'endpoint', { collection: 'col_7' }],
  ['top collections', 'collection', {}],
  ['top clients', 'client', {}],
  ['top agents', 'agent', {}],
  ['over time', 'time', {}],
  ['over time of a collection', 'time', { collection: 'col_7' }],
  ['over time of a proxy', 'time', { proxy: 'prx_7' }],
  ['over time of a client', 'time', { client: 'cli_7' }],
]

export async function metrics(quick: boolean): Promise<Outcome> {
  using scratch = scratchDirectory()
  const path = `${scratch.path}/records.db`
  const store = openRecordStore(path)
  const words = new Map<string, number>([['upstream_unreachable', 1]])
  const { hour, day } = shardsOf(words)
  const days = quick ? 3 : DAYS
  await store.rollups.save(
    { rows: [], words: [...words].map(([text, id]) => [id, text] as const), uncarried: [], carried: [] },
    [],
  )
  const [, { widthMs: hourMs }, { widthMs: dayMs }] = TIERS as [
    unknown,
    { widthMs: number },
    { widthMs: number },
  ]
  const today = Math.floor(NOW / DAY_MS) * DAY_MS
  for (let start = today - (days + 1) * DAY_MS; start < NOW; start += DAY_MS) {
    const hours = Array.from({ length: 24 }, (_, at) => start + at * HOUR_MS).filter(
      (startMs) => startMs < NOW,
    )
    const rows = [
      ...day.map((shard) => ({ ...shard, widthMs: dayMs, startMs: start })),
      ...hours.flatMap((startMs) => hour.map((shard) => ({ ...shard, widthMs: hourMs, startMs }))),
    ]
    await store.rollups.save({ rows, words: [], uncarried: [], carried: [] }, [])
  }
  const reader = openRecordReader(path)
  const crowded = { ...reader, rowsWithin: async () => Number.POSITIVE_INFINITY }
  const clock = { now: () => NOW }
  // Whole hours: these are the only rollups that were made
  const to = Math.floor(NOW / HOUR_MS) * HOUR_MS
  const time = { from: new Date(to - days * DAY_MS).toISOString(), to: new Date(to).toISOString() }
  const rows: (string | number)[][] = []
  for (const [name, by, selection] of QUESTIONS) {
    const took: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const begun = performance.now()
      const question = {
        by,
        selection: { ...selection, ...time },
        bucketMs: 6 * HOUR_MS,
        order: 'requests' as const,
        limit: 10,
      }
      const answer = await measureRolled(crowded, clock, question)
      took.push(performance.now() - begun)
      if (answer === null || answer.groups.length === 0) throw new Error(`no rollup answers "${name}"`)
    }
    took.sort((a, b) => a - b)
    rows.push([name, Math.round(took[ROUNDS >> 1]!), Math.round(took.at(-1)!)])
  }
  const worst = Math.max(...rows.map(([, median]) => Number(median)))
  await reader.close()
  await store.close()
  return {
    name: 'metrics',
    title: `Metrics over ${days} days at ${PER_SECOND} requests a second: ${ENDPOINTS} endpoints, ${COLLECTIONS} collections, ${CLIENTS} clients`,
    bar: `each answers in under ${BAR_MS} ms`,
    met: worst < BAR_MS,
    comparisons: [],
    tables: [{ columns: ['question', 'median, ms', 'slowest of five, ms'], rows }],
    facts: {
      'bytes of the rollups of an hour': hour.reduce((sum, { data }) => sum + data.byteLength, 0),
      'bytes of the rollups of a day': day.reduce((sum, { data }) => sum + data.byteLength, 0),
      ...(await countingCost(`${scratch.path}/counting.db`)),
    },
  }
}

/** What counting costs the recorder for each record: of many endpoints and clients, 15 seconds at a time. */
async function countingCost(path: string): Promise<Record<string, number>> {
  const random = seeded(7)
  const store = openRecordStore(path)
  const keeper = new RollupKeeper(store, () => NOW)
  let spent = 0
  const step = PER_SECOND * 15
  for (let at = 0; at < COUNTED_ROWS; at += step) {
    for (let block = 0; block < 15; block++) {
      const writer = createBatchWriter(PER_SECOND)
      for (let row = 0; row < PER_SECOND; row++) {
        const endpoint = Math.floor(random() * ENDPOINTS)
        writer.add(
          recordFields({
            id: `r${at}-${block}-${row}`,
            timeMs: NOW - COUNTED_ROWS + at + block * PER_SECOND + row,
            proxy: `prx_${endpoint}`,
            collection: `col_${endpoint % COLLECTIONS}`,
            route: `/resources/${endpoint}`,
            // Each client calls three collections
            client: `cli_${(CLIENTS + endpoint - Math.floor(random() * 3) - COLLECTIONS * Math.floor(random() * 10)) % CLIENTS}`,
            durationMs: random() * 100,
            upstreamMs: random() * 90,
          }),
        )
      }
      await store.append([toBlock(writer.take())])
    }
    const begun = process.cpuUsage()
    while (!(await keeper.step()));
    const { user, system } = process.cpuUsage(begun)
    spent += user + system
  }
  await store.close()
  return { 'CPU for counting a record, µs': Math.round((spent / COUNTED_ROWS) * 10) / 10 }
}
