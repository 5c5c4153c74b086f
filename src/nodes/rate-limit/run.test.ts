import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executed } from '../../../test/support/executed.ts'
import { NodeFailure } from '../run.ts'
import { rateLimitNode } from './definition.ts'
import { rateLimitRun } from './run.ts'

const RATE = { max: 5, window: '1m' }
const limited = (inputs: object, isAdmitted = true) => {
  const asked: unknown[] = []
  const result = executed(
    rateLimitRun,
    RATE,
    { ...inputs },
    {
      ...ALONE,
      takeRate(...given) {
        asked.push(given)
        return { isAdmitted, remaining: 3, resetMs: 250 }
      },
    },
  )
  return { asked, ...result }
}

test('a key is counted with its cost, and the result chooses the handle', () => {
  const first = limited({ key: 'acme' })
  assert.deepEqual(first.asked, [[{ max: 5, windowMs: 60_000 }, 'acme', 1]])
  assert.deepEqual([first.handle, first.outputs], ['true', { remaining: 3, reset_ms: 250 }])
  const second = limited({ key: 7, cost: 5 }, false)
  assert.deepEqual(second.asked, [[{ max: 5, windowMs: 60_000 }, '7', 5]])
  assert.equal(second.handle, 'false')
})

test('keys and costs of other forms fail before anything is counted', () => {
  const cases: readonly (readonly [object, string])[] = [
    [{}, 'key'],
    ...[null, '', {}, ['a'], 'x'.repeat(1025)].map((key) => [{ key }, 'key'] as const),
    ...[0, -1, 6, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, {}].map(
      (cost) => [{ key: 'a', cost }, 'cost'] as const,
    ),
  ]
  for (const [inputs, kind] of cases)
    assert.throws(
      () => executed(rateLimitRun, RATE, { ...inputs }),
      (error) => error instanceof NodeFailure && error.kind === kind,
      JSON.stringify(inputs),
    )
})

test('windows are those of policies', () => {
  for (const window of ['1s', '24h', '1d'])
    assert.equal(rateLimitNode.config.safeParse({ max: 1, window }).success, true, window)
  for (const window of ['999ms', '25h', '30d', 'soon'])
    assert.equal(rateLimitNode.config.safeParse({ max: 1, window }).success, false, window)
})
