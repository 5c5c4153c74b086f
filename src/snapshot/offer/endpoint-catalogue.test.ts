import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import { createSchemaJudges } from '../schema/judge.ts'
import { type OfferedProxy, offeredBy } from './endpoint-catalogue.ts'

const PLAIN = {
  name: 'Orders',
  description: '',
  path: '/orders',
  methods: ['POST'],
  kind: 'http',
  status: 'published',
  operation_id: 'createOrder',
  parameters: [],
  request_schema: null,
  request_types: ['application/json'],
  response_schema: null,
} as const

function parameter(name: string, more: Partial<Parameter> = {}): Parameter {
  return { name, in: 'query', type: 'string', required: false, description: '', ...more }
}

interface Tool {
  readonly name: string
  readonly description: string
  readonly inputSchema: Plain & { readonly properties: Readonly<Record<string, Plain>> }
}

/** The only tool of a collection with one proxy, and where its arguments go. */
function toolOf(spec: Partial<OfferedProxy['spec']>) {
  const proxy: OfferedProxy = { id: 'prx_1', slug: 'orders', spec: { ...PLAIN, ...spec } }
  const offer = { collection: { slug: 'shop', spec: { base_path: '/shop' } }, schemas: {} }
  const { catalogue, endpoints } = offeredBy({ ...offer, proxies: [proxy] }, true)
  const tool = catalogue.tools[0] as unknown as Tool
  return { tool, endpoint: endpoints.tools[tool.name]! }
}

function takes(schema: Plain, value: unknown): boolean {
  return createSchemaJudges({}, true).of(schema as never, 'request')(value) === null
}

test('all values of an enum are listed, in arguments and in the body', () => {
  const values = Array.from({ length: 260 }, (_, at) => `C${at}`)
  const { tool } = toolOf({
    parameters: [parameter('country', { enum: values })],
    request_schema: { type: 'object', properties: { to: { type: 'string', enum: values } } },
  })
  const { country, body } = tool.inputSchema.properties
  assert.deepEqual(country?.['enum'], values)
  assert.ok(isPlain(body?.['properties']) && isPlain(body['properties']['to']))
  assert.deepEqual(body['properties']['to']['enum'], values)
})

test('bounds of a parameter are about its type, and those of a list are about its items', () => {
  const { tool } = toolOf({
    parameters: [
      parameter('text', { min: 2, max: 3, pattern: '^a' }),
      parameter('number', { type: 'integer', min: 2, max: 3, pattern: '^a', enum: [2, 3] }),
      parameter('list', { type: 'array', min: 1, max: 3, enum: ['a', 'b'] }),
      parameter('flag', { type: 'boolean', default: true }),
    ],
  })
  const { text, number, list, flag } = tool.inputSchema.properties
  assert.deepEqual(text, { type: 'string', minLength: 2, maxLength: 3, pattern: '^a' })
  assert.deepEqual(number, { type: 'integer', minimum: 2, maximum: 3, enum: [2, 3] })
  assert.deepEqual(list, { type: 'array', minItems: 1, maxItems: 3, items: { enum: ['a', 'b'] } })
  assert.deepEqual(flag, { type: 'boolean', default: true })
})

test('members that only answers have are not required of a call', () => {
  const { tool } = toolOf({
    request_schema: {
      type: 'object',
      required: ['id', 'name', 'unlisted'],
      properties: { id: { type: 'string', readOnly: true }, name: { type: 'string' } },
    },
  })
  assert.deepEqual(tool.inputSchema.properties['body']?.['required'], ['name'])
})

test('descriptions have at most 1,024 characters and end with a word', () => {
  const long = 'word '.repeat(500)
  const { tool } = toolOf({ description: long, parameters: [parameter('q', { description: long })] })
  for (const text of [tool.description, String(tool.inputSchema.properties['q']?.['description'])]) {
    assert.match(text, /^word .* word…$/)
    assert.ok(text.length <= 1024 && text.length > 1000)
  }
})

test('arguments have a bound in all: the description names what is left out, and a call may have it', () => {
  const long = 'word '.repeat(100)
  const many = Array.from({ length: 300 }, (_, at) => parameter(`filter_${at}`, { description: long }))
  const needed = parameter('needed.most', { required: true, type: 'integer' })
  const { tool, endpoint } = toolOf({ description: long.repeat(5), parameters: [...many, needed] })
  const { properties, required } = tool.inputSchema
  assert.ok(Buffer.byteLength(JSON.stringify(properties)) <= 16 * 1024)
  assert.deepEqual(required, ['needed.most'])
  assert.ok(Object.hasOwn(properties, 'needed.most'))
  const shown = Object.keys(properties).filter((name) => name.startsWith('filter_'))
  assert.ok(shown.length > 20 && shown.length < 300)
  assert.match(tool.description, /… Takes \d+ more arguments: filter_\d+, filter_.*…\.$/)
  assert.ok(tool.description.length <= 1024)
  assert.ok(takes(tool.inputSchema, { 'needed.most': 1, filter_299: 'x' }))
  assert.ok(!takes(tool.inputSchema, { filter_299: 'x' }))
  // The request has the wire name of each parameter, also of those that the schema leaves out
  assert.deepEqual(endpoint.places['filter_299'], ['query', 'filter_299'])
  assert.deepEqual(endpoint.places['needed.most'], ['query', 'needed.most'])
  const { tool: small } = toolOf({ parameters: many.slice(0, 5) })
  assert.equal(small.inputSchema['additionalProperties'], false)
})
