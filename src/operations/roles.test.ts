import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonSchemaType, JsonSchemaValidator } from '@modelcontextprotocol/sdk/validation'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv'
import { example, ORDERS, principalOf, refused, startControl } from '../../test/control.ts'
import type { Role } from '../access/principal.ts'
import { allows } from '../access/roles.ts'
import type { RefusalCode } from '../base/refusal.ts'
import { ROLES } from '../model/access/access.ts'
import { publishTools } from '../surfaces/mcp/list.ts'
import { toTools } from '../surfaces/mcp/tools.ts'
import type { Operation } from './engine/define.ts'
import type { WriteOptions } from './engine/write-options.ts'
import { OPERATIONS } from './registry.ts'

const NO_REQUEST = `acr_${'0'.repeat(26)}`

const TOOLS = toTools(OPERATIONS).full

/** Revision of the whole configuration to go back to. */
let base = 1

const GUARDRAIL = { scope: { everywhere: true }, detector: { type: 'pii' }, action: 'log' }
const INPUTS: Readonly<Record<string, (n: number) => object>> = {
  'collections.create': (n) => ({ ...ORDERS, slug: `c${n}`, base_path: `/c${n}` }),
  'collections.put': (n) => ({ id: `put${n}`, name: 'Put', base_path: `/put${n}` }),
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
  'proxies.create': (n) => ({ collection: 'orders', name: `p${n}`, methods: ['GET'], path: `/p${n}` }),
  'proxies.put': (n) => ({
    id: `put${n}`,
    collection: 'orders',
    name: 'P',
    methods: ['GET'],
    path: `/put${n}`,
  }),
  'proxies.duplicate': (n) => ({ id: 'orders:get-order', path: `/d${n}`, slug: `d${n}` }),
  'proxies.bulk_update': () => ({ ids: ['orders:get-order'], changes: {} }),
  'workflows.create': (n) => ({ name: `w${n}` }),
  'workflows.put': (n) => ({ id: `put${n}`, name: 'W' }),
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
  'revisions.list': () => ({}),
  'revisions.get': () => ({ id: '1' }),
  'revisions.diff': () => ({ from: '1' }),
  'revisions.rollback': () => ({ id: String(base) }),
  'policies.create': (n) => ({ name: `p${n}` }),
  'policies.put': (n) => ({ id: `put${n}`, name: 'P' }),
  'policies.toggle': () => ({ id: 'gold', active: true }),
  'guardrails.create': (n) => ({ ...GUARDRAIL, name: `g${n}` }),
  'guardrails.put': (n) => ({ ...GUARDRAIL, id: `put${n}`, name: 'G' }),
  'guardrails.toggle': () => ({ id: 'cards', active: true }),
  'guardrails.test': () => ({ guardrail: 'cards', sample: 'x' }),
  'clients.create': (n) => ({ name: `c${n}` }),
  'clients.put': (n) => ({ id: `put${n}`, name: 'C' }),
  'clients.assign': () => ({ id: 'acme', collections: ['orders'] }),
  'clients.unassign': () => ({ id: 'acme', collections: ['orders'] }),
  'access_requests.create': () => ({ client: 'nobody', collections: ['orders'] }),
  'access_requests.get': () => ({ id: NO_REQUEST }),
  'access_requests.approve': () => ({ id: NO_REQUEST }),
  'access_requests.reject': () => ({ id: NO_REQUEST }),
  'clients.toggle': () => ({ id: 'acme', status: 'active' }),
  'credentials.rotate': () => ({ id: 'backend', auth: { token: 'y' }, overlap: '0s' }),
  'profiles.access': () => ({ id: 'sandbox', endpoint: 'orders:get-order' }),
  'profiles.create': (n) => ({ client: 'acme', name: `p${n}`, auth: { type: 'none' } }),
  'profiles.put': (n) => ({ id: `put${n}`, client: 'acme', name: 'P', auth: { type: 'none' } }),
  'profiles.toggle': () => ({ id: 'open', status: 'active' }),
  'profiles.rotate': () => ({ id: 'sandbox', overlap: '0s' }),
  'records.purge': () => ({ to: '-30d' }),
  'exports.create': () => ({ of: 'records' }),
  'workflows.start_capture': () => ({ proxy: 'nobody' }),
  'workflows.get_capture': () => ({ capture: 'cap_none' }),
  'workflows.cancel_capture': () => ({ capture: 'cap_none' }),
  'requests.replay': () => ({ id: 'req_none' }),
  'requests.explain': () => ({ method: 'GET', target: '/orders' }),
  'credentials.create': (n) => ({ name: `c${n}`, auth: { type: 'bearer', token: 'planted' } }),
  'origins.create': (n) => ({ name: `o${n}`, url: 'http://127.0.0.1:9002/mcp' }),
  'origins.probe': () => ({ definition: { url: 'http://127.0.0.1:9002/mcp' } }),
  'origins.put': (n) => ({ id: `put${n}`, name: 'O', url: 'http://127.0.0.1:9002/mcp' }),
  'origins.toggle': () => ({ id: 'tools', active: true }),
  'hosts.toggle': () => ({ id: 'notes', active: true }),
  'virtual_mcps.create': (n) => ({ name: `v${n}`, members: [{ origin: 'tools' }] }),
  'virtual_mcps.put': (n) => ({ id: `put${n}`, name: 'V', members: [{ origin: 'tools' }] }),
  'virtual_mcps.resolve_drift': () => ({ id: 'desk', decision: 'approve', all: true }),
  'roles.create': (n) => ({ name: `r${n}`, permissions: ['audit:read'] }),
  'roles.put': (n) => ({ id: `put${n}`, name: 'R', permissions: ['audit:read'] }),
  'users.create': (n) => ({ name: `u${n}` }),
  'users.put': (n) => ({ id: `put${n}`, name: 'U' }),
  'users.toggle': () => ({ id: 'ada', active: true }),
  'connections.list': () => ({ all_users: true }),
  'connections.toggle': () => ({ origin: 'tools', user: 'ada', active: true }),
  'connections.disconnect': () => ({ origin: 'tools', user: 'ada' }),
  // By no user
  'personal_tokens.create': () => ({ name: 'T' }),
  'teams.create': (n) => ({ name: `t${n}` }),
  'teams.put': (n) => ({ id: `put${n}`, name: 'T' }),
  'service_identities.create': (n) => ({ name: `s${n}` }),
  'service_identities.put': (n) => ({ id: `put${n}`, name: 'S' }),
  'service_identities.toggle': () => ({ id: 'ci', active: true }),
  'grants.create': (n) => ({ service_identity: 'ci', name: `g${n}`, role: 'viewer' }),
  'grants.put': (n) => ({ id: `put${n}`, service_identity: 'ci', name: 'G', role: 'viewer' }),
  'trust_rules.create': (n) => ({ ...TRUST, name: `t${n}` }),
  'trust_rules.put': (n) => ({ ...TRUST, id: `put${n}`, name: 'T' }),
  'bindings.create': (n) => ({ host: 'notes', name: `b${n}`, virtual_mcp: 'bound-desk' }),
  'bindings.put': (n) => ({ id: `put${n}`, host: 'notes', name: 'B', virtual_mcp: 'bound-desk' }),
  'bindings.toggle': () => ({ id: 'bound', active: true }),
  'hosts.create': (n) => ({ name: `h${n}`, software: `https://app.example/${n}` }),
  'hosts.put': (n) => ({ id: `put${n}`, name: 'H', software: `https://app.example/put${n}` }),
  'credentials.put': (n) => ({ id: `put${n}`, name: 'C', auth: { type: 'bearer', token: 'planted' } }),
}

