import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Role } from '../../src/access/principal.ts'
import { allows } from '../../src/access/roles.ts'
import { ROLES } from '../../src/model/access.ts'
import type { Operation } from '../../src/operations/define.ts'
import { OPERATIONS } from '../../src/operations/registry.ts'
import { toTools } from '../../src/surfaces/mcp/tools.ts'
import { API_ROOT, nameOf, needsConfirmation, routeOf } from '../../src/surfaces/route.ts'
import { principalOf } from '../control.ts'
import { runPage } from '../support/page.ts'
import { runCommand } from './cli.ts'
import { call, type Reply, startTestServer, type TestServer } from './server.ts'

let server: TestServer
const tokens = new Map<Role, string>()
before(async () => {
  server = await startTestServer()
  for (const role of ROLES)
    tokens.set(role, (await server.running.issueToken({ role, ttl: '1h', name: `test-${role}` })).token)
})
after(() => server.stop())

/** What a surface answers; undefined where it does not have the operation. */
type Ask = (operation: Operation, token: string) => Promise<Answered | undefined>
interface Answered {
  readonly isDenied: boolean
  readonly text: string
}

/** An input that no write accepts: whoever is let in is told that, and changes nothing. */
const WRONG = { no_such_member: true }
const { grouped } = toTools(OPERATIONS)

function judge({ status, text, json }: Reply): Answered {
  assert.ok(![401, 500].includes(status), text)
  assert.equal(status === 403, json.code === 'permission_denied', text)
  return { isDenied: status === 403, text }
}

const management_api: Ask = async (operation, token) => {
  const { method, path } = routeOf(operation)
  const url = `${server.running.controlUrl}${API_ROOT}${path.replace('{id}', 'nothing-here')}`
  return judge(await call(method, url, { token, ...(method === 'GET' ? {} : { body: WRONG }) }))
}

const management_mcp: Ask = async (operation, token) => {
  const tool = grouped.find(({ operations }) => operations.includes(operation))
  if (tool === undefined) return undefined
  const [action] = [...tool.actions].find(([, meant]) => meant === operation)!
  const body = { tool: tool.name, action, ...WRONG }
  return judge(await call('POST', `${server.running.controlUrl}/management/mcp`, { token, body }))
}

const cli: Ask = async (operation, token) => {
  const { code, err } = await runCommand(
    server.data,
    [
      operation.resource.replaceAll('_', '-'),
      ...(operation.action === 'show' ? [] : [operation.action]),
      ...(routeOf(operation).byId ? ['nothing-here'] : []),
      ...(operation.effect === 'read' ? [] : ['--json', JSON.stringify(WRONG)]),
      ...(needsConfirmation(operation) ? ['--confirm', 'nothing-here'] : []),
    ],
    { env: { POSTERN_URL: server.running.controlUrl, POSTERN_TOKEN: token } },
  )
  return { isDenied: code === 1 && err.includes('This needs the permission'), text: err }
}

/** The command line has no answer of its own, so for it one role is enough of those who may little, and of those who may much. */
const TRIED: readonly (readonly [string, Ask, readonly Role[]])[] = [
  ['management_api', management_api, ROLES],
  ['management_mcp', management_mcp, ROLES],
  ['cli', cli, ['auditor', 'admin']],
]

/** Operations in the trail of who holds a token by this name. */
async function entries(role: Role, surface: string, outcome: string): Promise<string[]> {
  const query = new URLSearchParams({ actor: `test-${role}`, surface, outcome, limit: '200' })
  const page = await server.manage('GET', `/audit?${query}`)
  assert.equal(page.json.next_cursor, null, page.text)
  return page.json.items.map(({ operation }: { operation: string }) => operation).sort()
}

for (const [surface, ask, roles] of TRIED)
  for (const role of roles)
    test(`${surface}, ${role}: every operation is refused or let through as the table says`, async () => {
      const refused: string[] = []
      for (const operation of OPERATIONS) {
        const { permission, own } = operation
        const answer = await ask(operation, tokens.get(role)!)
        if (answer === undefined) continue
        const { isDenied, text } = answer
        const isAllowed = allows(role, permission) || own?.(principalOf(role)) === true
        const name = nameOf(operation)
        assert.equal(isDenied, !isAllowed, `${name}: ${text.slice(0, 500)}`)
        if (isAllowed) continue
        assert.ok(text.includes(`This needs the permission ${permission}.`), `${name}: ${text}`)
        refused.push(name)
      }
      assert.deepEqual(await entries(role, surface, 'denied'), refused.sort(), 'each denial is one entry')
      // On the command line, that the token was made
      const made = surface === 'cli' ? ['access_tokens.create'] : []
      assert.deepEqual(await entries(role, surface, 'ok'), made, 'and nothing was changed')
    })

test('what docs/people.md shows is answered', async () => {
  const upstream = { targets: [{ url: 'http://127.0.0.1:9000' }] }
  await server.manage('POST', '/collections', { name: 'Orders', base_path: '/orders', upstream })
  assert.equal(await runPage('people.md', server, {}), 5)
})

test('what docs/access-requests.md shows is answered', async () => {
  assert.equal(await runPage('access-requests.md', server, {}), 5)
})
