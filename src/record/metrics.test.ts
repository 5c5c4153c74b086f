import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { recordFields } from '../../test/programs/record-fields.ts'
import { RecordFiles } from '../../test/support/record-file.ts'
import { createClock } from '../base/clock.ts'
import { openRecordReader } from '../store/sqlite/record-reader.ts'
import { openRecordStore } from '../store/sqlite/records.ts'
import { type MetricsQuestion, measure } from './metrics.ts'
import { RollupKeeper } from './rollup/keeper.ts'

const files = new RecordFiles()
after(() => files[Symbol.dispose]())

const clock = createClock()
const START = Date.parse('2026-01-01T00:00:00Z')
const few = (...words: string[]) => fc.constantFrom(...words)
const members = fc.record({
  timeMs: fc.integer({ min: START, max: START + 1000 }),
  surface: fc.constantFrom<0 | 1>(0, 1),
  method: few('GET', 'POST'),
  route: few('', '/orders', '/orders/{id}'),
  client: few('', 'cli_a', 'cli_b'),
  status: fc.constantFrom(0, 101, 200, 404, 429, 502),
  code: few('', 'route_not_found', 'upstream_unreachable'),
  durationMs: fc.integer({ min: 1, max: 5000 }),
  upstreamMs: fc.constantFrom(-1, 1),
  bytesIn: fc.constantFrom(-1, 0, 10),
  bytesOut: fc.integer({ min: 0, max: 1e9 }),
  aborted: fc.boolean(),
  isStream: fc.boolean(),
})
const ask = (by: MetricsQuestion['by'], members: Partial<MetricsQuestion> = {}): MetricsQuestion => ({
  by,
  selection: {},
  bucketMs: 100,
  order: 'key',
  limit: 1000,
  ...members,
})

test('what is counted is what is there, however it is gathered', async () => {
  const cases = fc.tuple(fc.array(members, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 20 }))
  await fc.assert(
    fc.asyncProperty(cases, async ([list, blockRows]) => {
      const records = list.map((some, i) => recordFields({ ...some, id: `r${i}` }))
      const reader = await files.read(records, blockRows)
      const count = (fits: (record: (typeof records)[number]) => boolean): number =>
        records.filter(fits).length
      const { groups, read } = await measure(reader, clock, ask('all'))
      const [all] = groups
      assert.equal(read, records.length)
      assert.deepEqual(
        [all?.requests, all?.clientErrors, all?.serverErrors, all?.aborted, all?.agents],
        [
          records.length,
          count(({ status }) => status === 404 || status === 429),
          count(({ status }) => status === 502),
          count(({ aborted }) => aborted),
          count(({ surface }) => surface === 1),
        ],
      )
      assert.equal(
        all?.clients,
        new Set(records.flatMap(({ client }) => (client === '' ? [] : [client]))).size,
      )
      assert.equal(all?.bytesIn, count(({ bytesIn }) => bytesIn === 10) * 10)
      assert.equal(
        all?.bytesOut,
        records.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
      )
      // A stream lasts as long as both ends like: that is no latency
      const answered = records
        .filter(({ status, isStream }) => status >= 200 && !isStream)
        .map(({ durationMs }) => durationMs)
      const median = answered.sort((a, b) => a - b)[Math.ceil(answered.length / 2) - 1]
      if (median === undefined) assert.equal(all?.duration.p50, null)
      else assert.ok(Math.abs(all!.duration.p50! - median) <= median * 0.02)

      const keys = {
        status: ({ status }: (typeof records)[number]) => String(status),
        method: ({ method }: (typeof records)[number]) => method,
        endpoint: ({ method, route }: (typeof records)[number]) =>
          route === '' ? null : `${method} ${route}`,
        time: ({ timeMs }: (typeof records)[number]) => String(Math.floor(timeMs / 100) * 100),
      }
      for (const [by, keyOf] of Object.entries(keys)) {
        const answer = await measure(reader, clock, ask(by as keyof typeof keys))
        for (const group of answer.groups) {
          const key = group.key.join(' ')
          assert.equal(
            group.requests,
            count((record) => keyOf(record) === key),
            key,
          )
        }
        const total = answer.groups.reduce((sum, { requests }) => sum + requests, answer.ungrouped)
        assert.equal(total, records.length, by)
      }
      await reader.close()
    }),
    { numRuns: 60 },
  )
})