const SLUGS: Readonly<Record<string, string>> = {
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
  roles: 'publisher',
  users: 'ada',
  teams: 'core',
  service_identities: 'ci',
  grants: 'all',
  trust_rules: 'main',
  hosts: 'notes',
  bindings: 'bound',
}

/** What nothing refers to. */
const UNUSED: Readonly<Record<string, string>> = {
  'policies.delete': 'spare',
  'origins.delete': 'unused',
}

const TRUST = {
  service_identity: 'ci',
  issuer: 'https://issuer.example',
  audience: 'gateway',
  conditions: [{ claim: 'sub', equals: 'main' }],
}

/** Neither records nor gateway threads are here, and no credential with an overlap. */
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
  await control.run('guardrails.create', { ...GUARDRAIL, name: 'Cards' })
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
  await control.run('roles.create', { name: 'Publisher', permissions: ['proxies:publish'] })
  await control.run('users.create', { name: 'Ada' })
  await control.run('teams.create', { name: 'Core' })
  await control.run('service_identities.create', { name: 'CI' })
  await control.run('grants.create', { service_identity: 'ci', name: 'All', role: 'viewer' })
  await control.run('trust_rules.create', { ...TRUST, name: 'Main' })
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
      const slug = UNUSED[name] ?? SLUGS[operation.resource]
      const input = INPUTS[name]?.(n) ?? ('id' in operation.input.shape ? { id: slug ?? entry!.id } : {})
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
