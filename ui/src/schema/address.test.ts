import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf } from './address.ts'

test('a resource is named by its slug, and where that is unique only below a parent, by both', () => {
  assert.equal(addressOf('policies', { id: 'pol_1', slug: 'gold', client: 'acme' }), 'gold')
  assert.equal(addressOf('proxies', { id: 'prx_1', slug: 'get', collection: 'orders' }), 'orders:get')
  assert.equal(addressOf('profiles', { id: 'pro_1', slug: 'live', client: 'acme' }), 'acme:live')
  assert.equal(addressOf('records', { id: 'req_1', collection: 'orders' }), 'req_1')
})
