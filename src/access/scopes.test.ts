import assert from 'node:assert/strict'
import { test } from 'node:test'
import { permits } from './roles.ts'
import { broadestOf, ceilingOf, scopesFor } from './scopes.ts'

test('a broader scope holds what a narrower one holds, and the broadest bounds nothing', () => {
  const read = { grants: ceilingOf('openid management:read')! }
  const write = { grants: ceilingOf('management:write')! }
  assert.ok(permits(read, 'proxies:read') && permits(read, 'audit:verify') && permits(write, 'proxies:read'))
  assert.ok(permits(write, 'proxies:update') && permits(write, 'credentials:rotate'))
  assert.ok(!permits(read, 'proxies:update') && !permits(write, 'grants:create'))
  assert.ok(!permits(write, 'profiles:reveal') && !permits(write, 'keys:rotate'))
  assert.equal(ceilingOf('management:read management:admin'), null)
})

test('without a scope of management a token may do nothing', () => {
  assert.deepEqual(ceilingOf('openid offline_access'), [])
  assert.equal(broadestOf('management:everything'), null)
})

test('a challenge names the narrowest scope that will do beside those held', () => {
  assert.equal(scopesFor('proxies:update', 'management:read'), 'management:read management:write')
  assert.equal(scopesFor('grants:create', ''), 'management:admin')
  assert.equal(scopesFor('audit:read', 'openid'), 'openid management:read')
})
