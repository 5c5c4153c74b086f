import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FieldError } from '../../base/refusal.ts'
import { Parameter } from '../../model/proxy.ts'
import { compileParameters, type ParameterSource } from './parameters.ts'

const NOTHING: ParameterSource = { path: new Map(), query: '', lines: '' }

function errorsOf(
  declared: readonly Record<string, unknown>[],
  source: Partial<ParameterSource>,
  strict = false,
): FieldError[] {
  const errors: FieldError[] = []
  const check = compileParameters(
    declared.map((one) => Parameter.parse(one)),
    strict,
  )
  check?.({ ...NOTHING, ...source }, errors)
  return errors
}

test('a scalar is of its type, in its bounds, and there once', () => {
  const size = [{ name: 'size', in: 'query', type: 'integer', min: 1, max: 9 }]
  for (const good of ['', 'size=1', 'size=9&other=x', '%73ize=3'])
    assert.deepEqual(errorsOf(size, { query: good }), [], good)
  for (const [bad, reason] of [
    ['size=0', 'must be at least 1'],
    ['size=10', 'must be at most 9'],
    ['size=', 'must be an integer'],
    ['size=1.5', 'must be an integer'],
    ['size=0x1', 'must be an integer'],
    ['size=1&size=1', 'must not be repeated'],
    ['size=1&%73ize=1', 'must not be repeated'],
  ] as const)
    assert.deepEqual(errorsOf(size, { query: bad }), [{ pointer: '/query/size', reason }], bad)
})

test('booleans, numbers, enums and patterns are held to', () => {
  const declared = [
    { name: 'b', in: 'query', type: 'boolean' },
    { name: 'n', in: 'query', type: 'number' },
    { name: 'e', in: 'query', enum: ['a', 'b c'] },
    { name: 'p', in: 'query', pattern: '^x+$' },
    { name: 's', in: 'query', max: 3 },
  ]
  assert.deepEqual(errorsOf(declared, { query: 'b=true&n=-1.5e3&e=b+c&p=xx&s=abc' }), [])
  assert.deepEqual(
    errorsOf(declared, { query: 'b=1&n=1.&e=c&p=y&s=abcd' }).map(({ pointer }) => pointer),
    ['/query/b', '/query/n', '/query/e', '/query/p', '/query/s'],
  )
})

test('lists are taken in their usual forms', () => {
  const tags = [{ name: 'tag', in: 'query', type: 'array', required: true, max: 2, enum: ['a', 'b'] }]
  for (const good of ['tag=a', 'tag=a&tag=b', 'tag=a,b', 'tag[]=a&tag[]=b', 'tag[0]=a'])
    assert.deepEqual(errorsOf(tags, { query: good }), [], good)
  for (const bad of ['', 'tag=c', 'tag=a,b,a', 'tags=a'])
    assert.equal(errorsOf(tags, { query: bad })[0]!.pointer, '/query/tag', bad)
})

test('parameters in path, header and cookie are held to as well', () => {
  const declared = [
    { name: 'id', in: 'path', type: 'integer', required: true },
    { name: 'X-Tenant', in: 'header', required: true },
    { name: 'sid', in: 'cookie', required: true, pattern: '^[a-z]+$' },
  ]
  const path = new Map([['id', '7']])
  assert.deepEqual(errorsOf(declared, { path, lines: 'x-tenant: a\r\nCookie: a=1; sid=ab\r\n' }), [])
  assert.deepEqual(errorsOf(declared, { path: new Map([['id', '%2D']]), lines: 'Cookie: sid=1\r\n' }), [
    { pointer: '/path/id', reason: 'must be an integer' },
    { pointer: '/header/X-Tenant', reason: 'is required' },
    { pointer: '/cookie/sid', reason: 'must match ^[a-z]+$' },
  ])
  const twice = 'x-tenant: a\r\nX-Tenant: b\r\ncookie: sid=a; sid=b\r\n'
  assert.deepEqual(
    errorsOf(declared, { path, lines: twice }).map(({ reason }) => reason),
    ['must not be repeated', 'must not be repeated'],
  )
})

test('what the gateway keeps to itself is not asked of callers', () => {
  const declared = [{ name: 'X-Client-ID', in: 'header', required: true }]
  assert.deepEqual(errorsOf(declared, {}), [])
})

test('undeclared query parameters are refused only when asked to', () => {
  const declared = [
    { name: 'a', in: 'query' },
    { name: 'filter', in: 'query', type: 'object' },
  ]
  const query = 'a=1&filter[x]=2&b/c=3'
  assert.deepEqual(errorsOf(declared, { query }), [])
  assert.deepEqual(errorsOf(declared, { query }, true), [
    { pointer: '/query/b~1c', reason: 'is not declared' },
  ])
  assert.equal(errorsOf([], { query: 'x' }, true).length, 1)
})

test('broken escapes and endless queries are refused, and errors are bounded', () => {
  const declared = [{ name: 'a', in: 'query' }]
  assert.equal(errorsOf(declared, { query: 'a=%ff' })[0]!.pointer, '/query')
  assert.equal(errorsOf(declared, { query: 'b&'.repeat(5000) })[0]!.pointer, '/query')
  const many = Array.from({ length: 100 }, (_, n) => ({ name: `n${n}`, in: 'query', required: true }))
  assert.equal(errorsOf(many, {}).length, 20)
})

test('any query and any header lines are judged without a fault', () => {
  const declared = [
    { name: 'a', in: 'query', type: 'array' },
    { name: 'b', in: 'query', type: 'number' },
    { name: 'c', in: 'cookie' },
  ]
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (query, lines) => {
      assert.ok(errorsOf(declared, { query, lines: `cookie: ${lines}\r\n` }, true).length <= 20)
    }),
    { numRuns: 1000 },
  )
})
