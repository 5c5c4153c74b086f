import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WorkflowDefinition } from '../model/workflow/workflow.ts'
import { NODE_TYPES } from './definitions.ts'
import type { Known, KnownOrigin } from './node-type.ts'
import { TEMPLATES } from './templates.ts'
import { validateDefinition } from './validate.ts'

const ADD = {
  name: 'add',
  inputSchema: {
    type: 'object',
    properties: { a: { type: 'integer' }, b: { $ref: '#/$defs/number' } },
    required: ['a', 'b'],
    additionalProperties: false,
    $defs: { number: { type: 'integer', maximum: 9 } },
  },
}
const TASK = { name: 'task', inputSchema: { type: 'object' }, execution: { taskSupport: 'required' } }
const HASH = 'h'.repeat(43)
const TOOLS = new Map([ADD, TASK].map((item) => [item.name, { item, hash: HASH }]))
const ORIGINS: Readonly<Record<string, KnownOrigin>> = {
  desk: { slug: 'desk', kind: 'http', account: 'shared', tools: TOOLS },
  mail: { slug: 'mail', kind: 'http', account: 'user', tools: TOOLS },
  shop: { slug: 'shop', kind: 'collection', account: 'shared', tools: null },
  new: { slug: 'new', kind: 'stdio', account: 'shared', tools: null },
}
const KNOWN: Known = {
  has: (_type, ref) => ref !== 'nobody',
  credentialType: () => undefined,
  hasDriver: () => true,
  origin: (ref) => (Object.hasOwn(ORIGINS, ref) ? ORIGINS[ref]! : null),
}

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

