import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FieldError } from '../../base/refusal.ts'
import { Parameter } from '../../model/api/proxy.ts'
import { toParameters } from '../../snapshot/find/target.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import { compileParameters, type ParameterSource } from './parameters.ts'

const NOTHING: ParameterSource = { paths: [new Map()], query: '', lines: '' }

function errorsOf(
  declared: readonly Record<string, unknown>[],
  source: Partial<ParameterSource>,
  strict = false,
): FieldError[] {
  const errors: FieldError[] = []
  const check = compileParameters(
    declared.map((one) => Parameter.parse(one)),
    strict,
    createSchemaJudges({}, true),
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
  const paths = [new Map([['id', '7']])]
  assert.deepEqual(errorsOf(declared, { paths, lines: 'x-tenant: a\r\nCookie: a=1; sid=ab\r\n' }), [])
  assert.deepEqual(errorsOf(declared, { paths: [new Map([['id', '%2D']])], lines: 'Cookie: sid=1\r\n' }), [
    { pointer: '/path/id', reason: 'must be an integer' },
    { pointer: '/header/X-Tenant', reason: 'is required' },
    { pointer: '/cookie/sid', reason: 'must match ^[a-z]+$' },
  ])
  const twice = 'x-tenant: a\r\nX-Tenant: b\r\ncookie: sid=a; sid=b\r\n'
  assert.deepEqual(
    errorsOf(declared, { paths, lines: twice }).map(({ reason }) => reason),
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

const withSchema = (name: string, schema: unknown, more: object = {}) => [
  { name, in: 'query', schema, ...more },
]

test('a parameter with a schema fits when one of its readings does', () => {
  const number = { type: 'integer' }
  for (const [schema, more, good, bad] of [
    [
      {
        oneOf: [
          { type: 'string', maxLength: 2 },
          { type: 'array', items: { type: 'string' } },
        ],
      },
      {},
      ['p=a', 'p=abc&p=d', 'p=abc,d'],
      [],
    ],
    [{ anyOf: [number, { enum: ['all'] }] }, {}, ['p=1', 'p=all', 'p=-0', 'p=1e3'], ['p=some', 'p=1&p=2']],
    [
      { type: 'array', items: number, maxItems: 2 },
      {},
      ['p=1&p=2', 'p=1,2', 'p[]=1&p[]=2'],
      ['p=1&p=2&p=3', 'p=x'],
    ],
    [
      { type: 'array', items: number },
      { style: 'pipeDelimited', explode: false },
      ['p=1|2', 'p=1%7C2'],
      ['p=1|x'],
    ],
    [
      { type: 'array', items: number },
      { style: 'spaceDelimited', explode: false },
      ['p=1%202', 'p=1+2'],
      ['p=1+x'],
    ],
    [{ type: 'array', items: number }, { explode: false }, ['p=1%092'], ['p=1%09x']],
    [{ type: 'array', items: { enum: ['a,b', 'c'] } }, { explode: false }, ['p=a%2Cb,c', 'p=c'], ['p=d']],
    [{ enum: [['a', 'b'], ['c']] }, { explode: false }, ['p=a,b', 'p=c'], ['p=b,a']],
    [{ type: ['integer', 'null'] }, {}, ['p=', 'p=null', 'p=7'], ['p=x']],
    [
      { type: 'number', multipleOf: 0.01, exclusiveMinimum: 0 },
      {},
      ['p=19.99', 'p=1e-2'],
      ['p=0', 'p=0.001'],
    ],
    [{ type: 'integer' }, {}, ['p=12345678901234567890', 'p=1.0'], ['p=1.5']],
    [{ type: 'integer', pattern: '^[a-z]+$', minLength: 5, format: 'date' }, {}, ['p=7'], ['p=abcdef']],
    [{ type: 'string', format: 'date' }, {}, ['p=2026-01-01'], ['p=tomorrow']],
    [
      { type: 'object', properties: { a: number } },
      { style: 'deepObject' },
      ['p[a]=1', 'p[a][b]=x', ''],
      ['p[a]=x'],
    ],
    [{ type: 'object', properties: { a: number } }, { explode: false }, ['p=a,1', 'p=a'], ['p=a,x']],
    [{ type: 'object', properties: { a: number }, required: ['a'] }, { required: true }, ['a=1', ''], []],
    [{}, {}, ['p=1&p=2', 'p=', 'p=x,y'], []],
    [{ type: 'integer' }, { allow_empty: true }, ['p=', 'p', 'p=1'], ['p=x']],
    [
      { type: 'object', required: ['a'] },
      { content_type: 'application/json' },
      ['p={"a":1}', 'p=%7B%22a%22:1%7D'],
      ['p={}', 'p=a'],
    ],
    [{ type: 'object' }, { content_type: 'application/xml' }, ['p=<a/>'], []],
  ] as const) {
    const declared = withSchema('p', schema, more)
    for (const query of good)
      assert.deepEqual(errorsOf(declared, { query }), [], JSON.stringify([schema, query]))
    for (const query of bad)
      assert.notDeepEqual(errorsOf(declared, { query }), [], JSON.stringify([schema, query]))
  }
})

test('lists and objects in path, header and cookie are written in their style', () => {
  const items = { type: 'array', items: { type: 'integer' } }
  const object = {
    type: 'object',
    properties: { R: { type: 'integer' } },
    additionalProperties: { type: 'integer' },
  }
  const inPath = (text: string, schema: unknown, style: string, explode: boolean) =>
    errorsOf([{ name: 'id', in: 'path', required: true, schema, style, explode }], {
      paths: [new Map([['id', text]])],
    })
  for (const [text, schema, style, explode] of [
    ['3,4', items, 'simple', false],
    ['.3.4', items, 'label', true],
    ['.3,4', items, 'label', false],
    [';id=3,4', items, 'matrix', false],
    [';id=3;id=4', items, 'matrix', true],
    [';id=5', { type: 'integer' }, 'matrix', false],
    ['.5', { type: 'integer' }, 'label', false],
    ['R,100', object, 'simple', false],
    ['R=100,G=2', object, 'simple', true],
    [';R=100;G=2', object, 'matrix', true],
    ['.R=100.G=2', object, 'label', true],
  ] as const) {
    assert.deepEqual(inPath(text, schema, style, explode), [], text)
    assert.notDeepEqual(inPath(text.replace(/\d+/, 'x'), schema, style, explode), [], `${text} with x`)
  }
  const both = [
    { name: 'X-Ids', in: 'header', schema: items },
    { name: 'ids', in: 'cookie', schema: items, explode: false },
  ]
  assert.deepEqual(errorsOf(both, { lines: 'X-Ids: 1, 2\r\nx-ids: 3\r\nCookie: ids=1,2\r\n' }), [])
  assert.deepEqual(
    errorsOf(both, { lines: 'X-Ids: 1, b\r\nCookie: ids=a\r\n' }).map(({ pointer }) => pointer),
    ['/header/X-Ids/1', '/cookie/ids/0'],
  )
})

test('a keyword of texts says nothing of a number, and numbers are compared as numbers', () => {
  const declared = [
    { name: 'n', in: 'query', type: 'integer', pattern: '^[a-z]$', enum: [1, 1000] },
    { name: 's', in: 'query', max: 2 },
    { name: 'l', in: 'query', type: 'array', enum: [['a', 'b'], ['c']] },
  ]
  assert.deepEqual(errorsOf(declared, { query: 'n=1e3&s=%F0%9F%98%80a&l=a,b' }), [])
  assert.equal(errorsOf(declared, { query: 'n=2&s=abc&l=d' }).length, 3)
})

test('of several ways to divide a segment, one must fit', () => {
  const declared = [
    { name: 'name', in: 'path', required: true },
    { name: 'ext', in: 'path', required: true, enum: ['png'] },
  ]
  const paths = toParameters('/{name}.{ext}', '/{name}.{ext}')
  assert.deepEqual(errorsOf(declared, { paths: paths('/a.b.png') }), [])
  assert.notDeepEqual(errorsOf(declared, { paths: paths('/a.b.gif') }), [])
  const moved = toParameters('/{name}.{ext}', '/{ext}/{name}')
  assert.notDeepEqual(errorsOf(declared, { paths: moved('/a.b.png') }), [])
  const below = toParameters('/{name}.{ext}', '/v2/{name}.{ext}')
  assert.deepEqual(errorsOf(declared, { paths: below('/a.b.png') }), [])
})
