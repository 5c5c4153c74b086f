import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type JsonSchema, ProxySpec } from '../../model/api/proxy.ts'
import { breakingChanges, sharedBy } from './breaking.ts'

type Part = Partial<ProxySpec>

const contract = (part: Part): ProxySpec =>
  ProxySpec.parse({ collection: 'a', name: 'A', methods: ['POST'], path: '/a/{id}', ...part })

/** What is told, as `pointer reason`. */
function told(was: Part, is: Part, before: object = {}, after: object = before): string[] {
  const shared = sharedBy(before as Record<string, JsonSchema>, after as Record<string, JsonSchema>)
  return breakingChanges(contract(was), contract(is), shared).map(
    ({ pointer, reason }) => `${pointer} ${reason}`,
  )
}

const request = (schema: JsonSchema): Part => ({ request_schema: schema })
const response = (schema: JsonSchema): Part => ({ response_schema: schema })
const object = (properties: object, required: string[] = [], more: object = {}): JsonSchema =>
  ({ type: 'object', properties, required, ...more }) as JsonSchema
const query = (more: object = {}): Part => ({
  parameters: [{ name: 'q', in: 'query', type: 'string', required: false, description: '', ...more }],
})

const BREAKING: readonly (readonly [string, Part, Part, string[]])[] = [
  ['a method that goes', { methods: ['GET', 'POST'] }, {}, ['/methods GET no longer exists']],
  ['another path', {}, { path: '/b/{id}' }, ['/path was /a/{id}']],
  [
    'a new parameter that is required',
    {},
    query({ required: true }),
    ['/parameters/0 query parameter "q" is new and required'],
  ],
  [
    'a parameter that becomes required',
    query(),
    query({ required: true }),
    ['/parameters/0 "q" has become required'],
  ],
  [
    'a parameter of another type',
    query(),
    query({ type: 'integer' }),
    ['/parameters/0 "q" is integer now, was string'],
  ],
  [
    'fewer values',
    query({ enum: ['a', 'b'] }),
    query({ enum: ['b'] }),
    ['/parameters/0 "q" is never "a" any more'],
  ],
  ['a lower bound', query({ max: 50 }), query({ max: 20 }), ['/parameters/0 "q" has maximum 20, was 50']],
  [
    'a parameter that goes where others are refused',
    { ...query(), strict_query: true },
    { strict_query: true },
    ['/parameters query parameter "q" is no longer accepted'],
  ],
  [
    'a body that becomes required',
    {},
    { ...request(true), request_required: true },
    ['/request_required a body has become required'],
  ],
  [
    'a media type that goes',
    { request_types: ['text/plain', 'application/json'] },
    { request_types: ['application/json'] },
    ['/request_types text/plain is no longer accepted'],
  ],
  [
    'a member that becomes required',
    request(object({ a: {} })),
    request(object({ a: {}, b: {} }, ['b'])),
    ['/request_schema/required "b" has become required'],
  ],
  [
    'a member that is no longer taken',
    request(object({ a: {} })),
    request(object({}, [], { additionalProperties: false })),
    [
      '/request_schema/additionalProperties other members are no longer accepted',
      '/request_schema/properties/a is no longer accepted',
    ],
  ],
  [
    'narrower items',
    request({ type: 'array', items: { type: 'number' } }),
    request({ type: 'array', items: { type: 'integer' } }),
    ['/request_schema/items is integer now, was number'],
  ],
  [
    'what is not taken apart',
    request({ oneOf: [{ type: 'string' }] }),
    request({ oneOf: [{ type: 'string' }, { type: 'null' }] }),
    ['/request_schema/oneOf was changed in a way that is not compared; check it yourself'],
  ],
  [
    'an answer without a member',
    response(object({ a: { type: 'string' } })),
    response(object({})),
    ['/response_schema/properties/a is no longer described'],
  ],
  [
    'an answer whose member may be missing',
    response(object({ a: {} }, ['a'])),
    response(object({ a: {} })),
    ['/response_schema/required "a" may be missing now'],
  ],
  [
    'an answer that may be null',
    response({ type: 'string' }),
    response({ type: ['string', 'null'] }),
    ['/response_schema may be null now, was string'],
  ],
  [
    'an answer with another value',
    response({ enum: ['open'] }),
    response({ enum: ['open', 'lost'] }),
    ['/response_schema may be "lost" now'],
  ],
]

for (const [name, was, is, expected] of BREAKING)
  test(`breaking: ${name}`, () => {
    const base = (part: Part): Part => ({ request_required: false, ...part })
    assert.deepEqual(told(base(was), base(is)), expected)
  })

const HARMLESS: readonly (readonly [string, Part, Part])[] = [
  ['a method more', {}, { methods: ['POST', 'GET'] }],
  ['a path parameter of another name', {}, { path: '/a/{key}' }],
  ['an optional parameter more', {}, query()],
  ['more values and a wider bound', query({ enum: ['a'], max: 1 }), query({ enum: ['a', 'b'], max: 2 })],
  ['an integer that may be any number', query({ type: 'integer' }), query({ type: 'number' })],
  ['an optional member more', request(object({})), request(object({ a: { type: 'string' } }))],
  ['an answer with a member more', response(object({})), response(object({ a: {} }, ['a']))],
  ['an answer that is narrower', response({ type: 'number' }), response({ type: 'integer' })],
  ['other texts', { name: 'A', description: 'a' }, { name: 'B', description: 'b' }],
]

for (const [name, was, is] of HARMLESS)
  test(`not breaking: ${name}`, () => assert.deepEqual(told(was, is), []))

test('a change of a shared schema is found through references, also where it holds itself', () => {
  const before = {
    Node: object({ next: { $ref: '#/$defs/Node' }, value: { $ref: '#/$defs/Value' } }),
    Value: { type: 'string' },
  }
  const after = { ...before, Value: { type: 'string', maxLength: 5 } }
  const part = request({ $ref: '#/$defs/Node' })
  assert.deepEqual(told(part, part, before), [])
  assert.deepEqual(told(part, part, before, after), ['/request_schema/properties/value has maxLength 5'])
})

test('whatever two schemas are, nothing breaks between a version and itself, and comparing ends', () => {
  const schema = fc.jsonValue({ maxDepth: 4 }).map((value) => ({ properties: { a: value }, items: value }))
  fc.assert(
    fc.property(schema, schema, (a, b) => {
      assert.deepEqual(told(request(a as JsonSchema), request(a as JsonSchema)), [])
      told(request(a as JsonSchema), request(b as JsonSchema))
      told(response(a as JsonSchema), response(b as JsonSchema))
    }),
    { numRuns: 300 },
  )
})

test('a schema costs its size, however deep it lies, and a name that many use its users', () => {
  const wide = (description: string): JsonSchema =>
    object(Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`m${at}`, { description }])))
  const deep = (schema: JsonSchema): JsonSchema => {
    let whole = schema
    for (let depth = 0; depth < 60; depth++) whole = object({ a: whole })
    return whole
  }
  assert.deepEqual(told(request(deep(wide('one'))), request(deep(wide('other')))), [
    `/request_schema${'/properties/a'.repeat(60)}/properties/m4939 too deep to compare; check it yourself`,
  ])
  const users = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, at) => [`U${at}`, { $ref: '#/$defs/Value' }]),
  )
  const part = request({ $ref: '#/$defs/U19999' })
  const [before, after] = [
    { ...users, Value: { type: 'string' } },
    { ...users, Value: { type: 'number' } },
  ]
  assert.deepEqual(told(part, part, before, after), ['/request_schema is number now, was string'])
})
