import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, refused, startControl } from '../../../test/control.ts'

let control: Control
before(async () => {
  control = await startControl()
  await example(control)
  for (const name of ['Bank', 'Post'])
    await control.run('credentials.create', { name, auth: { type: 'bearer', token: `planted-${name}` } })
})
after(() => control.close())

const BANK = 'https://bank.example.com'
const POST = 'https://post.example.com'
/** Asks these servers one after another: URL and credential. */
const asking = (
  ...servers: readonly (readonly [url: string, credential: string | null, more?: object])[]
) => {
  const ids = ['http', ...servers.map((_, index) => `ask${index}`), 'end']
  return {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      ...servers.map(([url, credential, more = {}], index) => ({
        id: `ask${index}`,
        type: 'http_request_node',
        config: { url, credential, ...more },
      })),
      { id: 'end', type: 'response_node' },
    ],
    edges: ids.slice(1).map((to, index) => ({
      from: ids[index]!,
      to,
      ...(index === 0 ? {} : { handle: 'success' }),
    })),
  }
}
const permitted = (...permissions: string[]) => ({
  grants: [{ role: { permissions: new Set(permissions) } }],
})
const EDITS = ['proxies:read', 'proxies:update', 'workflows:read', 'workflows:create', 'workflows:update']
const EDITOR = permitted(...EDITS, 'credentials:read')
const USER = permitted(...EDITS, 'credentials:read', 'credentials:use')

test('a credential is attached to a node, and sent elsewhere, by those alone who may use it', async () => {
  const denied = async (name: string, input: object) => {
    const refusal = await refused(control.run(name, input, EDITOR), 'permission_denied')
    assert.equal(refusal.facts.members?.['permission'], 'credentials:use', name)
  }
  const both = asking([BANK, 'bank'], [POST, 'post'])
  await denied('workflows.create', { name: 'Pays', definition: both })
  await denied('proxies.set_workflow', { id: 'get-order', definition: both })
  await denied('proxies.update', { id: 'get-order', workflow: both })
  await control.run('workflows.create', { name: 'Pays', definition: both }, USER)
  await control.run('proxies.set_workflow', { id: 'get-order', definition: both }, USER)
  for (const definition of [
    asking([POST, 'bank'], [BANK, 'post']),
    asking([`${BANK}/other`, 'bank'], [POST, 'post']),
    asking([BANK, 'bank', { tls: { server_name: 'elsewhere.example.com' } }], [POST, 'post']),
    asking([BANK, 'bank'], [POST, 'post'], ['https://elsewhere.example.com', 'post']),
  ]) {
    await denied('workflows.update', { id: 'pays', definition })
    await denied('proxies.set_workflow', { id: 'get-order', definition })
  }
})

test('a credential of an llm_node is attached, and sent elsewhere, by those alone who may use it', async () => {
  const definition = (base_url: string, more: object = {}) => ({
    nodes: [
      { id: 'http', type: 'http_trigger' },
      {
        id: 'ask',
        type: 'llm_node',
        config: { base_url, credential: 'bank', model: 'small', ...more },
        inputs: { messages: [{ role: 'user', content: 'hi' }] },
      },
      { id: 'end', type: 'response_node' },
    ],
    edges: [
      { from: 'http', to: 'ask' },
      { from: 'ask', handle: 'success', to: 'end' },
    ],
  })
  const made = { name: 'Asks', definition: definition(BANK) }
  await refused(control.run('workflows.create', made, EDITOR), 'permission_denied')
  await control.run('workflows.create', made, USER)
  const update = (given: object) => control.run('workflows.update', { id: 'asks', definition: given }, EDITOR)
  await refused(update(definition(POST)), 'permission_denied')
  await refused(update(definition(BANK, { tls: { min_version: '1.3' } })), 'permission_denied')
  await update(definition(BANK, { model: 'large', max_tokens: 7 }))
  const { output } = await control.run('workflows.get', { id: 'asks' })
  const { nodes } = output['definition'] as { nodes: { config: Record<string, unknown> }[] }
  assert.equal(nodes[1]?.config['credential'], 'bank')
  await control.run('workflows.delete', { id: 'asks' }, { confirm: 'asks' })
})

test('who may not use a credential still changes what does not send it elsewhere', async () => {
  for (const definition of [
    asking([POST, 'post'], [BANK, 'bank', { method: 'POST' }], [BANK, 'bank']),
    asking([BANK, 'bank'], ['https://elsewhere.example.com', null]),
    asking([BANK, 'bank']),
  ]) {
    await control.run('workflows.update', { id: 'pays', definition }, EDITOR)
    await control.run('proxies.set_workflow', { id: 'get-order', definition }, EDITOR)
  }
})

