import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkflowDefinition } from '../model/workflow/workflow.ts'
import { NODE_TYPES } from './definitions.ts'
import { requestTypesOf } from './request-types.ts'
import { typeFindings } from './types.ts'

const NODES = [
  { id: 'http', type: 'http_trigger' },
  { id: 'call', type: 'proxy_node', on_error: 'handle' },
  { id: 'is', type: 'condition_node', inputs: { expression: true } },
  { id: 'set', type: 'set_node', inputs: { total: '{{ 1 }}' } },
  { id: 'odd', type: 'set_node', inputs: { 'a-b': 1 } },
  {
    id: 'kept',
    type: 'cache_node',
    config: { op: 'get' },
    inputs: { key: 'k' },
    on_error: 'fallback',
    fallback: {},
  },
  { id: 'all', type: 'join_node' },
]
const EDGES = [
  ...['call', 'is', 'set', 'odd', 'kept'].map((to) => ({ from: 'http', to })),
  ...['success', 'error'].map((handle) => ({ from: 'call', handle, to: 'all' })),
  ...['set', 'kept'].map((from) => ({ from, to: 'all' })),
  { from: 'all', to: 'end' },
]

/** Findings of a last node with these inputs. */
function found(inputs: object, type: string = 'set_node'): string[] {
  const definition = { nodes: [...NODES, { id: 'end', type, inputs }], edges: EDGES }
  return typeFindings(WorkflowDefinition.parse(definition)).map(
    ({ pointer, message }) => `${pointer.replace('/nodes/7/inputs', '')} ${message}`,
  )
}

test('a member that a node does not give is told where it is read', () => {
  assert.deepEqual(found({ a: ['{{ $.http.request.metod }}'] }), [
    '/a/0 there is no member metod: {{ $.http.request.metod }}',
  ])
  for (const [expression, member] of [
    ['$.call.statuss', 'statuss'],
    ['$.set.totl', 'totl'],
    ['$.all.call.bdy', 'bdy'],
    ['$.all.nobody', 'nobody'],
    ['$.is.error', 'error'],
  ])
    assert.deepEqual(found({ a: `{{ ${expression} }}` }), [
      `/a there is no member ${member}: {{ ${expression} }}`,
    ])
})

test('operators and functions for types that are certain are told', () => {
  for (const expression of [
    '$.http.request.method + 1',
    '$.call.status.startsWith("2")',
    '$.is.result + 1',
    '$.call.error.kind == 3',
    '$.call.status ? 1 : 2',
  ])
    assert.equal(found({ a: `{{ ${expression} }}` }).length, 1, expression)
})

test('what only a run can tell, and what CEL alone does not take, is no finding', () => {
  for (const expression of [
    '$.http.request.body.anything + 1',
    '$.http.request.query.of + 1',
    '$.http.request.headers["x-a"].size()',
    '$.http.request.method == null',
    '$.call.status == 200.5',
    '$.call.status > 1.5',
    'math.max($.call.status, 1.5)',
    '$.call.body.map(x, x.y)',
    '$.call.error.kind == "timeout"',
    'has($.call.error)',
    '$.kept.whatever',
    '$.set.total + 1',
    '$.odd["a-b"]',
    'size($.all)',
    'object.keys($.call)',
    'json.stringify($.http.request)',
    '$.all.call.status == 200',
    // Of another finding
    '$.nobody',
    '1 +',
  ])
    assert.deepEqual(found({ a: `{{ ${expression} }}` }), [], expression)
})

test('an input of another type than the node takes is told, and one that may have it is not', () => {
  const of = (value: unknown) => found({ expression: value }, 'condition_node')
  assert.deepEqual(of('{{ $.http.request.method }}'), ['/expression takes a boolean, and gets a string'])
  assert.deepEqual(of('{{ $.call.status }}'), ['/expression takes a boolean, and gets an integer'])
  assert.deepEqual(of('yes'), ['/expression takes a boolean, and gets a string'])
  assert.deepEqual(of(null), ['/expression takes a boolean, and gets null'])
  assert.deepEqual(of('{{ $.call }}'), ['/expression takes a boolean, and gets an object'])
  for (const value of [true, '{{ $.is.result }}', '{{ $.call.status == 200 }}', '{{ $.http.request.body }}'])
    assert.deepEqual(of(value), [], String(value))
  const answer = (inputs: object) => found(inputs, 'response_node')
  assert.deepEqual(answer({ status: 'ok', headers: [], problem: 'x' }), [
    '/status takes an integer, and gets a string',
    '/headers takes an object, and gets a list',
    '/problem takes an object, and gets a string',
  ])
  assert.deepEqual(
    answer({ status: '{{ $.call.status + 1 }}', headers: { a: '{{ 1 }}' }, body: 'x', problem: null }),
    [],
  )
  assert.deepEqual(answer({ headers: '{{ $.http.request.headers }}', body: '{{ 1.5 }}' }), [])
})

