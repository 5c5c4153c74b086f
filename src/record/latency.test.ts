import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Latency } from './metrics.ts'

test('percentiles are those of the sorted durations, within 2 %', () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 3_000_000, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99, 1), (list, part) => {
      const latency = new Latency()
      for (const ms of list) latency.add(ms)
      const exact = list.toSorted((a, b) => a - b)[Math.ceil(part * list.length) - 1]!
      const found = latency.percentile(part)!
      assert.ok(Math.abs(found - exact) <= exact * 0.02, `${found} for ${exact}`)
    }),
  )
})

test('without durations there is no percentile, and what is shorter or longer than all steps counts at the ends', () => {
  const latency = new Latency()
  assert.equal(latency.percentile(0.5), null)
  latency.add(0)
  assert.equal(latency.percentile(0.5), 0.01)
  latency.add(1e12)
  assert.ok(latency.percentile(1)! > 3_600_000)
})
