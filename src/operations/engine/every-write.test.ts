/** Every operation of the registry that changes something, under a rule that covers all: none is done at once. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { requestOf, startApprovals } from '../../../test/support/approvals.ts'
import { exampleOf, standardInput } from '../../../test/support/kind-examples.ts'
import { APPROVABLE, type ChangeRequest } from '../../model/access/approval.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import { KINDS_IN_ORDER } from '../kinds.ts'
import { OPERATIONS } from '../registry.ts'

const { control, past, rule, as, revision } = await startApprovals()
after(() => control.close())

const OPENAPI = JSON.stringify({
  openapi: '3.1.0',
  info: { title: 'Pets', version: '1' },
  paths: { '/pets': { get: { operationId: 'pets', responses: { 200: { description: 'ok' } } } } },
})
const DOCUMENTS = [
  JSON.stringify({ kind: 'policy', slug: 'silver', spec: { name: 'Silver', description: 'applied' } }),
]
const HOST = { name: 'Notes', software: 'https://notes.example/client.json' }
const PROXY = { collection: 'orders', methods: ['GET'] }
const BEARER = { type: 'bearer', token: 'planted' }
const ORIGIN = { name: 'Tools', url: 'http://127.0.0.1:9002/mcp' }
const MEMBERS = [{ origin: 'tools' }]
/** The one update for all types of resources. */
const SAID = { description: 'Said' }

/** Why no rule holds back an operation that is no reading one. */
const PASSES: Readonly<Record<string, string>> = {
  'access_requests.create': 'it asks',
  'access_requests.reject': 'it gives nothing',
  'change_requests.approve': 'it is the second person',
  'change_requests.reject': 'it is the second person',
  'config.plan': 'it changes nothing',
  'credentials.test': 'it changes nothing',
  'exports.cancel': 'it changes nothing that is kept',
  'exports.create': 'it changes nothing that is kept',
  'nodes.drain': 'a node is no configuration',
  'nodes.remove': 'a node is no configuration',
  'origins.refresh_catalog': 'nothing differs',
  'origins.test': 'it changes nothing',
  'connections.toggle': 'an account of a person is no configuration',
  'connections.disconnect': 'an account of a person is no configuration',
  'personal_tokens.create': 'users make their own',
  'personal_tokens.revoke': 'users end their own',
  'requests.replay': 'it changes nothing',
  'sinks.replay': 'the position of a sink is no configuration',
  'sinks.test': 'it changes nothing',
  'workflows.test': 'it changes nothing',
  'workflows.start_capture': 'it changes nothing that is stored',
  'workflows.cancel_capture': 'it changes nothing that is stored',
  'workflows.run_tests': 'it changes nothing',
  'workflows.test_node': 'it changes nothing',
  'virtual_mcps.resolve_drift': 'nothing has drifted',
}

/** Of operations that not each kind has, and where the one that is there cannot be taken. */
function ownInputs(back: number, request: string): Readonly<Record<string, object>> {
  return {
    'collections.publish': { id: 'orders', status: 'draft' },
    'collections.duplicate': { id: 'orders', base_path: '/copy' },
    'collections.import': { document: OPENAPI, base_path: '/pets' },
    'collections.reimport': { id: 'orders', document: OPENAPI },
    'collections.enforce': { id: 'orders' },
    'proxies.publish': { id: 'get-order', status: 'draft' },
    'proxies.duplicate': { id: 'get-order', path: '/copy' },
    'proxies.bulk_update': { ids: ['get-order'], changes: SAID },
    'proxies.set_workflow': { id: 'idle', workflow: 'steps' },
    'proxies.apply_template': { template: 'canary-routing', parameters: { path: '/v2' }, proxies: ['idle'] },
    'policies.delete': { id: 'spare' },
    'clients.assignments': { id: 'acme', replace: [] },
    'clients.assign': { id: 'acme', collections: ['more'] },
    'clients.unassign': { id: 'acme', collections: ['orders'] },
    'access_requests.approve': { id: request },
    'profiles.rotate': { id: 'acme:sandbox' },
    'profiles.import': { id: 'acme:sandbox', token: 'planted-key-of-another-gateway' },
    'profiles.revoke': { id: 'acme:sandbox' },
    'credentials.rotate': { id: 'bank', auth: { token: 'planted-third' }, untested: true },
    'credentials.revert': { id: 'bank' },
    'origins.delete': { id: 'unused' },
    'virtual_mcps.publish': { id: 'desk' },
    'users.invite': { id: 'guest' },
    'users.offboard': { id: 'cleo' },
    'service_identities.issue_secret': { id: 'there' },
    'bindings.issue_token': { id: 'bound' },
    'bindings.revoke_token': { id: 'bound' },
    'revisions.rollback': { id: String(back) },
    'settings.update': { approvals: [] },
    'config.apply': { documents: DOCUMENTS, managed_by: 'files' },
    'config.import_keys': { document: KONG, managed_by: 'kong' },
    'keys.rotate': {},
    'records.purge': { collection: 'orders' },
  }
}