const PROXY: Parameters<typeof requestTypesOf>[0] = {
  methods: ['POST'],
  path: '/v1/shops/{shop}/orders/{id}',
  request_validation: 'enforce',
  request_schema: { $ref: '#/$defs/Order' },
}
const SHARED = {
  Order: {
    type: 'object',
    required: ['sku'],
    additionalProperties: false,
    properties: {
      sku: { type: 'string' },
      count: { type: 'integer' },
      price: { type: 'number' },
      note: { type: ['string', 'null'] },
      gift: { type: 'boolean' },
      lines: { type: 'array', items: { type: 'string' } },
      customer: { $ref: '#/$defs/Customer' },
      any: true,
      either: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
      parent: { $ref: '#/$defs/Order' },
    },
  },
  // It takes members that the schema does not name
  Customer: { type: 'object', properties: { name: { type: 'string' } } },
  Open: { type: 'object', properties: { sku: { type: 'string' } } },
  'a-b': { type: 'object', additionalProperties: false, properties: { 'a-b': { type: 'string' } } },
}

/** Findings for expressions over the request of a proxy. */
function foundFor(expression: string, proxy: object = {}, mode: 'enforce' | 'report' = 'enforce'): string[] {
  const definition = WorkflowDefinition.parse({
    nodes: [
      { id: 'http', type: 'http_trigger' },
      { id: 'end', type: 'set_node', inputs: { a: `{{ ${expression} }}` } },
    ],
    edges: [{ from: 'http', to: 'end' }],
  })
  const types = requestTypesOf({ ...PROXY, ...proxy }, mode, SHARED)
  return typeFindings(definition, types).map(({ message }) => message.replace(/: \{\{.*/, ''))
}

test('members that the contract of a proxy does not take, and their types, are told', () => {
  const body = '$.http.request.body'
  for (const [expression, member] of [
    [`${body}.skuu`, 'skuu'],
    [`${body}.parent.parent.skuu`, 'skuu'],
    ['$.http.request.path_params.order', 'order'],
  ] as const)
    assert.deepEqual(foundFor(expression), [`there is no member ${member}`], expression)
  for (const expression of [
    `${body}.sku + 1`,
    `${body}.count.startsWith("1")`,
    `${body}.gift ? ${body}.gift + 1 : 2`,
    '$.http.request.path_params.id + 1',
  ])
    assert.equal(foundFor(expression).length, 1, expression)
})

test('what a request that conforms to the contract may hold is no finding', () => {
  const body = '$.http.request.body'
  for (const expression of [
    `${body}.sku + ${body}.parent.sku`,
    `${body}.count * 2 + ${body}.price`,
    `${body}.count > 1.5`,
    `${body}.note == null ? "" : ${body}.note`,
    `${body}.customer.anything + 1`,
    `${body}.any.thing + 1`,
    `${body}.either + 1`,
    `${body}.lines.map(x, x + "a")`,
    `has(${body}.gift) && ${body}.gift`,
    `${body}.get(["sku"], "none")`,
    `${body}["sku"]`,
    `has(${body}.skuu)`,
    `json.stringify(${body})`,
    `${body}.merge({"b": 1})`,
    '"shop" in $.http.request.path_params',
    '$.http.request.path_params.shop + $.http.request.path_params["id"]',
  ])
    assert.deepEqual(foundFor(expression), [], expression)
})

test('nothing is told of bodies that may be others, or need not be there', () => {
  for (const proxy of [
    { request_validation: 'report' },
    { request_validation: 'off' },
    { methods: ['GET', 'POST'] },
    { request_required: false },
    { kind: 'graphql' },
    { request_types: ['application/json', 'text/csv'] },
    { request_schemas: { 'application/json': true } },
    { contracts: { POST: { request_schema: true } } },
    { request_schema: null },
    { request_schema: true },
    { request_schema: { $ref: '#/$defs/Open' } },
    { request_schema: { $ref: '#/$defs/nobody' } },
    { request_schema: { $ref: '#/$defs/a-b' } },
    { request_schema: { ...SHARED.Order, allOf: [{}] } },
    { request_schema: { ...SHARED.Order, nullable: true } },
    { request_schema: { ...SHARED.Order, patternProperties: { '^x': true } } },
    { request_schema: { ...SHARED.Order, type: ['object', 'null'] } },
  ])
    assert.deepEqual(foundFor('$.http.request.body.skuu', proxy), [], JSON.stringify(proxy))
  assert.deepEqual(foundFor('$.http.request.body.skuu', { request_validation: 'inherit' }, 'report'), [])
  assert.equal(foundFor('$.http.request.body.skuu', { request_validation: 'inherit' }).length, 1)
  assert.deepEqual(foundFor('$.http.request.path_params.rest', { path: '/v1/*' }), [])
})

test('descriptions of inputs and outputs begin with a type', () => {
  const TYPE = /^(string|boolean|integer|number|list|object|any)\b/
  for (const { name, inputs, outputs } of NODE_TYPES)
    for (const [member, text] of [...Object.entries(inputs), ...Object.entries(outputs)])
      if (member !== '*') assert.match(text, TYPE, `${name} ${member}`)
})
