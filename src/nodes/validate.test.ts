import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WorkflowDefinition } from '../model/workflow.ts'
import { NODE_TYPES } from './definitions.ts'
import { TEMPLATES } from './templates.ts'
import { validateDefinition } from './validate.ts'

const KNOWN = { has: (_type: string, ref: string) => ref !== 'nobody' }

const define = (nodes: object[], edges: string[] = []): WorkflowDefinition =>
  WorkflowDefinition.parse({
    nodes,
    edges: edges.map((text) => {
      const [from, handle, to] = text.split(' ')
      return to === undefined ? { from, to: handle } : { from, handle, to }
    }),
  })
const found = (nodes: object[], edges: string[] = []) =>
  validateDefinition(define(nodes, edges), KNOWN).map(({ code, pointer, severity }) =>
    severity === 'error' ? `${code} ${pointer}` : `(${code} ${pointer})`,
  )

const http = { id: 'http', type: 'http_trigger' }
const end = { id: 'end', type: 'response_node' }

test('the smallest workflow is a trigger and an answer', () => {
  assert.deepEqual(found([http, end], ['http end']), [])
  assert.deepEqual(found([]), ['missing_trigger /nodes'])
  assert.deepEqual(found([http]), ['missing_response /nodes', '(unhandled_handle /nodes/0)'])
  assert.deepEqual(found([http, { ...http, id: 'again' }, end], ['http end', 'again end']), [
    'missing_trigger /nodes/1',
  ])
})

test('nodes are held to their type: settings, inputs, credentials and what looks like a secret', () => {
  const call = (config: object, inputs: object) => [
    http,
    { id: 'call', type: 'http_request_node', config, inputs },
    end,
  ]
  const edges = ['http call', 'call success end']
  const config = { hosts: ['api.test'] }
  assert.deepEqual(found(call(config, { url: 'https://api.test' }), edges), [])
  assert.deepEqual(found(call({}, {}), edges), [
    'bad_config /nodes/1/config/hosts',
    'bad_input /nodes/1/inputs/url',
  ])
  assert.deepEqual(found(call({ ...config, host: 'x' }, { url: 'x', urls: 'x' }), edges), [
    'bad_config /nodes/1/config/host',
    'bad_input /nodes/1/inputs/urls',
  ])
  assert.deepEqual(found(call({ ...config, credential: 'nobody' }, { url: 'x' }), edges), [
    'missing_credential /nodes/1/config/credential',
  ])
  const headers = { Authorization: 'Bearer abc', 'X-Api-Key': '{{ $.http.request.id }}' }
  assert.deepEqual(found(call(config, { url: 'x', headers }), edges), [
    'secret_literal /nodes/1/inputs/headers/Authorization',
  ])
  assert.deepEqual(found([http, { id: 'x', type: 'nothing' }, end], ['http x', 'x end']), [
    'unknown_node_type /nodes/1/type',
  ])
  const each = { id: 'each', type: 'foreach_node', config: { workflow: 'nobody' }, inputs: { list: [] } }
  assert.deepEqual(found([http, each, end], ['http each', 'each end']), [
    'unknown_reference /nodes/1/config/workflow',
  ])
})

test('edges lead from handles that are there to nodes that are there', () => {
  const check = { id: 'check', type: 'condition_node', inputs: { expression: true } }
  assert.deepEqual(found([http, check, end], ['http check', 'check true end']), [
    '(unhandled_handle /nodes/1)',
  ])
  assert.deepEqual(found([http, check, end], ['http check', 'check true end', 'check false nowhere']), [
    'unknown_reference /edges/2/to',
  ])
  assert.deepEqual(
    found([http, check, end], ['http check', 'check maybe end', 'check true end', 'check false end']),
    ['unknown_reference /edges/1/handle'],
  )
  assert.deepEqual(found([http, end], ['http end', 'end http', 'ghost end']), [
    'unknown_reference /edges/1/to',
    'unknown_reference /edges/1/from',
    'unknown_reference /edges/2/from',
    'cycle /nodes/0',
  ])
  const choose = {
    id: 'choose',
    type: 'switch_node',
    config: { cases: [{ label: 'a', match: 1 }] },
    inputs: { value: 1 },
  }
  assert.deepEqual(found([http, choose, end], ['http choose', 'choose a end', 'choose end']), [])
})

