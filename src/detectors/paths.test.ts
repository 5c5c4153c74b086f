import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actedPaths, compileAction, compilePaths, type Hits } from './act.ts'

const act = compileAction({ action: 'redact' })

function after(value: unknown, ...pointers: string[]): { value: unknown; hits: Hits } {
  const hits: Hits = {}
  return { value: actedPaths(value, compilePaths(pointers), act, hits), hits }
}

const ORDER = {
  items: [{ sku: 'a', note: 'x' }, { sku: 'b' }],
  customer: { name: 'Ada', age: 36 },
  'a/b': true,
}

test('pointers name members, items and all of both', () => {
  assert.deepEqual(after(ORDER, '/items/*/sku', '/customer/name', '/a~1b'), {
    value: {
      items: [{ sku: '[REDACTED:path]', note: 'x' }, { sku: '[REDACTED:path]' }],
      customer: { name: '[REDACTED:path]', age: 36 },
      'a/b': '[REDACTED:path]',
    },
    hits: { path: { '/items/*/sku': 2, '/customer/name': 1, '/a~1b': 1 } },
  })
  assert.deepEqual(after(ORDER, '/items/1/sku').value, {
    ...ORDER,
    items: [{ sku: 'a', note: 'x' }, { sku: '[REDACTED:path]' }],
  })
})

test('all that is below a path is acted on, and names stay', () => {
  assert.deepEqual(after(ORDER, '/customer').value, {
    ...ORDER,
    customer: { name: '[REDACTED:path]', age: '[REDACTED:path]' },
  })
})

test('a path that leads nowhere changes nothing', () => {
  for (const pointer of ['/nobody', '/items/9/sku', '/items/x', '/customer/name/first', '/constructor'])
    assert.deepEqual(after(ORDER, pointer), { value: ORDER, hits: {} }, pointer)
})

test('a text that is no pointer is refused', () => {
  assert.throws(() => compilePaths(['customer']), /"customer" is no JSON pointer/)
})
