import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallRecord } from './sentence.ts'
import { inputOf, isWhole, searchOf, startOf } from './why-input.ts'

const RECORD = {
  id: 'r1',
  method: 'GET',
  path: '/orders/7',
  client_slug: 'shop',
  profile_slug: 'live',
  ip: '10.0.0.1',
} as CallRecord

test('the form starts with the record, and the address wins', () => {
  const start = startOf({ request_id: 'r1', method: 'POST' }, RECORD)
  assert.deepEqual([start.method, start.target, start.client, start.host], ['POST', '/orders/7', 'shop', ''])
})

test('only what was changed stands in the address, with the record that it starts from', () => {
  const start = startOf({}, RECORD)
  assert.deepEqual(searchOf(start, RECORD), { request_id: 'r1' })
  assert.deepEqual(searchOf({ ...start, target: '/orders/8?a=1', headers: 'A: 1\n\nB: 2' }, RECORD), {
    request_id: 'r1',
    target: '/orders/8?a=1',
    headers: ['A: 1', 'B: 2'],
  })
  assert.deepEqual(searchOf({ ...start, profile: 'test' }, RECORD), {
    request_id: 'r1',
    client: 'shop',
    profile: 'test',
  })
})

test('the address is the input of the operation; one header line is a list too', () => {
  assert.deepEqual(inputOf({ method: 'GET', target: '/a', headers: 'A: 1', tab: 'x' }), {
    method: 'GET',
    target: '/a',
    headers: ['A: 1'],
  })
  assert.deepEqual(
    [
      isWhole({}),
      isWhole({ method: 'GET' }),
      isWhole({ method: 'GET', target: '/a' }),
      isWhole({ request_id: 'r' }),
    ],
    [false, false, true, true],
  )
})
