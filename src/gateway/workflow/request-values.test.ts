import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toFieldObject, toQueryObject } from './body.ts'

test('a repeated parameter is a list in its order, whatever its name', () => {
  const query = toQueryObject('a=1&__proto__=x&b=2&a=3&__proto__=y&a=%34&c')
  assert.deepEqual(
    Object.entries(query),
    Object.entries({ a: ['1', '3', '4'], ['__proto__']: ['x', 'y'], b: '2', c: '' }),
  )
})

// A copy of the list for each value would not end in the time of a test
test('many values of one name are read in time linear in them', () => {
  const count = 300_000
  assert.equal((toQueryObject('a&'.repeat(count))['a'] as string[]).length, count)
  const { 'set-cookie': cookies, 'x-a': joined } = toFieldObject(
    'Set-Cookie: a=1\r\nX-A: 1\r\n'.repeat(count),
  )
  assert.equal((cookies as string[]).length, count)
  assert.equal(String(joined).length, 3 * count - 2)
})
