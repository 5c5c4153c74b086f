import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_SNAPSHOT } from '../snapshot/link.ts'
import { createCounterMemory, createCounters } from './admit/counters.ts'
import { Exchange } from './exchange.ts'
import { admits } from './stages.ts'
import { ANSWERED, type Verdict } from './verdict.ts'

function exchange(): Exchange {
  const counters = createCounters(createCounterMemory(64), 0)
  return new Exchange('r', 0, EMPTY_SNAPSHOT, counters, 0, 'GET', '/', '', '127.0.0.1', 0)
}

function rows(...verdicts: readonly (Verdict | Promise<Verdict>)[]) {
  const seen: number[] = []
  const list = verdicts.map((verdict, index) => ({
    number: index + 1,
    name: 'route' as const,
    rest: true,
    mcp: true,
    call: true,
    again: true,
    check: () => {
      seen.push(index + 1)
      return verdict
    },
  }))
  return { list, seen }
}

test('checks that know at once are run without a promise', () => {
  const { list, seen } = rows(null, null)
  assert.equal(admits(list, exchange()), true)
  assert.deepEqual(seen, [1, 2])
})

test('a check that takes its time holds up those after it', async () => {
  const gate = Promise.withResolvers<Verdict>()
  const { list, seen } = rows(null, gate.promise, null)
  const admitted = admits(list, exchange())
  assert.deepEqual(seen, [1, 2])
  gate.resolve(null)
  assert.equal(await admitted, true)
  assert.deepEqual(seen, [1, 2, 3])
})

test('a late refusal ends the request and says which check it was', async () => {
  const { list, seen } = rows(null, Promise.resolve('upstream_unavailable'), null)
  const one = exchange()
  assert.equal(await admits(list, one), false)
  assert.deepEqual([one.code, one.stoppedAt, seen], ['upstream_unavailable', 2, [1, 2]])
})

test('a check that fails late is an internal error, never an admission', async () => {
  const { list } = rows(Promise.reject(new Error('boom')), null)
  const one = exchange()
  assert.equal(await admits(list, one), false)
  assert.deepEqual([one.code, one.stoppedAt, one.reason], ['internal_error', 1, 'Error: boom'])
})

test('a check may answer by itself: nothing after it runs and nothing was refused', () => {
  const { list, seen } = rows(ANSWERED, null)
  const one = exchange()
  assert.equal(admits(list, one), false)
  assert.deepEqual([one.code, one.stoppedAt, seen], [null, -1, [1]])
})
