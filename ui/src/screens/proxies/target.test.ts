import assert from 'node:assert/strict'
import { test } from 'node:test'
import { targetOf } from './target.ts'

test('a first request has the first method, and the path below that of the collection', () => {
  assert.deepEqual(targetOf({ methods: ['POST', 'GET'], path: '/v1/orders/{id}' }, '/orders'), {
    method: 'POST',
    target: '/orders/v1/orders/{id}',
  })
  assert.deepEqual(targetOf({ methods: [], path: '/*' }, '/'), { method: 'GET', target: '/' })
  assert.deepEqual(targetOf({}, '/orders/'), { method: 'GET', target: '/orders/' })
})
