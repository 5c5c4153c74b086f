import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barsOf, type Points, trafficSummary } from './traffic.ts'

const point = (
  minute: number,
  requests: number,
  refused: number,
  failed: number,
): Points['items'][number] => ({
  time: new Date(Date.parse('2026-03-29T12:00:00Z') + minute * 60_000).toISOString(),
  ...{ requests, client_errors: refused, server_errors: failed, errors: refused + failed },
  error_rate: requests === 0 ? 0 : (refused + failed) / requests,
  aborted: 0,
})

test('bars are as high as their requests, and are made of answered, refused and failed ones', () => {
  const points = { bucket: '1m', items: [point(0, 4, 1, 1), point(1, 0, 0, 0), point(2, 2, 0, 0)] }
  assert.deepEqual(
    barsOf(points).map(({ height, parts }) => [height, parts.map(({ label, share }) => `${label} ${share}`)]),
    [
      [1, ['answered 0.5', 'refused 0.25', 'failed 0.25']],
      [0, ['answered 0']],
      [0.5, ['answered 1']],
    ],
  )
  assert.equal(
    trafficSummary(points),
    'Traffic, 3 bars of 1m: 6 requests, 1 refused with 4xx, 1 failed with 5xx.',
  )
})