async function inputs(back: number, request: string): Promise<Readonly<Record<string, object>>> {
  const standard = OPERATIONS.map(async (operation) => {
    const input = await standardInput(operation, 'new', there)
    return input === undefined ? [] : [[`${operation.resource}.${operation.action}`, input] as const]
  })
  const all = Object.fromEntries((await Promise.all(standard)).flat())
  return { ...all, ...ownInputs(back, request) }
}

/** The one of a type that is there; of other types one is made. */
const THERE: Readonly<Partial<Record<ResourceType, string>>> = {
  collections: 'orders',
  proxies: 'get-order',
  workflows: 'steps',
  policies: 'gold',
  guardrails: 'cards',
  clients: 'acme',
  profiles: 'acme:sandbox',
  credentials: 'bank',
  origins: 'tools',
  virtual_mcps: 'desk',
  roles: 'approver',
  users: 'cleo',
  grants: 'cleo:all',
  hosts: 'notes',
  bindings: 'bound',
}
const there = (type: ResourceType): string => THERE[type] ?? 'there'

/** A consumer with a key. */
const KONG = {
  _format_version: '3.0',
  consumers: [{ username: 'mover', keyauth_credentials: [{ key: 'planted-key-of-kong' }] }],
}

const GUARDRAIL = { scope: { everywhere: true }, detector: { type: 'pii' }, action: 'log' }
/** What is to be typed for what cannot be undone. */
const CONFIRMED: Readonly<Record<string, string>> = { 'grants.delete': 'all', 'records.purge': 'records' }

test('every operation that changes something waits, by REST path, template, import or rollback alike', async () => {
  // What a binding refers to stays at a rollback
  await control.run('origins.create', ORIGIN)
  await control.run('virtual_mcps.create', { name: 'Desk', members: MEMBERS })
  const back = await revision()
  await past([])
  await control.run('collections.create', { name: 'More', base_path: '/more', requestable: true })
  await control.run('collections.update', {
    id: 'orders',
    description: 'Since',
    request_validation: 'report',
  })
  await control.run('proxies.create', { ...PROXY, name: 'Idle', path: '/idle' })
  await control.run('workflows.create', { name: 'Steps' })
  await control.run('guardrails.create', { ...GUARDRAIL, name: 'Cards' })
  await control.run('policies.create', { name: 'Spare' })
  await control.run('credentials.create', { name: 'Bank', auth: BEARER })
  const rotated = { id: 'bank', auth: { token: 'planted-second' }, untested: true }
  await control.run('credentials.rotate', rotated)
  await control.run('origins.create', { ...ORIGIN, name: 'Unused' })
  await control.run('users.create', { name: 'guest', email: 'guest@example.com' })
  for (const { type } of KINDS_IN_ORDER)
    if (THERE[type] === undefined)
      await control.run(`${type}.create`, { ...(await exampleOf(type, 'there', there)), slug: 'there' })
  await control.run('hosts.create', HOST)
  await control.run('bindings.create', { name: 'Bound', host: 'notes', virtual_mcp: 'desk' })
  await control.run('bindings.issue_token', { id: 'bound' })
  const { output: converted } = await control.run('config.convert', { document: KONG })
  await control.run('config.apply', { documents: converted['documents'], managed_by: 'kong' })
  const wanted = { client: 'acme', collections: ['more'] }
  const { output: asking } = await control.run('access_requests.create', wanted)
  await rule('*:*')

  const ways = await inputs(back, String(asking['id']))
  const writes = OPERATIONS.filter(({ effect }) => effect !== 'read')
  assert.deepEqual(
    writes.map(({ resource, action }) => `${resource}.${action}`).sort(),
    [...Object.keys(ways), ...Object.keys(PASSES)].sort(),
    'an operation is missing here',
  )
  const [at, asked] = [await revision(), control.asked.length]
  for (const [index, { resource, action, permission, effect }] of writes.entries()) {
    // A hundred requests of one person may wait
    const asker = index % 2 === 0 ? 'ada' : 'bob'
    const name = `${resource}.${action}`
    const input = ways[name] as { id?: string } | undefined
    if (input === undefined) continue
    assert.ok(APPROVABLE.includes(permission), name)
    const confirms = effect === 'delete' || action === 'rollback' || action === 'offboard'
    const confirm = confirms ? (CONFIRMED[name] ?? input.id!) : undefined
    const options = {
      reason: 'asked',
      ...(confirm === undefined ? {} : { confirm: confirm.replace(/.*:/, '') }),
    }
    const request = requestOf(await as(asker, name, input, options))
    assert.equal(request.operation, name)
    const { approval } = await as(asker, name, input, { ...options, dryRun: true })
    assert.deepEqual(approval, ['Two of us'], name)
  }
  assert.equal(await revision(), at)
  assert.equal(control.vault.keys().length, 1)
  // Counted, and not deleted
  assert.equal(control.asked.length - asked, 2)
  const waiting: ChangeRequest[] = []
  let cursor: unknown
  do {
    const page = { state: 'open', limit: 50, ...(cursor === undefined ? {} : { cursor }) }
    const { output } = await as('ada', 'change_requests.list', page)
    waiting.push(...(output['items'] as ChangeRequest[]))
    cursor = output['next_cursor']
  } while (cursor !== null)
  assert.deepEqual(waiting.map(({ operation }) => operation).sort(), Object.keys(ways).sort())
})
