import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inTime } from '../../../test/support/in-time.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createSchemaJudges, ERRORS_MAX } from './judge.ts'

const SHARED = {
  Order: {
    type: 'object',
    required: ['id', 'lines'],
    properties: {
      id: { type: 'string', readOnly: true },
      lines: { type: 'array', items: { $ref: '#/$defs/Line' }, minItems: 1 },
      parent: { $ref: '#/$defs/Order' },
    },
  },
  Line: {
    type: 'object',
    required: ['sku'],
    properties: { sku: { type: 'string', pattern: '^[A-Z]{3}$' }, n: { type: 'integer', minimum: 1 } },
    additionalProperties: false,
  },
  Broken: { type: 'object', properties: { a: { $ref: '#/nowhere' } } },
}

function judge(schema: JsonSchema, value: unknown, way: 'request' | 'response' = 'request') {
  return createSchemaJudges(SHARED, true).of(schema, way)(value)
}

const KEYWORDS: readonly JsonSchema[] = [
  { type: 'array', uniqueItems: true },
  { uniqueItems: true, items: { $ref: '#' } },
  { enum: [[[1]], { a: [[]] }] },
  { const: [[[[]]]] },
  { contains: { uniqueItems: true } },
  { type: 'array', items: { $ref: '#' } },
  { unevaluatedItems: { uniqueItems: true } },
]
for (const schema of KEYWORDS)
  test(`${JSON.stringify(schema)} judges a value that is nested without end, and throws nothing`, () => {
    const lists = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as unknown
    const objects = JSON.parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`) as unknown
    for (const value of [lists, [lists, lists], [objects, objects], [[objects]]]) judge(schema, value)
  })

test('a value that fits has no errors, and one that does not has pointers into it', () => {
  assert.equal(judge({ $ref: '#/$defs/Order' }, { lines: [{ sku: 'ABC', n: 1 }] }), null)
  assert.deepEqual(judge({ $ref: '#/$defs/Order' }, { lines: [{ sku: 'abc', n: 0 }, { 'a/b': 1 }] }), [
    { pointer: '/lines/0/sku', reason: 'must match pattern "^[A-Z]{3}$"' },
    { pointer: '/lines/0/n', reason: 'must be >= 1' },
    { pointer: '/lines/1/sku', reason: 'is required' },
    { pointer: '/lines/1', reason: 'must not have the property "a/b"' },
  ])
})

test('schemas that contain themselves are followed as far as the value goes', () => {
  const order = { lines: [{ sku: 'ABC' }] }
  assert.equal(judge({ $ref: '#/$defs/Order' }, { ...order, parent: { ...order, parent: order } }), null)
  assert.deepEqual(judge({ $ref: '#/$defs/Order' }, { ...order, parent: { parent: order } }), [
    { pointer: '/parent/lines', reason: 'is required' },
  ])
})

test('what is read-only is required of answers alone', () => {
  const order = { lines: [{ sku: 'ABC' }] }
  assert.equal(judge({ $ref: '#/$defs/Order' }, order, 'request'), null)
  assert.deepEqual(judge({ $ref: '#/$defs/Order' }, order, 'response'), [
    { pointer: '/id', reason: 'is required' },
  ])
})

test('draft-07 and 2020-12 each have their own tuples', () => {
  const draft7: JsonSchema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'https://example.com/a',
    definitions: { text: { type: 'string' } },
    items: [{ $ref: '#/definitions/text' }, { type: 'number' }],
    additionalItems: false,
  }
  assert.equal(judge(draft7, ['a', 1]), null)
  assert.equal(judge(draft7, ['a', 1, 2])!.length, 1)
  const modern = { prefixItems: [{ type: 'string' }], items: { type: 'number' }, $defs: { x: true } }
  assert.equal(judge(modern, ['a', 1, 2]), null)
  assert.equal(judge(modern, ['a', 'b'])![0]!.pointer, '/1')
})

test('a branch that does not fit evaluates no items (JSON Schema 2020-12 Core, 7.7.1)', () => {
  const schema = { anyOf: [true, { prefixItems: [{ const: 1 }] }], unevaluatedItems: false }
  assert.equal(judge(schema, [1]), null)
  assert.equal(judge(schema, [2])?.length, 1)
})

test('contains evaluates the items that fit it, and no others (JSON Schema 2020-12 Applicator, 11.2)', () => {
  const schema = { contains: { type: 'null' }, unevaluatedItems: false }
  assert.equal(judge(schema, [null, null]), null)
  assert.equal(judge(schema, [1, null])?.length, 1)
})

test('a name that each object of JavaScript has is evaluated by nothing but the schema', () => {
  const schema = { patternProperties: { '^a': false }, unevaluatedProperties: false }
  assert.equal(judge(schema, { constructor: null })?.length, 1)
  assert.equal(judge(schema, {}), null)
})

test('a definition of the schema itself goes before the shared one of its name', () => {
  assert.equal(judge({ $defs: { Line: { type: 'number' } }, $ref: '#/$defs/Line' }, 1), null)
})

test('a schema cannot make its judge a promise, or reach keywords that are not of JSON Schema', () => {
  const schema = { $async: true, 'postern:shared': 'Order', type: 'number' }
  assert.equal(judge(schema, 1), null)
  assert.deepEqual(judge(schema, 'a'), [{ pointer: '', reason: 'must be number' }])
})

test('the errors of one value are bounded', () => {
  const errors = judge({ items: { type: 'string' } }, Array(500).fill(1))
  assert.equal(errors!.length, ERRORS_MAX)
  assert.equal(judge({ items: { type: 'string' } }, Array(50_000).fill(1))!.length, 1)
})

test('equal items are found in linear time, also among objects', () => {
  assert.deepEqual(
    judge({ uniqueItems: true }, [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]),
    [{ pointer: '', reason: 'must not have equal items' }],
  )
  assert.equal(judge({ uniqueItems: true }, ['{"a":1}', { a: 1 }, 1, '1', [1], null, false, 0]), null)
  const many = Array.from({ length: 200_000 }, (_, n) => ({ n }))
  const distinct = createSchemaJudges({}, true).of({ uniqueItems: true }, 'request')
  // Each with each would be twenty thousand million
  inTime(() => assert.equal(distinct(many), null))
  inTime(() => assert.equal(distinct([...many, { n: 0 }])?.length, 1))
})

/** Told apart by what stands behind the parts: each part is looked at once for each kind of what is above it. */
const tree = (ref: string): JsonSchema => ({
  oneOf: ['and', 'or', 'not'].map((kind) => ({
    type: 'object',
    properties: { parts: { type: 'array', items: { $ref: ref } }, kind: { const: kind } },
    required: ['kind'],
  })),
})

function nested(depth: number, kind = 'and'): unknown {
  let value: unknown = { parts: [], kind }
  for (let i = 0; i < depth; i++) value = { parts: [value], kind: 'and' }
  return value
}

test('the ways to a part of a deep value do not multiply', () => {
  const judges = createSchemaJudges({ tree: tree('#/$defs/tree') }, true)
  const shared = judges.of({ $ref: '#/$defs/tree' }, 'request')
  inTime(() => {
    for (let i = 0; i < 3; i++) {
      assert.equal(shared(nested(90)), null)
      assert.notEqual(shared(nested(90, 'xor')), null)
    }
  })
  const own: JsonSchema = { $ref: '#/$defs/tree', $defs: { tree: tree('#/$defs/tree') } }
  const local = createSchemaJudges({}, true).of(own, 'request')
  inTime(() => {
    assert.equal(local(nested(90)), null)
    assert.notEqual(local(nested(90, 'xor')), null)
  })
})

test('a value of many parts is judged whole', () => {
  const own: JsonSchema = {
    items: { $ref: '#/$defs/line' },
    $defs: { line: { properties: { n: { type: 'integer' } } } },
  }
  const many = Array.from({ length: 100_000 }, (_, n) => ({ n }))
  assert.equal(judge(own, many), null)
  assert.equal(judge({ items: { $ref: '#/$defs/Line' } }, Array(100_000).fill({ sku: 'ABC' })), null)
})

test('an expression that other engines never finish is harmless', () => {
  const schema = { pattern: '^(a+)+$' }
  inTime(() => assert.equal(judge(schema, `${'a'.repeat(100_000)}b`)![0]!.pointer, ''))
})

test('what cannot be used is refused when it is stored', () => {
  const judges = createSchemaJudges(SHARED, false)
  const unusable: JsonSchema[] = [
    { type: 'wrong' },
    { required: 'id' },
    { pattern: '(?=a)' },
    { pattern: '(' },
    { $ref: '#/$defs/Missing' },
    { $ref: 'https://example.com/schema' },
    { properties: { a: 7 } },
    { maxLength: '1) || process.exit(' },
  ]
  for (const schema of unusable)
    assert.throws(() => judges.of(schema, 'request'), RangeError, JSON.stringify(schema))
})

test('too many or too deeply nested parts are refused', () => {
  let deep: JsonSchema = {}
  for (let i = 0; i < 200; i++) deep = { items: deep }
  assert.throws(() => createSchemaJudges({}, true).of(deep, 'request'), /nested/)
  const wide = { anyOf: Array(30_000).fill({ type: 'string' }) }
  assert.throws(() => createSchemaJudges({}, true).of(wide, 'request'), /parts/)
})

test('any JSON is judged without a fault', () => {
  const judges = createSchemaJudges(SHARED, true)
  const order = judges.of({ $ref: '#/$defs/Order' }, 'request')
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const errors = order(value)
      assert.ok(errors === null || (errors.length > 0 && errors.length <= ERRORS_MAX))
    }),
    { numRuns: 500 },
  )
})

test('every expression of a schema is its own', () => {
  const schema: JsonSchema = {
    properties: { a: { pattern: '^a' }, b: { pattern: '^b' } },
    patternProperties: { '^n': { type: 'number' }, '^s': { type: 'string' } },
  }
  assert.equal(judge(schema, { a: 'a', b: 'b', n: 1, s: 's' }), null)
  assert.deepEqual(
    judge(schema, { a: 'b', b: 'a', n: 's', s: 1 })!.map(({ pointer }) => pointer),
    ['/a', '/b', '/n', '/s'],
  )
})

test('a multiple is judged in decimal, and so is each number that a double holds', () => {
  const price: JsonSchema = { type: 'number', multipleOf: 0.01, exclusiveMaximum: 100 }
  for (const good of [19.99, 0.07, 4.35, 1e1, -0]) assert.equal(judge(price, good), null, `${good}`)
  assert.deepEqual(judge(price, 19.995), [{ pointer: '', reason: 'must be multiple of 0.01' }])
  assert.deepEqual(judge(price, 100), [{ pointer: '', reason: 'must be < 100' }])
})

test('nothing is refused for digits that a double cannot hold', () => {
  const inexact = (text: string): ReadonlySet<number> => new Set([Number(text)])
  const judgeText = (schema: JsonSchema, text: string) =>
    createSchemaJudges({}, true).of(schema, 'request')(JSON.parse(text), inexact(text))
  for (const [schema, text] of [
    [{ type: 'integer', multipleOf: 10 }, '12345678901234567890'],
    [{ type: 'integer', exclusiveMaximum: 2 ** 63 }, '9223372036854775806'],
    [{ type: 'number', exclusiveMaximum: 1 }, '0.99999999999999999999'],
    [{ type: 'number', minimum: 5 }, '1e400'],
  ] as const)
    assert.equal(judgeText(schema, text), null, text)
  assert.notEqual(judgeText({ maximum: 7 }, '12345678901234567890'), null)
  const distinct = createSchemaJudges({}, true).of({ uniqueItems: true }, 'request')
  const text = '9007199254740993'
  assert.equal(distinct([Number(text), 9007199254740992], inexact(text)), null)
})

const TIMES = {
  Stamp: { type: 'string', readOnly: true },
  Base: { required: ['id'], properties: { id: { type: 'string' }, at: { $ref: '#/$defs/Stamp' } } },
  Entity: { type: 'object', required: ['id', 'name'] },
  Open: { properties: { note: { type: 'string' } } },
}

test('what is read-only behind a reference, allOf or a neighbour is not required of a request', () => {
  const request = (schema: JsonSchema, value: unknown) =>
    createSchemaJudges(TIMES, true).of(schema, 'request')(value)
  const response = (schema: JsonSchema, value: unknown) =>
    createSchemaJudges(TIMES, true).of(schema, 'response')(value)
  const schemas: JsonSchema[] = [
    { required: ['at'], properties: { at: { $ref: '#/$defs/Stamp' } } },
    { required: ['at'], properties: { at: { allOf: [{ $ref: '#/$defs/Stamp' }], title: 'At' } } },
    { required: ['at'], properties: { at: { anyOf: [{ $ref: '#/$defs/Stamp' }, { type: 'null' }] } } },
    { allOf: [{ $ref: '#/$defs/Base' }, { required: ['at'] }], properties: { id: { readOnly: true } } },
    { required: ['at', 'id'], allOf: [{ $ref: '#/$defs/Base' }, { properties: { id: { readOnly: true } } }] },
    { $ref: '#/$defs/Base', properties: { id: { readOnly: true } } },
    { dependentRequired: { name: ['at'] }, properties: { at: { $ref: '#/$defs/Stamp' } } },
    { oneOf: [{ required: ['at'] }, { required: ['name'] }], properties: { at: { readOnly: true } } },
  ]
  for (const schema of schemas) {
    assert.equal(request(schema, { name: 'a' }), null, JSON.stringify(schema))
    assert.notEqual(
      response(schema, schema === schemas[7] ? {} : { name: 'a' }),
      null,
      JSON.stringify(schema),
    )
  }
  const entity: JsonSchema = { allOf: [{ $ref: '#/$defs/Entity' }], properties: { id: { readOnly: true } } }
  assert.equal(request(entity, { name: 'a' }), null)
  assert.deepEqual(request(entity, {}), [{ pointer: '/name', reason: 'is required' }])
  assert.equal(request({ required: ['secret'], properties: { secret: { writeOnly: true } } }, {})!.length, 1)
  assert.equal(response({ required: ['secret'], properties: { secret: { writeOnly: true } } }, {}), null)
})

test('a part that takes more than it says refuses nothing from within not, oneOf or if', () => {
  const looseDate = '2026-19-39'
  for (const [schema, value] of [
    [{ not: { format: 'date' } }, looseDate],
    [{ oneOf: [{ format: 'date' }, { pattern: '^2026' }] }, looseDate],
    [
      {
        oneOf: [
          { type: 'string', format: 'a' },
          { type: 'string', format: 'b' },
        ],
      },
      'text',
    ],
    [JSON.parse('{ "if": { "format": "date" }, "then": false }'), looseDate],
    [{ not: { type: 'string', 'x-not-judged': ['pattern'] } }, 'text'],
    [{ oneOf: [{ $ref: '#/$defs/Open' }, { 'x-not-judged': ['pattern'] }] }, {}],
    [{ allOf: [{ $ref: '#/$defs/Open' }], unevaluatedProperties: false }, { note: 'a' }],
    [{ contains: { format: 'date' }, maxContains: 1 }, [looseDate, looseDate]],
    [{ patternProperties: { '(?=a)': { type: 'string' } }, additionalProperties: false }, { a: 1 }],
  ] as const)
    assert.equal(
      createSchemaJudges(TIMES, true).of(schema as JsonSchema, 'request')(value),
      null,
      JSON.stringify(schema),
    )
  assert.notEqual(judge({ oneOf: [{ minimum: 1 }, { maximum: 5 }] }, 3), null)
  assert.notEqual(judge({ not: { type: 'string' } }, 'a'), null)
})

test('formats take unusual values of their standard', () => {
  for (const [format, values] of Object.entries({
    'date-time': ['2026-01-01t00:00:00z', '1998-12-31T23:59:60Z', '2026-01-01T00:00:00.123456789+05:30'],
    email: ['"joe bloggs"@example.com', 'joe@[127.0.0.1]', 'a+b@example.co.uk', 'jose@exämple.com'],
    byte: ['aGk=', 'aGk', '_-8=', ''],
    uuid: ['2EB8AA08-AA98-11EA-B4AA-73B441D16380'],
    unknown: ['anything'],
    int64: [2 ** 62, 1e3, -0],
  }))
    for (const value of values) assert.equal(judge({ format }, value), null, `${format} ${value}`)
})
