import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executed } from '../../../test/support/executed.ts'
import type { NodeCaller } from '../run.ts'
import { authCheckNode } from './definition.ts'
import { authCheckRun } from './run.ts'

const caller = (given: Partial<NodeCaller> = {}): NodeCaller => ({
  client: 'cli_acme',
  profile: 'pro_ci',
  subject: '',
  claims: new Map(),
  ...given,
})
const check = (config: object, given: Partial<NodeCaller> = {}): unknown[] => {
  const { handle, outputs } = executed(authCheckRun, { ...config }, {}, { ...ALONE, caller: caller(given) })
  return [handle, outputs['failed']]
}

test('a caller passes by its client and its profile, and the conditions that fail are named', () => {
  assert.deepEqual(check({ clients: ['cli_acme'], profiles: ['pro_x', 'pro_ci'] }), ['true', []])
  assert.deepEqual(check({ clients: ['cli_other'], profiles: ['pro_ci'] }), ['false', ['clients']])
  assert.deepEqual(check({ clients: ['cli_other'], profiles: ['pro_x'] }), ['false', ['clients', 'profiles']])
})

test('a claim passes by its whole value, or by an item where it is a list', () => {
  const department = { claims: [{ claim: 'department', equals: ['sales', 'support'] }] }
  assert.deepEqual(check(department, { claims: new Map([['department', 'support']]) }), ['true', []])
  assert.deepEqual(check(department, { claims: new Map([['department', 'sales,support']]) }), [
    'false',
    ['claims/department'],
  ])
  const lists = new Map([['department', ['ops', 'sales']]])
  const claims = Object.assign(new Map([['department', 'ops,sales']]), { lists })
  assert.deepEqual(check(department, { claims }), ['true', []])
  assert.deepEqual(check(department), ['false', ['claims/department']])
  assert.deepEqual(check({ claims: [{ claim: 'sub', equals: 'ann' }] }, { subject: 'ann' }), ['true', []])
  assert.deepEqual(check({ claims: [{ claim: 'sub', equals: 'ann' }] }), ['false', ['claims/sub']])
})

test('names of the prototype are claims like others, which nobody has', () => {
  for (const claim of ['__proto__', 'constructor', 'toString', 'lists'])
    assert.deepEqual(check({ claims: [{ claim, equals: 'x' }] }), ['false', [`claims/${claim}`]])
})

test('all scopes are required, and none is a part of another', () => {
  const scopes = { scopes: ['orders:read', 'orders:write'] }
  assert.deepEqual(check(scopes, { claims: new Map([['scope', 'orders:write x orders:read']]) }), [
    'true',
    [],
  ])
  const lists = new Map([['scp', ['orders:read', 'orders:write']]])
  const claims = Object.assign(new Map([['scp', 'orders:read,orders:write']]), { lists })
  assert.deepEqual(check(scopes, { claims }), ['true', []])
  for (const scope of ['orders:read', 'orders:read orders:writeall', ''])
    assert.deepEqual(check(scopes, { claims: new Map([['scope', scope]]) }), ['false', ['scopes']])
})

test('a check without a condition cannot be saved, and a node that lost its settings lets nobody through', () => {
  assert.equal(authCheckNode.config.safeParse({}).success, false)
  assert.equal(authCheckNode.config.safeParse({ clients: [] }).success, false)
  const none = { claims: [], scopes: [], clients: [], profiles: [] }
  assert.deepEqual(authCheckRun.link(none)({}, { ...ALONE, caller: caller() }), {
    handle: 'false',
    outputs: { passed: false, failed: [] },
  })
})
