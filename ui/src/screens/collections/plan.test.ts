import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planOf, summaryOf } from './plan.ts'

test('a first import adds the proxies of its difference', () => {
  const collection = {
    base_path: '/shop',
    status: 'draft',
    upstream: { targets: [{ url: 'https://shop.example' }] },
  }
  const plan = planOf(
    { collection, proxies: 1, warnings: [{ pointer: '/servers', reason: 'two servers' }] },
    [
      { op: 'add', path: '', value: { slug: 'orders' } },
      { op: 'add', path: '/proxies/list', value: { methods: ['GET', 'HEAD'], path: '/v1/orders' } },
      { op: 'add', path: '/proxies/list/extra', value: 1 },
    ],
  )
  assert.deepEqual(plan.rows, [
    { change: 'added', proxy: 'list', route: 'GET, HEAD /shop/v1/orders', members: [], breaking: [] },
  ])
  assert.deepEqual(plan.warnings, [{ pointer: '/servers', reason: 'two servers' }])
  assert.equal(summaryOf(plan), '1 added')
  assert.equal(plan.place, 'A draft at /shop, from https://shop.example')
})

test('a later import has the changes that the server lists', () => {
  const breaking = [{ pointer: '/methods', reason: 'GET no longer exists' }]
  const plan = planOf(
    {
      unchanged: 4,
      changes: [
        { change: 'changed', proxy: 'list', route: 'GET /v1', members: ['methods'], breaking },
        { change: 'missing', proxy: 'old', route: 'GET /old', members: [], breaking: [] },
      ],
      not_enforced: [{ pointer: '/x', keyword: 'format', reason: 'unknown' }],
    },
    [],
  )
  assert.equal(summaryOf(plan), '1 changed, 1 missing, 4 unchanged')
  assert.deepEqual(plan.rows[0]?.breaking, breaking)
  assert.deepEqual(plan.notEnforced, [{ pointer: '/x', reason: 'format: unknown' }])
})

test('an import that changes nothing says so', () => {
  assert.equal(summaryOf(planOf({ changes: [], unchanged: 0 }, [])), 'Nothing changes')
})