test('ways go round nowhere, reach every node, and meet in a join when they run side by side', () => {
  const set = (id: string) => ({ id, type: 'set_node' })
  assert.deepEqual(found([http, set('a'), set('b'), end], ['http a', 'a b', 'b a', 'b end']), [
    'cycle /nodes/1',
  ])
  assert.deepEqual(found([http, set('a'), end], ['http end', 'a end']), ['(unreachable_node /nodes/1)'])
  const side = ['http a', 'http b', 'a end', 'b end']
  assert.deepEqual(found([http, set('a'), set('b'), end], side), ['parallel_without_join /nodes/3'])
  const join = { id: 'join', type: 'join_node' }
  assert.deepEqual(
    found([http, set('a'), set('b'), join, end], ['http a', 'http b', 'a join', 'b join', 'join end']),
    [],
  )
  const check = { id: 'check', type: 'condition_node', inputs: { expression: true } }
  const either = ['http check', 'check true a', 'check false b', 'a end', 'b end']
  assert.deepEqual(found([http, check, set('a'), set('b'), end], either), [])
})

test('expressions name nodes that run before', () => {
  const set = (id: string, value: unknown) => ({ id, type: 'set_node', inputs: { value } })
  const at = (value: unknown) => found([http, set('a', value), set('b', 1), end], ['http a', 'a b', 'b end'])
  assert.deepEqual(at('{{ $.http.request.body }} and {{ $json["http"].request }}'), [])
  assert.deepEqual(at('$.nobody is no expression'), [])
  assert.deepEqual(at({ deep: ['{{ $.nobody.x }}'] }), ['unknown_reference /nodes/1/inputs/value/deep/0'])
  assert.deepEqual(at("{{ $json['b'].value }}"), ['unknown_reference /nodes/1/inputs/value'])
  assert.deepEqual(at('{{ $.http'), ['bad_expression /nodes/1/inputs/value'])
})

test('every template makes a workflow without errors, and names of nodes are its own', () => {
  const given: Readonly<Record<string, object>> = {
    orchestration: { first: '/a', second: '/b' },
    transformation: { to_upstream: 'xml', to_caller: 'json' },
    'canary-routing': { path: '/v2' },
    'auth-and-limit': { scope: 'read' },
    'async-accept': { credential: 'kafka', topic: 'orders' },
    'guarded-llm': { endpoint: 'https://llm.test/v1', model: 'm', credential: 'llm' },
    'mcp-bridge': { origin: 'tools', tool: 'search' },
  }
  for (const { name, parameters, build } of TEMPLATES) {
    const definition = build(parameters.parse(given[name] ?? {}))
    assert.deepEqual(validateDefinition(definition, KNOWN), [], name)
  }
  const names = NODE_TYPES.map((type) => type.name)
  assert.equal(new Set(names).size, names.length)
  const [twice] = WorkflowDefinition.safeParse({ nodes: [http, http] }).error!.issues
  assert.deepEqual(twice?.path, ['nodes', 1, 'id'])
})

test('any definition of the form is judged, with pointers that lead into it', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const node = fc.record({
    type: fc.constantFrom('nothing', ...NODE_TYPES.map(({ name }) => name)),
    config: fc.dictionary(
      fc.constantFrom('op', 'cases', 'credential', 'workflow', 'clients'),
      fc.jsonValue(),
    ),
    inputs: fc.dictionary(
      fc.constantFrom('value', 'secret', 'url'),
      fc.oneof(fc.jsonValue(), fc.constant('{{ $.a }}')),
    ),
    on_error: fc.constantFrom('fail', 'handle'),
  })
  const edge = fc.record({ from: id, to: id, handle: fc.constantFrom('default', 'true', 'error', 'success') })
  let judged = 0
  fc.assert(
    fc.property(fc.array(node, { maxLength: 4 }), fc.array(edge, { maxLength: 8 }), (nodes, edges) => {
      const parsed = WorkflowDefinition.safeParse({
        nodes: nodes.map((one, index) => ({ ...one, id: 'abcd'[index] })),
        edges,
      })
      if (!parsed.success) return
      judged++
      for (const { pointer } of validateDefinition(parsed.data, KNOWN)) {
        // What is missing is named where it would be
        const [, ...keys] = pointer.split('/').slice(0, -1)
        let at: unknown = parsed.data
        for (const key of keys) at = Reflect.get(Object(at), key.replaceAll('~1', '/').replaceAll('~0', '~'))
        assert.ok(typeof at === 'object' && at !== null, pointer)
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(judged > 100, `${judged}`)
})