test('endpoints come by their requests, by their errors or by their part of errors, with the codes that were answered most', async () => {
  const calls = (route: string, errors: number, requests: number) =>
    Array.from({ length: requests }, (_, i) =>
      recordFields({
        id: `${route}${i}`,
        route,
        ...(i < errors ? { status: 503, code: i === 0 ? 'overloaded' : 'upstream_unreachable' } : {}),
      }),
    )
  const reader = await files.read(
    [...calls('/busy', 4, 10), ...calls('/broken', 3, 4), ...calls('/fine', 0, 5)],
    7,
  )
  const routes = async (order: MetricsQuestion['order'], limit = 10) =>
    (await measure(reader, clock, ask('endpoint', { order, limit }))).groups.map(({ key }) => key[1])
  assert.deepEqual(await routes('requests'), ['/busy', '/fine', '/broken'])
  assert.deepEqual(await routes('errors'), ['/busy', '/broken', '/fine'])
  assert.deepEqual(await routes('error_rate'), ['/broken', '/busy', '/fine'])
  const top = await measure(reader, clock, ask('endpoint', { order: 'error_rate', limit: 1 }))
  assert.deepEqual([top.groups.length, top.total], [1, 3])
  assert.deepEqual(top.groups[0]?.codes, [
    ['upstream_unreachable', 2],
    ['overloaded', 1],
  ])
  await reader.close()
})

test('a question that runs out of time says from when on it has counted everything', async () => {
  const records = Array.from({ length: 100 }, (_, i) =>
    recordFields({ id: `r${i}`, timeMs: START + i * 1000 }),
  )
  const reader = await files.read(records, 10)
  // Each look at the clock takes a second
  let now = 0
  const slow = { now: clock.now, monotonic: () => (now += 1000) }
  const { completeFrom, groups, read } = await measure(reader, slow, ask('all'))
  assert.ok(completeFrom !== null && read > 0 && read < 100, String(completeFrom))
  const after = records.filter(({ timeMs }) => timeMs >= Date.parse(completeFrom)).length
  assert.equal(groups[0]?.requests, after)
  assert.equal((await measure(reader, clock, ask('all'))).completeFrom, null)
  await reader.close()
})

test('a question about a time of which retention has removed a part says from when on it counts everything', async () => {
  const path = await files.write(
    Array.from({ length: 40 }, (_, i) => recordFields({ id: `r${i}`, timeMs: START + i * 1000 })),
    10,
  )
  const store = openRecordStore(path)
  await new RollupKeeper(store, clock.now).step()
  assert.equal(await store.prune(START + 15_000, 100), 1)
  await store.close()
  const reader = openRecordReader(path)
  const from = (ms: number) => ({ selection: { from: new Date(START + ms).toISOString() } })
  const whole = await measure(reader, clock, ask('all', from(0)))
  assert.deepEqual([whole.completeFrom, whole.groups[0]?.requests], ['2026-01-01T00:00:09.001Z', 30])
  assert.equal((await measure(reader, clock, ask('all', from(9_500)))).completeFrom, null)
  await reader.close()
})

test('requests of more groups than are told apart are counted as omitted, not as requests without an endpoint', async () => {
  const records = Array.from({ length: 5100 }, (_, i) => recordFields({ id: `r${i}`, route: `/r${i}` }))
  const reader = await files.read([...records, recordFields({ route: '' })], 1000)
  const { omitted, ungrouped, total } = await measure(reader, clock, ask('endpoint'))
  assert.deepEqual([omitted, ungrouped, total], [100, 1, 5000])
  await reader.close()
})
