/** What rollups count, over a store of any engine: the same as reading the records does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBatchWriter } from '../../src/record/batch.ts'
import { toBlock } from '../../src/record/block.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import { RemovalRun } from '../../src/record/ingest.ts'
import { type MetricsGroup, type MetricsQuestion, measure } from '../../src/record/metrics.ts'
import { measureRolled } from '../../src/record/rollup/answer.ts'
import { RollupKeeper } from '../../src/record/rollup/keeper.ts'
import type { RecordBlock, RecordReader } from '../../src/store/ports/records.ts'
import { recordFields } from '../programs/record-fields.ts'
import type { RecordPlace } from './record-suite.ts'

const NOW = Date.parse('2026-03-10T12:34:56Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Milliseconds that the clock of a test is ahead. */
let ahead = 0
const clock = { now: () => NOW + ahead, monotonic: () => performance.now() }
const iso = (ms: number): string => new Date(ms).toISOString()

const few = (...words: string[]) => fc.constantFrom(...words)
const records = fc.array(
  fc.record({
    // Over four days, so that minutes, hours and days all take part, and much of it in the last minutes, which hours count later
    timeMs: fc.oneof(
      fc.integer({ min: NOW - 4 * DAY, max: NOW }),
      fc.integer({ min: NOW - 10 * 60_000, max: NOW }),
    ),
    surface: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
    method: few('GET', 'POST', 'DELETE'),
    endpoint: fc.constantFrom<readonly [string, string, string]>(
      ['', '', ''],
      ['prx_1', 'col_1', '/orders'],
      ['prx_2', 'col_1', '/orders/{id}'],
      ['prx_3', 'col_2', '/pay'],
    ),
    client: few('', 'cli_1', 'cli_2', 'cli_3'),
    profile: few('', 'pro_1', 'pro_2'),
    agentName: few('', 'claude-code', 'codex'),
    status: fc.constantFrom(0, 101, 200, 201, 404, 429, 502),
    code: few('', 'route_not_found', 'upstream_unreachable'),
    durationMs: fc.integer({ min: 1, max: 5000 }),
    upstreamMs: fc.constantFrom(-1, 1),
    bytesIn: fc.constantFrom(-1, 0, 10),
    bytesOut: fc.integer({ min: 0, max: 1e9 }),
    aborted: fc.boolean(),
    isStream: fc.boolean(),
    count: fc.constantFrom(1, 1, 1, 40),
  }),
  { minLength: 1, maxLength: 80 },
)
type Made = (typeof records extends fc.Arbitrary<infer A> ? A : never)[number]

function toRecord(
  { endpoint: [proxy, collection, route], agentName, ...rest }: Made,
  at: number,
): RecordFields {
  const none = { version: '', sessionId: '', conversationId: '', mcpMethod: '', tool: '', mcpRequestId: '' }
  const agent = agentName === '' ? null : { ...none, name: agentName, reason: '' }
  return recordFields({ ...rest, proxy, collection, route, agent, id: `r${at}` })
}

const ROW: Made = {
  ...{
    timeMs: NOW,
    surface: 0,
    method: 'GET',
    endpoint: ['', '', ''],
    client: '',
    profile: '',
    agentName: '',
  },
  ...{ status: 200, code: '', durationMs: 1, upstreamMs: -1, bytesIn: 0, bytesOut: 0 },
  ...{ aborted: false, isStream: false, count: 1 },
}

function blockOf(list: readonly RecordFields[]): RecordBlock {
  const writer = createBatchWriter(list.length)
  for (const record of list) writer.add(record)
  return toBlock(writer.take())
}

const question = (members: Partial<MetricsQuestion> & { by: MetricsQuestion['by'] }): MetricsQuestion => ({
  selection: {},
  bucketMs: 6 * HOUR,
  order: 'key',
  limit: 10_000,
  ...members,
})

/** As if there were too many records to read. */
function crowded(reader: RecordReader): RecordReader {
  return { ...reader, rowsWithin: async () => Number.POSITIVE_INFINITY }
}

function exact({ duration, upstream, gateway, clients, ...counts }: MetricsGroup) {
  return counts
}

