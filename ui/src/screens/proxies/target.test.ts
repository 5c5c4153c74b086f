import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicUrl, targetOf } from './target.ts'

test('a first request has the first method, and the path below that of the collection', () => {
  assert.deepEqual(targetOf({ methods: ['POST', 'GET'], path: '/v1/orders/{id}' }, '/orders'), {
    method: 'POST',
    target: '/orders/v1/orders/{id}',
  })
  assert.deepEqual(targetOf({ methods: [], path: '/*' }, '/'), { method: 'GET', target: '/' })
  assert.deepEqual(targetOf({}, '/orders/'), { method: 'GET', target: '/orders/' })
})

test('a target is below the URL of the gateway, or at the first host name of its collection', () => {
  const gateway = 'http://gateway.test:8080'
  assert.equal(publicUrl(gateway, {}, '/orders/v1'), 'http://gateway.test:8080/orders/v1')
  assert.equal(publicUrl(`${gateway}/`, { hosts: [] }, '/orders'), 'http://gateway.test:8080/orders')
  assert.equal(
    publicUrl(gateway, { hosts: ['api.shop.test', 'shop.test'] }, '/orders/{id}'),
    'http://api.shop.test:8080/orders/{id}',
  )
  assert.equal(publicUrl('', { hosts: ['api.shop.test'] }, '/orders'), '/orders')
})
