import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Cell, countsIn, decodeShard, encodeShard, readShard } from './codec.ts'
import { percentileOf, STEPS, stepOf } from './histogram.ts'
import { alignedRange, DAY_MS, MINUTE_MS, piecesOf, startOf } from './keeper.ts'

const HOUR_MS = 3_600_000
const sparse = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 2 ** 40 })))
const cells = fc.array(
  fc.record({
    word: fc.integer({ min: 0, max: 500_000 }),
    status: fc.integer({ min: 0, max: 999 }),
    requests: fc.integer({ min: 1, max: 2 ** 50 }),
    aborted: fc.nat(),
    bytesIn: fc.integer({ min: 0, max: 2 ** 50 }),
    bytesOut: fc.nat(),
    agents: fc.nat(),
    duration: sparse,
    codes: sparse,
  }),
  { maxLength: 30 },
)

test('a shard is read as it was written', () => {
  fc.assert(
    fc.property(cells, (list) => {
      const made = new Map<number, Cell>()
      for (const { word, status, duration, codes, ...counts } of list) {
        const cell: Cell = made.get(word) ?? new Map()
        made.set(word, cell)
        const target = countsIn(cell, status)
        Object.assign(target, counts)
        for (const [step, count] of duration) target.duration.set(step, count)
        for (const [code, count] of codes) target.codes.set(code, count)
      }
      const sorted = (of: ReadonlyMap<number, Cell>) =>
        [...of]
          .sort(([a], [b]) => a - b)
          .map(([word, cell]) => [
            word,
            [...cell].map(([status, { duration, codes, ...counts }]) => [
              status,
              counts,
              [...duration].sort(([a], [b]) => a - b),
              [...codes].sort(([a], [b]) => a - b),
            ]),
          ])
      assert.deepEqual(sorted(decodeShard(encodeShard(made))), sorted(made))
    }),
  )
})

test('damaged bytes are refused or read, and never read beyond their end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const begun = Uint8Array.from([1, ...bytes])
      try {
        readShard(begun, (_, cell) => {
          while (!cell.isAtEnd) cell.number()
        })
        decodeShard(begun)
      } catch (error) {
        assert.match(String(error), /rollup of records is (damaged|of another version)/)
      }
    }),
  )
})

test('a percentile is within 5 % of the duration that it stands for', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.02, max: 3_000_000, noNaN: true }), { minLength: 1 }),
      fc.constantFrom(0.5, 0.95, 0.99),
      (durations, part) => {
        const counts = new Float64Array(STEPS)
        for (const ms of durations) counts[stepOf(ms)]! += 1
        const sorted = durations.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(1, Math.ceil(part * sorted.length)) - 1]!
        const found = percentileOf(counts, part)!
        assert.ok(Math.abs(found - exact) <= exact * 0.05, `${found} for ${exact}`)
      },
    ),
  )
})

test('the pieces of a range have no gap and no overlap, and none covers two points', () => {
  const now = Date.parse('2026-03-10T12:34:56Z')
  const since: Record<number, number> = {
    [MINUTE_MS]: now - 48 * HOUR_MS,
    [HOUR_MS]: now - 35 * DAY_MS,
    [DAY_MS]: now - 400 * DAY_MS,
  }
  const kept = (widthMs: number): number => since[widthMs]!
  const unit = fc.constantFrom(null, MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS)
  fc.assert(
    fc.property(fc.nat(90 * DAY_MS), fc.nat(90 * DAY_MS), unit, (a, b, unitMs) => {
      const asked = { fromMs: now - Math.max(a, b) - 1, toMs: now - Math.min(a, b) }
      const range = alignedRange(asked, kept)
      assert.ok(range.fromMs <= asked.fromMs && range.toMs >= asked.toMs)
      const pieces = piecesOf(range, kept, unitMs)
      if (pieces === null) {
        // Only where narrow rollups are not kept any more
        assert.ok(unitMs !== null && range.fromMs < now - 48 * HOUR_MS)
        return
      }
      let at = range.fromMs
      for (const { widthMs, fromMs, toMs } of pieces) {
        assert.equal(fromMs, at)
        assert.ok(toMs > fromMs && fromMs % widthMs === 0 && toMs % widthMs === 0)
        if (unitMs !== null) assert.equal(startOf(fromMs, unitMs), startOf(fromMs + widthMs - 1, unitMs))
        at = toMs
      }
      assert.equal(at, range.toMs)
    }),
    {
      numRuns: 1000,
      // A day that the rollups of hours are kept of only in part
      examples: [
        [3_022_496_000, 2_986_496_000, null],
        [3_122_496_000, 2_986_496_000, null],
      ],
    },
  )
})
