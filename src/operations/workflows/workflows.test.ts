import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'

let control: Control
let orders = ''
before(async () => {
  control = await startControl()
  await example(control)
  await control.run('proxies.create', { collection: 'orders', name: 'Idle', methods: ['GET'], path: '/idle' })
  orders = String((await control.run('collections.get', { id: 'orders' })).output['id'])
})
after(() => control.close())

const IDLE = { collection: 'orders', name: 'Idle', methods: ['GET'], path: '/idle' }
const SMALL = {
  nodes: [
    { id: 'http', type: 'http_trigger' },
    { id: 'end', type: 'response_node' },
  ],
  edges: [{ from: 'http', to: 'end' }],
}
const scoped = (collection: string) => [
  {
    role: 'modifier' as const,
    scope: { types: [], verbs: [], collections: [collection], tags: [] },
  },
]

test('a draft workflow may hold errors, which come as warnings with pointers', async () => {
  const definition = { nodes: [{ id: 'x', type: 'nothing' }] }
  const { output, status } = await control.run('workflows.create', { name: 'Steps', definition })
  assert.equal(status, 201)
  assert.deepEqual(output['warnings'], [
    { pointer: '/definition/nodes/0/type', reason: 'there is no node "nothing"' },
    { pointer: '/definition/nodes', reason: 'a workflow starts at one trigger' },
  ])
  const form = await refused(
    control.run('workflows.update', { id: 'steps', definition: { nodes: [{ id: '1', type: 'x' }] } }),
    'input_invalid',
  )
  assert.equal(form.facts.errors?.[0]?.pointer, '/definition/nodes/0/id')
  const fixed = await control.run('workflows.update', { id: 'steps', definition: SMALL })
  assert.deepEqual([fixed.output['warnings'], fixed.revision], [undefined, 2])
})

test('a proxy gets a workflow of its own or a shared one, and says which', async () => {
  const own = await control.run('proxies.set_workflow', { id: 'idle', definition: SMALL })
  assert.deepEqual(
    [own.output['workflow'], own.output['runs'], own.output['findings'], own.revision],
    [null, false, [], 2],
  )
  const same = await control.run('proxies.set_workflow', { id: 'idle', definition: SMALL })
  assert.deepEqual([same.revision, same.configRevision], [2, null])
  const shared = await control.run('proxies.set_workflow', { id: 'idle', workflow: 'steps' })
  assert.deepEqual([shared.output['workflow'], shared.output['workflow_revision']], ['steps', 2])
  assert.deepEqual((await control.run('proxies.workflow', { id: 'idle' })).output, shared.output)
  assert.deepEqual((await control.run('workflows.get', { id: 'steps' })).output['used_by'], ['orders:idle'])
  assert.equal((await control.run('proxies.get', { id: 'idle' })).output['workflow'], 'steps')
  await refused(control.run('workflows.delete', { id: 'steps' }, { confirm: 'steps' }), 'in_use')
})

test('a proxy whose workflow has faults is never published, whatever the way', async () => {
  const said = /The workflow of a published proxy must be free of errors: a workflow starts at one trigger\./
  await control.run('workflows.create', { name: 'Faulty', definition: { nodes: [] } })
  await control.run('proxies.set_workflow', { id: 'idle', workflow: 'faulty' })
  const ways: [string, object, object?][] = [
    ['proxies.publish', { id: 'idle' }],
    ['proxies.update', { id: 'idle', status: 'published' }],
    ['proxies.update', { id: 'get-order', workflow: 'faulty' }],
    ['proxies.update', { id: 'get-order', workflow: 'faulty' }, { mode: 'draft' }],
    ['proxies.set_workflow', { id: 'get-order', definition: { nodes: [] } }],
    ['proxies.bulk_update', { ids: ['idle'], changes: { status: 'published' } }],
    ['collections.publish', { id: 'orders', cascade: true }],
    [
      'proxies.create',
      {
        collection: 'orders',
        name: 'N',
        methods: ['GET'],
        path: '/n',
        workflow: 'faulty',
        status: 'published',
      },
    ],
    ['proxies.put', { id: 'orders:idle', ...IDLE, workflow: 'faulty', status: 'published' }],
    [
      'config.apply',
      {
        documents: [
          {
            kind: 'proxy',
            slug: 'idle',
            spec: { ...IDLE, workflow: 'faulty', status: 'published' },
          },
        ],
        managed_by: 'files',
      },
    ],
  ]
  for (const [name, input, options] of ways)
    assert.match(
      (await refused(control.run(name, input, options), 'configuration_invalid')).message,
      said,
      name,
    )
  const none = await control.run('proxies.set_workflow', { id: 'idle', definition: null })
  assert.equal(none.output['definition'], null)
  await control.run('proxies.publish', { id: 'idle' }, { dryRun: true })
})

