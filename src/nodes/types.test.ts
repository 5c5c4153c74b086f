import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkflowDefinition } from '../model/workflow.ts'
import { NODE_TYPES } from './definitions.ts'
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

test('descriptions of inputs and outputs begin with a type', () => {
  const TYPE = /^(string|boolean|integer|number|list|object|any)\b/
  for (const { name, inputs, outputs } of NODE_TYPES)
    for (const [member, text] of [...Object.entries(inputs), ...Object.entries(outputs)])
      if (member !== '*') assert.match(text, TYPE, `${name} ${member}`)
})
