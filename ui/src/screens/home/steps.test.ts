import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordsOf, stepsOf } from './steps.ts'

test('a step is done when what it leads to is there, and open while the person may not see it', () => {
  const done = (facts: Partial<Parameters<typeof stepsOf>[0]>) =>
    stepsOf({ isUsed: false, collections: [], clients: [], records: [], ...facts }).map(
      ({ isDone }) => isDone,
    )
  assert.deepEqual(done({ collections: [], clients: [], records: [] }), [false, false, false, false, false])
  assert.deepEqual(
    done({ collections: [{ status: 'draft' }], clients: [{}], records: [{ surface: 'gateway' }] }),
    [true, false, true, true, false],
  )
  assert.deepEqual(
    done({ collections: [{ status: 'published' }], clients: null, records: [{ surface: 'gateway_mcp' }] }),
    [true, true, null, false, true],
  )
  assert.deepEqual(done({ isUsed: true, records: [{ surface: 'gateway' }] }), [true, true, true, true, false])
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