test('nodes are held to their type: settings, inputs and what looks like a secret', () => {
  const pause = (config: object, inputs: object = {}) =>
    found([http, { id: 'pause', type: 'delay_node', config, inputs }, end], ['http pause', 'pause end'])
  assert.deepEqual(pause({ duration: '2s' }), [])
  assert.deepEqual(pause({}), ['bad_config /nodes/1/config/duration'])
  assert.deepEqual(pause({ duration: '2s', until: 'x' }, { value: 1 }), [
    'bad_config /nodes/1/config/until',
    'bad_input /nodes/1/inputs/value',
  ])
  const judge = (config: object, inputs: object) =>
    found(
      [http, { id: 'is', type: 'validate_node', config, inputs }, end],
      ['http is', 'is valid end', 'is invalid end'],
    )
  assert.deepEqual(judge({ schema: true }, {}), ['bad_input /nodes/1/inputs/value'])
  assert.deepEqual(judge({ schema: { type: 'nothing' } }, { value: 1 }), [
    'bad_config /nodes/1/config/schema',
  ])
  const headers = { Authorization: 'Bearer abc', 'X-Api-Key': '{{ $.http.request.id }}' }
  assert.deepEqual(
    found(
      [http, { id: 'call', type: 'proxy_node', inputs: { headers } }, end],
      ['http call', 'call success end'],
    ),
    ['secret_literal /nodes/1/inputs/headers/Authorization'],
  )
  assert.deepEqual(found([http, { id: 'x', type: 'nothing' }, end], ['http x', 'x end']), [
    'unknown_node_type /nodes/1/type',
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
  for (const text of [
    '{{ $.http',
    '{{ 1 + }}',
    '{{ nothing() }}',
    '{{ "a" + 1 }}',
    "{{ $json['a-b'] }}",
    '{{ {"a": 1 }}',
    '{{ "a".sum() }}',
  ])
    assert.deepEqual(at(text), ['bad_expression /nodes/1/inputs/value'], text)
  assert.deepEqual(at('{{ "$.nobody" + $.http.request.id }}'), [])
})

test('a node may have a word of CEL as its id, and no expression can read it', () => {
  for (const id of ['loop', 'in', 'true', 'null', '__proto__', 'constructor', 'math', 'size']) {
    const nodes = (value: string) => [
      http,
      { id, type: 'set_node', inputs: { a: 1 } },
      { id: 'b', type: 'set_node', inputs: { value } },
      end,
    ]
    const edges = [`http ${id}`, `${id} b`, 'b end']
    assert.deepEqual(found(nodes('{{ $.http.request.id }}'), edges), [], id)
    const read = found(nodes(`{{ $.${id}.a }}`), edges)
    const isWord = ['loop', 'in', 'true', 'null'].includes(id)
    assert.deepEqual(read.length > 0 && isWord ? ['bad_expression /nodes/2/inputs/value'] : read, read, id)
    if (isWord) assert.equal(read.length, 1, id)
  }
})

test('every template makes a workflow without errors, and names of nodes are its own', () => {
  const given: Readonly<Record<string, object>> = {
    orchestration: { first: '/a', second: '/b' },
    'canary-routing': { path: '/v2' },
    transformation: { to_upstream: 'xml', to_caller: 'json' },
    'mcp-bridge': { origin: 'desk', tool: 'add' },
    'auth-and-limit': { scope: 'orders:read' },
    'async-accept': { url: 'https://jobs.example.com/v1' },
    'guarded-llm': { base_url: 'https://llm.example.com/v1', model: 'large', fallback_model: 'small' },
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

test('a node that calls a tool is judged by what is known of the origin and of the tool', () => {
  const faults = (config: object, given?: unknown): string[] => {
    const inputs = given === undefined ? {} : { arguments: given }
    const call = { id: 'call', type: 'mcp_call_node', config, inputs }
    return validateDefinition(define([http, call], ['http call']), KNOWN)
      .filter(({ code }) => !['missing_response', 'unhandled_handle'].includes(code))
      .map(({ pointer, message }) => `${pointer.replace('/nodes/1', '')}: ${message}`)
  }
  const add = { origin: 'desk', tool: 'add' }
  assert.deepEqual(faults(add, { a: 1, b: 2 }), [])
  assert.deepEqual(faults({ ...add, pin: HASH }, '{{ $.http.request.body }}'), [])
  assert.deepEqual(faults({ origin: 'mail', tool: 'add', as: 'user' }, { a: 1, b: '{{ 3 }}' }), [])
  assert.deepEqual(faults({ origin: 'new', tool: 'anything' }), [])
  assert.deepEqual(faults({ origin: 'nobody', tool: 'add' }), ['/config/origin: there is no origin "nobody"'])
  assert.deepEqual(faults({ origin: 'desk', tool: 'sub' }), [
    '/config/tool: the origin "desk" has no tool "sub"',
  ])
  for (const [config, message] of [
    [
      { origin: 'mail', tool: 'add' },
      '/config/as: the origin "mail" has an account for each person; set as to user',
    ],
    [
      { ...add, as: 'user' },
      '/config/as: the origin "desk" has one account for all callers; set as to shared',
    ],
    [
      { origin: 'shop', tool: 'add' },
      '/config/origin: the tools of the origin "shop" are endpoints of a collection; call those by a proxy_node',
    ],
    [
      { origin: 'desk', tool: 'task' },
      '/config/tool: the tool "task" runs as a task, which nodes cannot wait for',
    ],
    [
      { ...add, pin: 'x'.repeat(43) },
      `/config/pin: the origin "desk" has changed the tool "add" since it was pinned: its hash is ${HASH} now`,
    ],
  ] as const)
    assert.deepEqual(faults(config, { a: 1, b: 2 }), [message])
  for (const [given, ...reasons] of [
    [undefined, '/a is required', '/b is required'],
    [{ a: '{{ 1 }}' }, '/b is required'],
    [{ a: '{{ 1 }}', b: 10 }, '/b must be <= 9'],
    [{ a: 'one', b: 2 }, '/a must be integer'],
    [{ a: '{{ 1 }}', b: 2, c: '{{ 3 }}' }, '/c is no argument of the tool'],
    [[1, 2], ' must be an object'],
    ['text', ' must be an object'],
  ] as const)
    assert.deepEqual(
      faults(add, given),
      reasons.map((reason) => `/inputs/arguments: arguments${reason}`),
    )
})

test('any definition of the form is judged, with pointers that lead into it', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const node = fc.record({
    type: fc.constantFrom('nothing', ...NODE_TYPES.map(({ name }) => name)),
    config: fc.dictionary(
      fc.constantFrom('op', 'cases', 'credential', 'workflow', 'clients', 'origin', 'tool', 'pin', 'as'),
      fc.oneof(fc.jsonValue(), fc.constantFrom('desk', 'mail', 'add', 'user')),
    ),
    inputs: fc.dictionary(
      fc.constantFrom('value', 'secret', 'url', 'arguments'),
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

test('a node whose driver is not installed, or whose credential it cannot use, is found with what to do', () => {
  const config = { host: 'db', database: 'shop', credential: 'login', statement: 'SELECT 1' }
  const definition = define([http, { id: 'db', type: 'postgres_node', config }, end], ['http db', 'db end'])
  const found = (known: Partial<Known>) =>
    validateDefinition(definition, { ...KNOWN, ...known }).map(({ code, pointer, message }) => [
      code,
      pointer,
      message,
    ])
  assert.deepEqual(found({}), [])
  const [[code, pointer, message] = []] = found({ hasDriver: () => false })
  assert.deepEqual([code, pointer], ['missing_driver', '/nodes/1/type'])
  assert.match(String(message), /npm install --no-save pg@/)
  assert.deepEqual(found({ credentialType: () => 'bearer' }), [
    [
      'missing_credential',
      '/nodes/1/config/credential',
      'the credential "login" is of the type bearer; postgres_node needs basic',
    ],
  ])
})

test('a workflow with more than 5,000 expressions has one finding that says so', () => {
  const texts = (count: number) => [
    http,
    { id: 'set', type: 'set_node', inputs: { value: ['{{ $.http.request.body }} '.repeat(count)] } },
    end,
  ]
  const edges = ['http set', 'set end']
  assert.deepEqual(found(texts(5000), edges), [])
  assert.deepEqual(found(texts(5001), edges), ['bad_expression /nodes'])
})
