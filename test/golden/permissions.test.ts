/** The golden table of permissions, walked: every operation, under every role and one of our own, at every surface. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { toGrant } from '../../src/access/identities.ts'
import type { Principal } from '../../src/access/principal.ts'
import { createClock } from '../../src/base/clock.ts'
import { bearerOf } from '../../src/base/http/fields.ts'
import { refuse } from '../../src/base/refusal.ts'
import { ROLES } from '../../src/model/access/access.ts'
import type { Operation } from '../../src/operations/engine/define.ts'
import { mayCall } from '../../src/operations/engine/permission.ts'
import { OPERATIONS } from '../../src/operations/registry.ts'
import { createManagementDoor, type ManagementDoor } from '../../src/surfaces/mcp/door.ts'
import { actionOf, type ManagementTool, toTools } from '../../src/surfaces/mcp/tools.ts'
import { createRestApp } from '../../src/surfaces/rest/app.ts'
import { API_ROOT, nameOf, needsConfirmation, routeOf } from '../../src/surfaces/route.ts'
import { CallerMemory } from '../../src/wire/caller-memory.ts'
import { type Control, principalOf, startControl } from '../control.ts'
import { runCommand } from '../scenarios/cli.ts'
import { createSessionMemory } from '../support/session-memory.ts'

const ORIGIN = 'http://gateway.test'
/** What the role of our own lists: reads, writes and what else there is, each of some types and not of others. */
const KEEPER = [
  'proxies:read',
  'proxies:update',
  'clients:create',
  'audit:verify',
  'keys:rotate',
  'roles:delete',
]
/** An input that no operation accepts: whoever is let in is told that, and changes nothing. */
const WRONG = { no_such_member: true }
const ABSENT = 'nothing-here'

/** What the golden table says of an operation. */
interface Row {
  readonly permission: string
  /** By role. */
  readonly allowed: ReadonlyMap<string, boolean>
}

const rows = new Map<string, Row>()
for (const line of readFileSync(join(import.meta.dirname, '../../docs/permissions.md'), 'utf8').split('\n')) {
  const [, name, , , permission, ...marks] = line.split('|').map((cell) => cell.trim().replaceAll('`', ''))
  if (name === undefined || permission === undefined || !/^[a-z_]+\.[a-z_]+$/.test(name)) continue
  // What somebody may do for what is their own is open to every user
  const byRole = ROLES.map((role, at) => [role, marks[at] !== '-'] as const)
  const kept = KEEPER.includes(permission) || marks.includes('own')
  rows.set(name, { permission, allowed: new Map([...byRole, ['keeper', kept]]) })
}

let control: Control
let door: ManagementDoor
let rest: ReturnType<typeof createRestApp>
/** Who holds a token: one for each role and surface, so that their entries in the trail are told apart. */
const holders = new Map<string, Principal>()

before(async () => {
  control = await startControl()
  const made = await control.run('roles.create', { name: 'Keeper', permissions: KEEPER })
  const scope = { resource_types: [], verbs: [], collections: [], virtual_mcps: [], tags: [] }
  const keeper = await toGrant(control.store.read, String(made.output['id']), scope)
  for (const [surface] of SURFACES)
    for (const role of [...ROLES, 'keeper'] as const) {
      const held = role === 'keeper' ? principalOf('viewer', [keeper]) : principalOf(role)
      const token = `${role} at ${surface}`.replaceAll(' ', '-')
      holders.set(token, { ...held, id: `usr_${token}`, name: token })
    }
  const authenticate = async (token: string | null): Promise<Principal> => {
    const holder = holders.get(token ?? '')
    if (holder === undefined) throw refuse('credential_invalid')
    return holder
  }
  const memory = new CallerMemory(1024 ** 2)
  const fault = (error: unknown) => {
    throw error
  }
  const { invoke } = control
  const ports = { operations: OPERATIONS, invoke, origins: [ORIGIN] as const, scope: null }
  rest = createRestApp({
    ...ports,
    gatewayOrigin: ORIGIN,
    authenticate,
    keep: (principal) => memory.open(principal),
    facts: () => ({ requestId: 'req_test', ip: null }),
    authorizationServers: [],
    issuer: 'http://localhost:8080',
    log: fault,
  })
  door = createManagementDoor({
    ...ports,
    allowsOrigin: () => false,
    authenticate: ({ authorization }) => authenticate(bearerOf(authorization)),
    allowed: mayCall,
    reveals: () => false,
    link: async () => null,
    sealKey: new Uint8Array(32),
    ...createSessionMemory(),
    version: '0.0.0',
    docs: { topics: () => [], read: () => null },
    clock: createClock(),
    fault,
  })
})
after(() => control.close())

interface Answered {
  readonly code: string | null
  readonly detail: string
}

