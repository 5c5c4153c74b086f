import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonSchemaType, JsonSchemaValidator } from '@modelcontextprotocol/sdk/validation'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { example, ORDERS, principalOf, refused, startControl } from '../../test/control.ts'
import { exampleOf, standardInput } from '../../test/support/kind-examples.ts'
import type { Role } from '../access/principal.ts'
import { allows } from '../access/roles.ts'
import type { RefusalCode } from '../base/refusal.ts'
import { ROLES } from '../model/access/access.ts'
import { isResourceType, type ResourceType } from '../model/resource-types.ts'
import { publishTools } from '../surfaces/mcp/list.ts'
import { toTools } from '../surfaces/mcp/tools.ts'
import type { Operation } from './engine/define.ts'
import type { WriteOptions } from './engine/write-options.ts'
import { KINDS_IN_ORDER } from './kinds.ts'
import { OPERATIONS } from './registry.ts'

const NO_REQUEST = `acr_${'0'.repeat(26)}`

const TOOLS = toTools(OPERATIONS).full

/** Revision of the whole configuration to go back to. */
let base = 1

/** What operations take that are not those that each kind has. */
const INPUTS: Readonly<Record<string, (n: number) => object>> = {
  'config.plan': () => ({ documents: [] }),
  'config.apply': () => ({ documents: [] }),
  'config.diff': () => ({ documents: [] }),
  'collections.import': (n) => ({
    document: { openapi: '3.1.0', info: { title: `i${n}`, version: '1' }, paths: {} },
    base_path: `/i${n}`,
  }),
  'collections.duplicate': (n) => ({ id: 'orders', base_path: `/d${n}`, slug: `d${n}` }),
  'config.convert': () => ({ document: { _format_version: '3.0' } }),
  'collections.reimport': () => ({
    id: 'orders',
    document: { openapi: '3.1.0', info: { title: 'Orders', version: '1' }, paths: {} },
  }),
  'proxies.duplicate': (n) => ({ id: 'orders:get-order', path: `/d${n}`, slug: `d${n}` }),
  'proxies.bulk_update': () => ({ ids: ['orders:get-order'], changes: {} }),
  'workflows.validate': () => ({ workflow: 'steps' }),
  'workflows.nodes': () => ({}),
  'workflows.test': () => ({ workflow: 'steps' }),
  'workflows.test_node': () => ({ type: 'set_node' }),
  'workflows.run_tests': () => ({ workflow: 'steps' }),
  'workflows.expand_template': () => ({ template: 'canary-routing', parameters: { path: '/v2' } }),
  'proxies.set_workflow': () => ({ id: 'orders:get-order', definition: null }),
  'proxies.apply_template': () => ({
    template: 'canary-routing',
    parameters: { path: '/v2' },
    proxies: ['orders:idle'],
  }),
  'sinks.replay': () => ({ id: 'there', from: '2020-01-01T00:00:00Z' }),
  'revisions.list': () => ({}),
  'revisions.get': () => ({ id: '1' }),
  'revisions.diff': () => ({ from: '1' }),
  'revisions.rollback': () => ({ id: String(base) }),
  'guardrails.test': () => ({ guardrail: 'cards', sample: 'x' }),
  'clients.assign': () => ({ id: 'acme', collections: ['orders'] }),
  'clients.unassign': () => ({ id: 'acme', collections: ['orders'] }),
  'access_requests.create': () => ({ client: 'nobody', collections: ['orders'] }),
  'access_requests.get': () => ({ id: NO_REQUEST }),
  'access_requests.approve': () => ({ id: NO_REQUEST }),
  'access_requests.reject': () => ({ id: NO_REQUEST }),
  'credentials.rotate': () => ({ id: 'backend', auth: { token: 'y' }, overlap: '0s' }),
  'profiles.access': () => ({ id: 'sandbox', endpoint: 'orders:get-order' }),
  'profiles.rotate': () => ({ id: 'sandbox', overlap: '0s' }),
  'profiles.import': (n) => ({ id: 'acme:default', token: `key-of-another-gateway-${n}` }),
  'config.import_keys': () => ({ document: { _format_version: '3.0' }, managed_by: 'kong' }),
  'records.purge': () => ({ to: '-30d' }),
  'exports.create': () => ({ of: 'records' }),
  'workflows.start_capture': () => ({ proxy: 'nobody' }),
  'workflows.get_capture': () => ({ capture: 'cap_none' }),
  'workflows.cancel_capture': () => ({ capture: 'cap_none' }),
  'requests.replay': () => ({ id: 'req_none' }),
  'requests.explain': () => ({ method: 'GET', target: '/orders' }),
  'origins.probe': () => ({ definition: { url: 'http://127.0.0.1:9002/mcp' } }),
  'virtual_mcps.resolve_drift': () => ({ id: 'desk', decision: 'approve', all: true }),
  'connections.list': () => ({ all_users: true }),
  'connections.toggle': () => ({ origin: 'tools', user: 'ada', active: true }),
  'connections.disconnect': () => ({ origin: 'tools', user: 'ada' }),
  // By no user
  'personal_tokens.create': () => ({ name: 'T' }),
}