test('the form of a workflow in a proxy is judged too, and one that is not there is refused', async () => {
  const bad = await refused(
    control.run('proxies.update', { id: 'idle', workflow: { nodes: [{}] } }),
    'input_invalid',
  )
  assert.equal(bad.facts.errors?.[0]?.pointer, '/workflow/nodes/0/id')
  await refused(control.run('proxies.update', { id: 'idle', workflow: 'nope' }), 'input_invalid')
  await refused(control.run('proxies.set_workflow', { id: 'idle' }), 'input_invalid')
  await refused(control.run('proxies.set_workflow', { id: 'nope', definition: null }), 'not_found')
  await refused(
    control.run('proxies.set_workflow', { id: 'idle', definition: null }, { expectedRevision: 1 }),
    'revision_conflict',
  )
})

test('validation tells what is wrong with one that is given, stored, or of a proxy', async () => {
  const given = await control.run('workflows.validate', { definition: { nodes: SMALL.nodes } })
  assert.equal(given.output['valid'], false)
  assert.deepEqual(
    (given.output['findings'] as { code: string; pointer: string }[]).map(({ code, pointer }) => [
      code,
      pointer,
    ]),
    [
      ['unreachable_node', '/nodes/1'],
      ['missing_response', '/nodes'],
      ['unhandled_handle', '/nodes/0'],
    ],
  )
  assert.deepEqual((await control.run('workflows.validate', { workflow: 'steps' })).output, {
    valid: true,
    nodes: 2,
    findings: [],
    handles: { http: ['default'], end: [] },
  })
  await refused(control.run('workflows.validate', {}), 'input_invalid')
  await refused(control.run('workflows.validate', { proxy: 'idle' }), 'not_found')
  const before = (await control.store.read.auditEntries({ limit: 1 })).items[0]?.id
  await control.run('workflows.validate', { definition: SMALL }, { role: 'viewer' })
  assert.equal((await control.store.read.auditEntries({ limit: 1 })).items[0]?.id, before)
})

test('what the contract and the path of a proxy do not take is found in its own workflow', async () => {
  const reading = (expression: string) => ({
    ...SMALL,
    nodes: [SMALL.nodes[0]!, { ...SMALL.nodes[1]!, inputs: { body: `{{ ${expression} }}` } }],
  })
  const typed = {
    ...{ collection: 'orders', name: 'Typed', methods: ['POST'], path: '/typed/{id}' },
    request_schema: {
      type: 'object',
      additionalProperties: false,
      properties: { sku: { type: 'string' } },
    },
  }
  const workflow = reading('$.http.request.body.skuu')
  await control.run('proxies.create', { ...typed, workflow })
  const pointer = '/nodes/1/inputs/body'
  const found = [{ code: 'type_mismatch', pointer }]
  for (const [operation, input] of [
    ['proxies.workflow', { id: 'typed' }],
    ['workflows.validate', { proxy: 'typed' }],
  ] as const) {
    const findings = (await control.run(operation, input)).output['findings'] as Record<string, unknown>[]
    assert.deepEqual(
      findings.map(({ code, pointer: at }) => ({ code, pointer: at })),
      found,
      operation,
    )
  }
  const publish = (more: object) =>
    control.run('proxies.update', { id: 'typed', status: 'published', ...more })
  for (const expression of ['$.http.request.body.skuu', '$.http.request.path_params.order']) {
    const refusal = await refused(publish({ workflow: reading(expression) }), 'configuration_invalid')
    assert.equal(refusal.facts.errors?.[0]?.pointer, `/workflow${pointer}`)
  }
  await publish({ workflow: reading('$.http.request.body.sku + $.http.request.path_params.id') })
  // A contract with another type is refused, unless breaches of it are only reported
  const other = { ...typed.request_schema, properties: { sku: { type: 'integer' } } }
  await refused(publish({ request_schema: other }), 'configuration_invalid')
  await publish({ request_schema: other, request_validation: 'report' })
  // The proxies of a shared workflow may have different contracts
  await control.run('workflows.create', { name: 'Any body', definition: workflow })
  await publish({ workflow: 'any-body' })
  assert.deepEqual((await control.run('proxies.workflow', { id: 'typed' })).output['findings'], [])
})

