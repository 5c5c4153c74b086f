import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationsSummary, linesOf, type OverTime, type Point, requestsSummary } from './lines.ts'

const HOUR = 3_600_000
const NOON = Date.parse('2026-03-29T12:00:00Z')

const OPTIONS = { shift: 2 * HOUR, width: HOUR, hasP99: false }

function point(at: number, requests: number, p95: number | null = 20): Point {
  return {
    time: new Date(at).toISOString(),
    requests,
    errors: 3,
    error_rate: 0.1,
    client_errors: 2,
    server_errors: 1,
    aborted: 0,
    duration_ms: { p50: p95, p95, p99: p95 },
  }
}

function answer(from: number, to: number, items: Point[]): OverTime {
  const times = { from: new Date(from).toISOString(), to: new Date(to).toISOString() }
  const coverage = {
    truncated: false,
    complete_from: times.from,
    from_rollups: false,
    sampled: false as const,
  }
  return { ...times, ...coverage, records_read: 9, bucket: '1h', items }
}

test('the point that still counts is drawn, and the lines say so', () => {
  const items = [point(NOON, 10), point(NOON + HOUR, 12), point(NOON + 2 * HOUR, 1)]
  const options = { ...OPTIONS, shift: 0 }
  const { times, requests, isRunning } = linesOf(answer(NOON, NOON + 2 * HOUR + 60_000, items), null, options)
  assert.equal(isRunning, true)
  assert.equal(linesOf(answer(NOON, NOON + 3 * HOUR, items), null, options).isRunning, false)
  assert.deepEqual(times, [NOON / 1000, NOON / 1000 + 3600, NOON / 1000 + 7200])
  assert.deepEqual(
    requests.map(({ label, values }) => [label, values]),
    [
      ['Requests', [10, 12, 1]],
      ['4xx', [2, 2, 2]],
      ['5xx', [1, 1, 1]],
    ],
  )
})

test('points of the period before stand at the times of this one, and where there is none is a gap', () => {
  const now = answer(NOON, NOON + 2 * HOUR, [point(NOON, 10), point(NOON + HOUR, 12, null)])
  const before = answer(NOON - 2 * HOUR, NOON, [point(NOON - HOUR, 7, 90)])
  const { requests, durations } = linesOf(now, before, OPTIONS)
  assert.deepEqual(requests[0], { label: 'Requests before', ink: 'muted', values: [null, 7], isDashed: true })
  assert.deepEqual(durations[0]?.values, [null, 90])
  assert.deepEqual(durations.find(({ label }) => label === 'p95')?.values, [20, null])
})

test('p99 is a line only where it is asked for', () => {
  const now = answer(NOON, NOON + HOUR, [point(NOON, 10)])
  const labels = (hasP99: boolean) =>
    linesOf(now, null, { ...OPTIONS, hasP99 }).durations.map(({ label }) => label)
  assert.deepEqual(
    [labels(false), labels(true)],
    [
      ['p50', 'p95'],
      ['p50', 'p95', 'p99'],
    ],
  )
})

test('charts are told in a sentence', () => {
  const now = answer(NOON, NOON + 2 * HOUR, [point(NOON, 10), point(NOON + HOUR, 12, 55)])
  assert.match(
    requestsSummary(now),
    /2 points of 1h: 22 requests, 4 with 4xx, 2 with 5xx\. The highest count is 12 at .*13:00/,
  )
  assert.match(durationsSummary(now), /longest p95 is 55 ms at .*13:00/)
  assert.equal(
    durationsSummary(answer(NOON, NOON + HOUR, [point(NOON, 1, null)])),
    'Duration over time: no responses.',
  )
})