/** The one of a type that is there; of other types one is made. */
const SLUGS: Readonly<Partial<Record<ResourceType, string>>> = {
  collections: 'orders',
  proxies: 'orders:get-order',
  workflows: 'steps',
  policies: 'gold',
  guardrails: 'cards',
  clients: 'acme',
  profiles: 'sandbox',
  credentials: 'backend',
  origins: 'tools',
  virtual_mcps: 'desk',
  users: 'ada',
  hosts: 'notes',
  bindings: 'bound',
}

const there = (type: ResourceType): string => SLUGS[type] ?? 'there'

/** What nothing refers to. */
const UNUSED: Readonly<Record<string, string>> = {
  'policies.delete': 'spare',
  'origins.delete': 'unused',
}

/** Neither records, nodes nor gateway threads are here, and no credential with an overlap. */
const REFUSED: Readonly<Record<string, RefusalCode>> = {
  // Its origin has no sign-in
  'origins.authorization': 'configuration_invalid',
  'access_requests.create': 'not_found',
  'access_requests.get': 'not_found',
  'access_requests.approve': 'not_found',
  'access_requests.reject': 'not_found',
  'change_requests.get': 'not_found',
  'change_requests.diff': 'not_found',
  'change_requests.approve': 'not_found',
  'change_requests.reject': 'not_found',
  'records.get': 'not_found',
  'exports.get': 'not_found',
  'exports.cancel': 'not_found',
  'exports.download': 'not_found',
  'workflows.start_capture': 'not_found',
  'workflows.get_capture': 'not_found',
  'workflows.cancel_capture': 'not_found',
  'connections.toggle': 'not_found',
  'connections.disconnect': 'not_found',
  'nodes.get': 'not_found',
  'nodes.drain': 'not_found',
  'nodes.remove': 'not_found',
  // By no user
  'mcp_endpoints.list': 'input_invalid',
  'personal_tokens.create': 'permission_denied',
  'personal_tokens.get': 'not_found',
  'personal_tokens.revoke': 'not_found',
  'requests.replay': 'not_found',
  // A draft without a trigger
  'workflows.test': 'configuration_invalid',
  'workflows.run_tests': 'configuration_invalid',
  'workflows.test_node': 'not_ready',
  'requests.explain': 'not_ready',
  'profiles.access': 'not_ready',
  'collections.health': 'not_ready',
  'credentials.test': 'configuration_invalid',
  'credentials.revert': 'configuration_invalid',
}

/** By what an operation answers, which many share. */
const VALIDATORS = new Map<object, JsonSchemaValidator<unknown>>()

/** As clients hold structured content against what the tool lists; that of a group lists any object. */
function admitsContent(operation: Operation, content: object): void {
  const tool = TOOLS.find(({ operations }) => operations[0] === operation)
  if (tool === undefined) return
  const { outputSchema } = publishTools([tool], () => true)[0]!
  const validate =
    VALIDATORS.get(operation.output) ??
    new AjvJsonSchemaValidator().getValidator(outputSchema as JsonSchemaType)
  VALIDATORS.set(operation.output, validate)
  const { valid, errorMessage } = validate(JSON.parse(JSON.stringify(content)))
  assert.ok(valid, `${tool.name}: ${errorMessage}`)
}

