import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pointerOfHash, pointersAround } from './focus-field.ts'

test('a fragment is a pointer if it starts with a slash', () => {
  assert.equal(pointerOfHash('#/ip_allowlist'), '/ip_allowlist')
  assert.equal(pointerOfHash('#%2Fupstream%2Ftls'), '/upstream/tls')
  for (const hash of ['', '#', '#top', '#%']) assert.equal(pointerOfHash(hash), null)
})

test('the values around a pointer are tried from the nearest on', () => {
  assert.deepEqual(pointersAround('/upstream/tls/ca'), ['/upstream/tls/ca', '/upstream/tls', '/upstream'])
})