test('a template covers several proxies at once, or none', async () => {
  await control.run('proxies.create', { collection: 'orders', name: 'Lazy', methods: ['GET'], path: '/lazy' })
  const input = {
    template: 'orchestration',
    parameters: { first: '/a', second: '/b' },
    proxies: ['idle', 'lazy'],
  }
  const dry = await control.run('proxies.apply_template', input, { dryRun: true })
  assert.deepEqual(
    dry.diff?.map(({ path }) => path),
    ['/proxies/idle/workflow', '/proxies/lazy/workflow'],
  )
  const { output } = await control.run('proxies.apply_template', input)
  assert.deepEqual(output['findings'], [])
  const lazy = await control.run('proxies.workflow', { id: 'lazy' })
  assert.equal((lazy.output['definition'] as typeof SMALL).nodes.length, 5)
  await control.run('proxies.set_workflow', { id: 'idle', definition: null })
  await refused(control.run('proxies.apply_template', { ...input, proxies: ['idle', 'nobody'] }), 'not_found')
  assert.equal((await control.run('proxies.workflow', { id: 'idle' })).output['definition'], null)
  const wrong = await refused(
    control.run('proxies.apply_template', { ...input, parameters: { first: '/a', second: 'b' } }),
    'input_invalid',
  )
  assert.equal(wrong.facts.errors?.[0]?.pointer, '/parameters/second')
})

test('a template is expanded to what it would set, and nothing is stored', async () => {
  const chosen = { template: 'orchestration', parameters: { first: '/a', second: '/b' } }
  const { output } = await control.run('workflows.expand_template', chosen, { role: 'viewer' })
  assert.deepEqual(output['findings'], [])
  await control.run('proxies.apply_template', { ...chosen, proxies: ['lazy'] })
  const set = (await control.run('proxies.workflow', { id: 'lazy' })).output['definition']
  assert.deepEqual(output['definition'], set)
  assert.equal((await control.run('proxies.workflow', { id: 'idle' })).output['definition'], null)
  const wrong = await refused(
    control.run('workflows.expand_template', { ...chosen, parameters: { first: '/a' } }),
    'input_invalid',
  )
  assert.equal(wrong.facts.errors?.[0]?.pointer, '/parameters/second')
  const unknown = await control.run('workflows.expand_template', {
    template: 'mcp-bridge',
    parameters: { origin: 'nowhere', tool: 'find' },
  })
  assert.equal((unknown.output['findings'] as unknown[]).length > 0, true)
  await refused(control.run('workflows.expand_template', chosen, { role: 'auditor' }), 'permission_denied')
})

test('scopes and roles bound workflows as anything else', async () => {
  const grants = scoped(orders)
  await refused(control.run('workflows.create', { name: 'W' }, { grants }), 'permission_denied')
  await refused(control.run('workflows.get', { id: 'steps' }, { grants }), 'not_found')
  await refused(
    control.run('proxies.set_workflow', { id: 'idle', workflow: 'steps' }, { grants }),
    'input_invalid',
  )
  await control.run('proxies.set_workflow', { id: 'idle', definition: SMALL }, { grants })
  await refused(
    control.run('proxies.set_workflow', { id: 'idle', definition: SMALL }, { role: 'viewer' }),
    'permission_denied',
  )
  await control.run('proxies.set_workflow', { id: 'idle', workflow: 'steps' })
  await refused(control.run('proxies.workflow', { id: 'idle' }, { grants }), 'permission_denied')
  await refused(control.run('workflows.nodes', {}, { role: 'auditor' }), 'permission_denied')
})

test('nodes and templates are listed with what they take', async () => {
  const { output } = await control.run('workflows.nodes', { phase: 'decide' })
  assert.deepEqual(
    (output['items'] as { type: string }[]).map(({ type }) => type),
    ['auth_check_node', 'rate_limit_node', 'condition_node', 'switch_node', 'validate_node'],
  )
  const [one] = (await control.run('workflows.nodes', { type: 'delay_node' })).output['items'] as Record<
    string,
    Record<string, unknown>
  >[]
  assert.deepEqual(one?.['config']?.['required'], ['duration'])
  const templates = (await control.run('workflows.templates', {})).output['items'] as unknown[]
  assert.equal(templates.length, 9)
})
