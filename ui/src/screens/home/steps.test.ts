import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mostErrors, recordsOf, stepsOf } from './steps.ts'

test('a step is done when what it leads to is there, and open while the person may not see it', () => {
  const done = (facts: Parameters<typeof stepsOf>[0]) => stepsOf(facts).map(({ isDone }) => isDone)
  assert.deepEqual(done({ collections: [], clients: [], records: [] }), [false, false, false, false, false])
  assert.deepEqual(
    done({ collections: [{ status: 'draft' }], clients: [{}], records: [{ surface: 'gateway' }] }),
    [true, false, true, true, false],
  )
  assert.deepEqual(
    done({ collections: [{ status: 'published' }], clients: null, records: [{ surface: 'gateway_mcp' }] }),
    [true, true, null, false, true],
  )
})

test('endpoints with the most errors come first, and those without errors are left out', () => {
  const endpoints = [
    { name: 'once', errors: 1, error_rate: 1 },
    { name: 'none', errors: 0, error_rate: 0 },
    { name: 'often', errors: 40, error_rate: 0.2 },
    { name: 'worse', errors: 40, error_rate: 0.5 },
  ]
  assert.deepEqual(
    mostErrors(endpoints, 2).map(({ name }) => name),
    ['worse', 'often'],
  )
  assert.equal(mostErrors(endpoints, 9).length, 3)
})

test('a failing endpoint leads to its records of the same period, by the code of most errors', () => {
  assert.deepEqual(recordsOf('GET /orders/{id}', 'workflow_failed', '24h'), {
    from: '-24h',
    method: 'GET',
    route: '/orders/{id}',
    code: 'workflow_failed',
  })
  assert.equal('code' in recordsOf('GET /orders', undefined, '1h'), false)
})