test('every operation, for every role: done or refused as the table says, and each refusal is one entry', async () => {
  const control = await startControl()
  await example(control)
  await control.run('credentials.create', { name: 'Backend', auth: { type: 'bearer', token: 'x' } })
  await control.run('policies.create', { name: 'Spare' })
  await control.run('workflows.create', { name: 'Steps' })
  await control.run('guardrails.create', {
    ...(await exampleOf('guardrails', 'cards', there)),
    scope: { everywhere: true },
  })
  const idle = { collection: 'orders', name: 'Idle', methods: ['GET'], path: '/idle' }
  await control.run('proxies.create', idle)
  await control.run('proxies.apply_template', {
    template: 'canary-routing',
    parameters: { path: '/v2' },
    proxies: ['idle'],
  })
  const origin = { url: 'http://127.0.0.1:9001/mcp' }
  await control.run('origins.create', { ...origin, name: 'Tools' })
  await control.run('origins.create', { ...origin, name: 'Unused' })
  await control.run('virtual_mcps.create', { name: 'Desk', members: [{ origin: 'tools' }] })
  await control.run('users.create', { name: 'Ada' })
  for (const { type } of KINDS_IN_ORDER)
    if (SLUGS[type] === undefined)
      await control.run(`${type}.create`, { ...(await exampleOf(type, 'there', there)), slug: 'there' })
  await control.run('hosts.create', { name: 'Notes', software: 'https://notes.example/client.json' })
  // A rollback takes nothing away that a binding refers to
  const bound = { name: 'Bound desk', members: [{ origin: 'tools' }] }
  base = (await control.run('virtual_mcps.create', bound)).configRevision!
  await control.run('policies.create', { name: 'Since' })
  await control.run('bindings.create', { name: 'Bound', host: 'notes', virtual_mcp: 'bound-desk' })
  const latest = async (limit: number) => (await control.store.read.auditEntries({ limit })).items
  const [entry] = await latest(1)
  let n = 0
  const callable = new Map<Role, readonly string[]>()
  for (const role of ROLES) {
    const { output } = await control.run('whoami.show', { operations: true }, { role })
    callable.set(role, output['operations'] as string[])
  }
  for (const operation of OPERATIONS) {
    const name = `${operation.resource}.${operation.action}`
    for (const role of ROLES) {
      n++
      const { resource, action } = operation
      const slug = UNUSED[name] ?? (isResourceType(resource) ? there(resource) : undefined)
      const input = INPUTS[name]?.(n) ?? {
        ...('id' in operation.input.shape && { id: slug ?? entry!.id }),
        ...(action === 'toggle' && { active: true }),
        ...((action === 'create' || action === 'put') && (await standardInput(operation, `n${n}`, there))),
      }
      const options: WriteOptions = {
        ...(operation.effect === 'delete' ? { confirm: slug!, dryRun: true } : {}),
        ...(name === 'revisions.rollback' ? { dryRun: true } : {}),
        ...(name === 'users.offboard' ? { confirm: slug!, dryRun: true } : {}),
      }
      const [last] = await latest(1)
      const revision = await control.store.read.revision()
      const call = control.run(name, input, { ...options, role })
      // -1 for more than are asked for
      const entries = async () => (await latest(5)).findIndex(({ id }) => id === last!.id)
      const isAllowed = allows(role, operation.permission) || operation.own?.(principalOf(role)) === true
      assert.equal(callable.get(role)!.includes(name), isAllowed, `${name} as ${role}`)
      if (!isAllowed) {
        const refusal = await refused(call, 'permission_denied')
        assert.match(refusal.message, new RegExp(operation.permission))
        assert.equal(await entries(), 1, `${name} as ${role}`)
        const [denial] = await latest(1)
        assert.equal(denial?.outcome, 'denied')
        assert.equal(denial?.actor.name, role)
        assert.equal(denial?.operation, name)
        assert.equal(await control.store.read.revision(), revision)
        continue
      }
      if (REFUSED[name] !== undefined) {
        await refused(call, REFUSED[name])
        continue
      }
      const { output, diff } = await call
      const parsed = operation.output.safeParse(output)
      assert.ok(parsed.success, `${name}: ${parsed.error?.message}`)
      if (role === 'admin')
        admitsContent(operation, diff === null ? output : { dry_run: true, diff, result: output })
      const isNoted = operation.noted !== undefined && operation.notes === undefined
      const silent = (operation.effect === 'read' && !isNoted) || options.dryRun === true
      assert.equal(await entries(), silent ? 0 : 1, `${name} as ${role}`)
    }
  }
  await control.close()
})

test('a role is asked for what a write does beside itself', async () => {
  const control = await startControl()
  const grants = [{ role: { permissions: new Set(['collections:read', 'collections:create']) } }]
  const create = (status: string) => control.run('collections.create', { ...ORDERS, status }, { grants })
  const refusal = await refused(create('published'), 'permission_denied')
  assert.match(refusal.message, /collections:publish/)
  assert.deepEqual((await control.run('collections.list', {})).output['items'], [])
  assert.equal((await create('draft')).status, 201)
  await control.close()
})