test('a credential that a node sends is shown by its slug, and cannot be deleted', async () => {
  const { output } = await control.run('proxies.workflow', { id: 'get-order' })
  const { nodes } = output['definition'] as { nodes: { config: Record<string, unknown> }[] }
  assert.equal(nodes[1]?.config['credential'], 'bank')
  await refused(control.run('credentials.delete', { id: 'bank' }, { confirm: 'bank' }), 'in_use')
})

test('a credential that is not there, or that is made of the token of the caller, is a finding', async () => {
  const found = async (credential: string) =>
    (
      (await control.run('workflows.validate', { definition: asking([BANK, credential]) })).output[
        'findings'
      ] as { code: string; pointer: string }[]
    ).map(({ code, pointer }) => `${code} ${pointer}`)
  assert.deepEqual(await found('bank'), [])
  assert.deepEqual(await found('nobody'), ['missing_credential /nodes/1/config/credential'])
  await control.run('credentials.create', {
    name: 'Exchange',
    auth: {
      type: 'token_exchange',
      token_url: 'https://id.example.com/token',
      client_id: 'a',
      client_secret: 'b',
    },
  })
  assert.deepEqual(await found('exchange'), ['bad_config /nodes/1/config/credential'])
  const refusal = await refused(
    control.run('proxies.set_workflow', { id: 'get-order', definition: asking([BANK, 'exchange']) }),
    'configuration_invalid',
  )
  assert.match(refusal.message, /type token_exchange is for the upstream of the collection/)
})

test('a live run of a definition that is not stored demands what storing it would', async () => {
  const live = (definition: object) => ({
    definition,
    proxy: 'get-order',
    live: true,
    request: { client: 'acme', profile: 'sandbox' },
  })
  const tries = [...EDITS, 'workflows:test', 'workflows:execute', 'clients:read', 'profiles:read']
  const service = (type: string, config: object, inputs: object) => ({
    ...asking(),
    nodes: [
      { id: 'http', type: 'http_trigger' },
      { id: 'ask0', type, config: { host: 'db.example.com', credential: 'login', ...config }, inputs },
      { id: 'end', type: 'response_node' },
    ],
    edges: [
      { from: 'http', to: 'ask0' },
      { from: 'ask0', handle: 'default', to: 'end' },
    ],
  })
  const basic = { type: 'basic', username: 'u', password: 'planted-login' }
  await control.run('credentials.create', { name: 'Login', auth: basic })
  for (const definition of [
    asking([BANK, 'bank']),
    service('postgres_node', { database: 'd', statement: 'select 1' }, {}),
    service('mysql_node', { database: 'd', statement: 'select 1' }, {}),
    service('redis_node', { command: 'GET' }, { key: 'k' }),
    service('smtp_node', { from: 'a@example.com' }, { to: ['b@example.com'], subject: 's', text: 'x' }),
  ]) {
    const run = (...more: string[]) =>
      control.run('workflows.test', live(definition), permitted(...tries, ...more))
    const refusal = await refused(run('credentials:read'), 'permission_denied')
    assert.equal(refusal.facts.members?.['permission'], 'credentials:use', JSON.stringify(definition))
    // It came as far as the gateway threads, of which there are none
    await refused(run('credentials:read', 'credentials:use'), 'not_ready')
  }
  const local = asking(['http://169.254.169.254/latest', null])
  await refused(control.run('workflows.test', live(local), permitted(...tries)), 'configuration_invalid')
})

test('whoever does not see a credential does not learn by a definition whether its id is there, or of what type it is', async () => {
  const narrow = {
    grants: [
      { role: 'modifier' as const, scope: { types: ['workflows'], verbs: [], collections: [], tags: [] } },
    ],
  }
  const { id } = (await control.run('credentials.get', { id: 'exchange' })).output as { id: string }
  const origin = { name: 'Far', url: 'https://far.example.com/mcp' }
  const { id: far } = (await control.run('origins.create', origin)).output as { id: string }
  const absent = (one: string): string => `${one.slice(0, -4)}zzzz`
  const template = (one: string) => ({ template: 'mcp-bridge', parameters: { origin: one, tool: 'find' } })
  const findings = async (name: string, input: object) =>
    JSON.stringify((await control.run(name, input, narrow)).output['findings'])
  for (const [name, of, make] of [
    ['workflows.validate', id, (ref: string) => ({ definition: asking([BANK, ref]) })],
    ['workflows.expand_template', far, template],
  ] as const)
    assert.deepEqual([await findings(name, make(of)), await findings(name, make(absent(of)))], ['[]', '[]'])
  for (const ref of ['exchange', 'nobody'])
    assert.match(await findings('workflows.validate', { definition: asking([BANK, ref]) }), /no credential/)
  const all = (await control.run('workflows.validate', { definition: asking([BANK, absent(id)]) })).output
  assert.match(JSON.stringify(all['findings']), /there is no credential/)
})