function assertNear(rolled: MetricsGroup, read: MetricsGroup, message: string): void {
  for (const name of ['duration', 'upstream', 'gateway'] as const)
    for (const part of ['p50', 'p95', 'p99'] as const) {
      // Rollups of facets with many values have no times of upstream and gateway
      if (name !== 'duration' && rolled[name] === null) continue
      const [a, b] = [rolled[name]?.[part] ?? null, read[name]?.[part] ?? null]
      if (b === null) assert.equal(a, null, message)
      // The read one is itself within 2 %
      else assert.ok(Math.abs(a! - b) <= b * 0.07, `${message}: ${name} ${part} is ${a}, read ${b}`)
    }
}

const SELECTIONS: readonly MetricsQuestion['selection'][] = [
  {},
  { status: '4xx,200' },
  { collection: 'col_1' },
  { collections: ['col_1', 'col_2'] },
  { proxy: 'prx_2', status: '5xx' },
  { client: 'cli_2' },
  { client: 'cli_1', collection: 'col_2' },
  { profile: 'pro_2' },
  { method: 'POST' },
  { agent_name: 'codex' },
  { method: 'GET', collection: 'col_1' },
  { surface: 'agent' },
  { surface: 'virtual_mcp' },
]
const GROUPINGS = [
  'all',
  'status',
  'method',
  'endpoint',
  'time',
  'collection',
  'proxy',
  'client',
  'agent',
  'profile',
] as const

