import assert from 'node:assert/strict'
import { test } from 'node:test'
import { permits } from './roles.ts'
import { broadestOf, ceilingOf, scopeAsked, scopesFor } from './scopes.ts'

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

test('a request without a scope of its resource gets the default, but for one about management that asks who somebody is', () => {
  const every = 'mcp:tools mcp:prompts mcp:resources'
  assert.equal(scopeAsked('', true), every)
  assert.equal(scopeAsked('management:read openid offline_access', true), `${every} openid offline_access`)
  assert.equal(scopeAsked('mcp:prompts openid', true), 'mcp:prompts openid')
  assert.equal(scopeAsked('mcp:tools offline_access'), 'management:read management:write offline_access')
  assert.equal(scopeAsked('openid'), 'openid')
})