/** Asks for an operation with a token; null where the surface does not have it. */
type Ask = (operation: Operation, token: string) => Promise<Answered | null>

async function overRest(operation: Operation, token: string): Promise<Answered> {
  const { method, path } = routeOf(operation)
  const response = await rest.request(ORIGIN + API_ROOT + path.replace('{id}', ABSENT), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(method === 'GET' ? {} : { body: JSON.stringify(WRONG) }),
  })
  return told(!response.ok, await response.text())
}

const { grouped, full } = toTools(OPERATIONS)

const overMcp =
  (view: readonly ManagementTool[]): Ask =>
  async (operation, token) => {
    const tool = view.find(({ operations }) => operations.includes(operation))
    if (tool === undefined) return null
    const action = tool.listed.length === 0 ? {} : { action: actionOf(tool, operation) }
    const headers: Record<string, string> = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
    }
    const { status, body } = await door.handle({
      method: 'POST',
      path: '/management/mcp',
      query: '',
      host: 'gateway.test',
      ip: null,
      requestId: 'req_test',
      header: (name) => headers[name],
      body: async () => Buffer.from(JSON.stringify({ tool: tool.name, ...action, ...WRONG })),
    })
    return told(status !== 200, body)
  }

async function overCli(operation: Operation, token: string): Promise<Answered> {
  const { byId, method, path } = routeOf(operation)
  const asked: string[] = []
  const { code, err } = await runCommand(
    control.directory,
    [
      operation.resource.replaceAll('_', '-'),
      ...(operation.action === 'show' ? [] : [operation.action.replaceAll('_', '-')]),
      ...(byId ? [ABSENT] : []),
      ...(method === 'GET' ? [] : ['--json', JSON.stringify(WRONG)]),
      ...(operation.content === undefined ? [] : ['--out', join(control.directory, 'out')]),
      ...(needsConfirmation(operation) ? ['--confirm', ABSENT] : []),
      ...(operation.follows === true ? ['--wait', '0'] : []),
      ...['-o', 'json'],
    ],
    {
      env: { POSTERN_URL: ORIGIN, POSTERN_TOKEN: token },
      fetch: async (input, init) => {
        asked.push(`${init?.method} ${String(input)}`)
        return rest.request(String(input), init)
      },
    },
  )
  assert.equal(asked[0]?.split('?')[0], `${method} ${ORIGIN}${API_ROOT}${path.replace('{id}', ABSENT)}`)
  const answer = told(code !== 0, err)
  // As scripts tell them apart
  assert.equal(code, { null: 0, input_invalid: 2 }[String(answer.code)] ?? 1, err)
  return answer
}

function told(isProblem: boolean, text: string): Answered {
  if (!isProblem) return { code: null, detail: '' }
  const { code, detail } = JSON.parse(text) as { code: string; detail: string }
  assert.ok(!['credential_invalid', 'internal_error', 'unknown'].includes(code), text)
  return { code, detail }
}

const SURFACES: readonly (readonly [string, string, Ask])[] = [
  ['management REST', 'management_api', overRest],
  ['Management MCP, grouped', 'management_mcp', overMcp(grouped)],
  ['Management MCP, in full', 'management_mcp', overMcp(full)],
  ['the command line', 'cli', overCli],
]

test('the golden table has a row for every operation, and no other', () => {
  assert.deepEqual([...rows.keys()].sort(), OPERATIONS.map(nameOf).sort())
})

for (const [name, surface, ask] of SURFACES)
  for (const role of [...ROLES, 'keeper'])
    test(`${role} over ${name}: every operation is refused or let through as the golden table says`, async () => {
      const token = `${role} at ${name}`.replaceAll(' ', '-')
      const revision = await control.store.read.revision()
      const refused: string[] = []
      for (const operation of OPERATIONS) {
        const answer = await ask(operation, token)
        if (answer === null) continue
        const what = nameOf(operation)
        const row = rows.get(what)
        assert.ok(row !== undefined, what)
        const isDenied = answer.code === 'permission_denied'
        assert.equal(isDenied, row.allowed.get(role) === false, `${what}: ${JSON.stringify(answer)}`)
        if (!isDenied) continue
        assert.equal(answer.detail, `This needs the permission ${row.permission}.`, what)
        refused.push(what)
      }
      assert.equal(await control.store.read.revision(), revision, 'nothing was changed')
      const { items, next } = await control.store.read.auditEntries({ actor: token, limit: 1000 })
      assert.equal(next, null)
      assert.deepEqual(
        items.map((entry) => `${entry.operation} ${entry.outcome} ${entry.surface}`).sort(),
        refused.map((what) => `${what} denied ${surface}`).sort(),
        'each denial is one entry, and there is nothing else',
      )
    })