/** Declares the tests for an engine. @param name stands before the name of each test @param numRuns of each property */
export function rollupSuite(name: string, make: () => Promise<RecordPlace>, numRuns = 25): void {
  /** A store with these records in blocks of some rows. */
  async function storeOf(list: readonly RecordFields[], blockRows: number) {
    const place = await make()
    const store = await place.open()
    for (let at = 0; at < list.length; at += blockRows) {
      await store.append([blockOf(list.slice(at, at + blockRows))])
    }
    const keeper = new RollupKeeper(store, clock.now)
    return { store, keeper, reader: await place.openReader() }
  }

  test(`${name}: rollups count exactly what reading the same records counts, with percentiles within 5 %`, async () => {
    await fc.assert(
      fc.asyncProperty(
        records,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom(0, 3 * 60_000, 30 * 60_000),
        async (made, blockRows, left, _carriedAfter) => {
          ahead = 0
          const list = made.map(toRecord)
          const { store, keeper, reader } = await storeOf(
            list.slice(0, Math.max(1, list.length - left)),
            blockRows,
          )
          while (!(await keeper.step()));
          // These are not counted yet
          for (const record of list.slice(Math.max(1, list.length - left))) {
            const writer = createBatchWriter(1)
            writer.add(record)
            await store.append([toBlock(writer.take())])
          }
          let answered = 0
          for (const selection of SELECTIONS)
            for (const by of GROUPINGS) {
              const time = { from: iso(NOW - 3 * DAY - 7 * HOUR - 11), to: iso(NOW - 90_001) }
              const asked = question({ by, selection: { ...selection, ...time } })
              const rolled = await measureRolled(crowded(reader), clock, asked)
              if (rolled === null) continue
              answered++
              const { fromMs, toMs } = rolled.rolled!
              assert.ok(fromMs <= Date.parse(time.from) && toMs >= Date.parse(time.to))
              const whole = { ...asked.selection, from: iso(fromMs), to: iso(toMs) }
              const read = await measure(reader, clock, { ...asked, selection: whole })
              const message = `${by} ${JSON.stringify(selection)}`
              assert.deepEqual(rolled.groups.map(exact), read.groups.map(exact), message)
              for (const [at, group] of rolled.groups.entries()) assertNear(group, read.groups[at]!, message)
              const [all] = rolled.groups
              if (by === 'all' && all !== undefined && all.clients !== null)
                assert.equal(all.clients, read.groups[0]?.clients, message)
            }
          assert.ok(answered > 60, String(answered))
          await reader.close()
          await store.close()
        },
      ),
      { numRuns },
    )
  })

  test(`${name}: records that are deleted are not counted any more, whether they were counted before or not`, async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.boolean(), fc.boolean(), async (made, isCounted, isCarried) => {
        ahead = 0
        const { store, keeper, reader } = await storeOf(made.map(toRecord), 5)
        if (isCounted) while (!(await keeper.step()));
        ahead = isCarried ? 30 * 60_000 : 0
        if (isCounted) while (!(await keeper.step()));
        const run = new RemovalRun(store, keeper, { client: 'cli_1' }, false)
        while (!(await run.step()));
        while (!(await keeper.step()));
        const time = { from: iso(NOW - 5 * DAY), to: iso(NOW + 60_000) }
        for (const by of ['all', 'endpoint', 'status'] as const) {
          const asked = question({ by, selection: time })
          const rolled = await measureRolled(crowded(reader), clock, asked)
          const read = await measure(reader, clock, asked)
          assert.deepEqual(rolled!.groups.map(exact), read.groups.map(exact))
        }
        const clients = await measureRolled(
          crowded(reader),
          clock,
          question({ by: 'client', selection: time }),
        )
        assert.ok(clients!.groups.every(({ key }) => key[0] !== 'cli_1'))
        await reader.close()
        await store.close()
      }),
      { numRuns },
    )
  })

  test(`${name}: what retention has removed is counted still, and a time before the first rollup is said to be incomplete`, async () => {
    ahead = 0
    const old = recordFields({ id: 'old', timeMs: NOW - 40 * DAY, status: 200 })
    const { store, keeper, reader } = await storeOf([old, recordFields({ id: 'new', timeMs: NOW - HOUR })], 1)
    assert.equal(await store.prune(NOW - 30 * DAY, 10), 0)
    await keeper.step()
    assert.equal(await store.prune(NOW - 30 * DAY, 10), 1)
    const asked = question({ by: 'all', selection: { from: iso(NOW - 60 * DAY), to: iso(NOW) } })
    const answer = await measureRolled(reader, clock, asked)
    assert.deepEqual([answer?.groups[0]?.requests, answer?.completeFrom], [2, null])
    await store.rollups.prune([[DAY, NOW - 20 * DAY]], Number.POSITIVE_INFINITY)
    const later = await measureRolled(reader, clock, asked)
    assert.deepEqual([later?.groups[0]?.requests, later?.completeFrom], [1, iso(NOW - 20 * DAY)])
    await reader.close()
    await store.close()
  })

  test(`${name}: names that differ in halves of characters alone are counted as one, and counting goes on`, async () => {
    ahead = 0
    const named = (agentName: string, at: number): RecordFields =>
      toRecord({ ...ROW, agentName, timeMs: NOW - HOUR }, at)
    // A half is a character of its own once a name is cut, or where a caller sends it
    const names = [`${'a'.repeat(99)}\u{1f600}`, `${'a'.repeat(99)}\u{10ffff}`, 'b\ud800', 'b\udc00', 'c']
    const { store, keeper, reader } = await storeOf(names.map(named), 1)
    while (!(await keeper.step()));
    keeper.forget()
    await store.append([blockOf(names.map(named))])
    while (!(await keeper.step()));
    assert.deepEqual(await store.rollups.uncounted(9), [])
    const time = { from: iso(NOW - DAY), to: iso(NOW) }
    const answer = await measureRolled(crowded(reader), clock, question({ by: 'agent', selection: time }))
    assert.deepEqual(
      answer?.groups.map(({ key, requests }) => [key[0], requests]),
      [
        [`${'a'.repeat(99)}\ufffd`, 4],
        ['b\ufffd', 4],
        ['c', 2],
      ],
    )
    await reader.close()
    await store.close()
  })

  test(`${name}: few records are read, and so are those that rollups cannot tell apart`, async () => {
    const { store, keeper, reader } = await storeOf([recordFields({ id: 'a', timeMs: NOW - HOUR })], 1)
    await keeper.step()
    const time = { from: iso(NOW - DAY), to: iso(NOW) }
    assert.equal(await measureRolled(reader, clock, question({ by: 'all', selection: time })), null)
    for (const selection of [
      { subject: 'x' },
      { client: 'cli_1', proxy: 'prx_1' },
      { agent_name: 'a', method: 'GET' },
    ])
      assert.equal(
        await measureRolled(
          crowded(reader),
          clock,
          question({ by: 'all', selection: { ...selection, ...time } }),
        ),
        null,
      )
    // Points of 90 seconds cannot be made of minutes
    const narrow = question({ by: 'time', bucketMs: 90_000, selection: time })
    assert.equal(await measureRolled(crowded(reader), clock, narrow), null)
    await reader.close()
    await store.close()
  })
}
