import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordsOf, stepsOf } from './steps.ts'

test('a step is done when what it leads to is there, and open while the person may not see it', () => {
  const done = (facts: Partial<Parameters<typeof stepsOf>[0]>) =>
    stepsOf({ isUsed: false, collections: [], clients: [], records: [], profile: null, ...facts }).map(
      ({ isDone }) => isDone,
    )
  const answered = { surface: 'gateway', client: 'acme', status: 200 }
  assert.deepEqual(done({ collections: [], clients: [], records: [] }), [false, false, false, false, false])
  assert.deepEqual(done({ collections: [{ status: 'draft' }], clients: [{}], records: [answered] }), [
    true,
    false,
    true,
    true,
    false,
  ])
  assert.deepEqual(
    done({ collections: [{ status: 'published' }], clients: null, records: [{ surface: 'gateway_mcp' }] }),
    [true, true, null, false, true],
  )
  assert.deepEqual(done({ isUsed: true, records: [{ surface: 'gateway' }] }), [true, true, true, true, false])
})

test('the first call is one of a client that was answered below 400, and its step leads to how a profile calls', () => {
  const step = (facts: Partial<Parameters<typeof stepsOf>[0]>) =>
    stepsOf({ isUsed: false, collections: [], clients: [], records: [], profile: null, ...facts }).find(
      ({ label }) => label === 'Make the first call',
    )!
  const call = { surface: 'gateway', client: 'acme', status: 204 }
  assert.equal(step({ records: [call] }).isDone, true)
  assert.equal(step({ records: [{ ...call, status: 404 }] }).isDone, false)
  assert.equal(step({ records: [{ ...call, client: null }] }).isDone, false)
  assert.equal(step({ records: null }).isDone, null)
  assert.equal(step({ profile: 'acme:live' }).to, '/profiles/acme:live')
  assert.equal(step({}).to, '/clients')
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
