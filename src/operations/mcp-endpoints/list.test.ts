import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, operationOf, refused, startControl, VIA } from '../../../test/control.ts'
import type { Grant, Principal } from '../../access/principal.ts'
import { createClock } from '../../base/clock.ts'
import { createAccounts } from '../access/accounts.ts'
import type { McpEndpoint } from './list.ts'

let control: Control
const ids: Record<string, string> = {}
before(async () => {
  control = await startControl()
  const run = control.run
  for (const slug of ['ada', 'bob', 'cy'])
    ids[slug] = String((await run('users.create', { name: slug })).output['id'])
  await run('teams.create', { name: 'Support' })
  await run('teams.create', { name: 'Tier 2', parent: 'support', members: [{ user: 'ada' }] })
  await run('origins.create', { name: 'Tickets', url: 'http://127.0.0.1:9001/mcp' })
  await run('origins.create', { name: 'Billing', url: 'http://127.0.0.1:9002/mcp' })
  const desk = { members: [{ origin: 'tickets' }, { origin: 'billing', active: false }], status: 'published' }
  await run('virtual_mcps.create', { ...desk, name: 'Desk', description: 'Tickets', teams: ['support'] })
  await run('virtual_mcps.create', { ...desk, name: 'All hands', all_users: true, tags: ['mine'] })
  await run('virtual_mcps.create', { ...desk, name: 'Draft', all_users: true, status: 'draft' })
  await run('virtual_mcps.create', { ...desk, name: 'Nobody' })
  await run('clients.create', { name: 'Acme' })
  const auth = { auth: { type: 'token' }, client: 'acme' }
  await run('profiles.create', { ...auth, name: 'Web', agent_sign_in: { teams: ['support'] } })
  await run('profiles.create', { ...auth, name: 'Own', agent_sign_in: { users: ['ada'] } })
  await run('profiles.create', { ...auth, name: 'Off', agent_sign_in: { users: ['ada'] }, active: false })
})
after(() => control.close())

async function as(slug: string): Promise<Principal> {
  const accounts = createAccounts(control.store.read, createClock(control.cell), control.invoke)
  return accounts.principalOf(ids[slug]!, { authMethod: 'oauth', expiresAt: null, ceiling: null })
}

const listed = async (principal: Principal, input: object = {}): Promise<McpEndpoint[]> => {
  const { output } = await control.invoke(operationOf('mcp_endpoints.list'), input, {}, principal, VIA)
  assert.ok(operationOf('mcp_endpoints.list').output.safeParse(output).success)
  return output['items'] as McpEndpoint[]
}
const slugs = (endpoints: readonly McpEndpoint[]): string[] => endpoints.map(({ slug }) => slug)

test('people without any grant list what is shared with them, their teams and those above, and nothing else', async () => {
  const found = await listed(await as('ada'))
  assert.deepEqual(slugs(found), ['all-hands', 'desk', 'acme:web', 'acme:own'])
  assert.deepEqual(slugs(await listed(await as('bob'))), ['all-hands'])
  const { connect, ...desk } = found[1]!
  assert.deepEqual(desk, {
    kind: 'virtual_mcp',
    slug: 'desk',
    name: 'Desk',
    description: 'Tickets',
    url: 'http://localhost:8080/mcp/desk',
    origins: ['Tickets'],
  })
  assert.equal(found[2]!.url, 'http://localhost:8080/mcp/-/acme/web')
  assert.equal(found[2]!.name, 'Acme: Web')
  assert.ok(connect.some(({ text }) => text === `claude mcp add --transport http desk ${desk.url}`))
})

test('snippets are those of the application and of the credential that are asked for', async () => {
  const ada = await as('ada')
  const only = await listed(ada, { application: 'codex' })
  assert.deepEqual(
    [...new Set(only.flatMap(({ connect }) => connect.map(({ application }) => application)))],
    ['codex'],
  )
  const withToken = await listed(ada, { authentication: 'token', application: 'codex' })
  assert.deepEqual(
    withToken.map(({ connect }) => connect.length),
    [2, 2, 0, 0],
  )
})

test('pages follow each other', async () => {
  const ada = await as('ada')
  const found: string[] = []
  let cursor: unknown
  do {
    const input = { limit: 3, ...(cursor === undefined ? {} : { cursor }) }
    const { output } = await control.invoke(operationOf('mcp_endpoints.list'), input, {}, ada, VIA)
    found.push(...slugs(output['items'] as McpEndpoint[]))
    cursor = output['next_cursor']
  } while (cursor !== null)
  assert.deepEqual(found, ['all-hands', 'desk', 'acme:web', 'acme:own'])
})

test('of others, callers list what they may read, and people without the permission nothing', async () => {
  const asked = async (grants: readonly Grant[]) => {
    const { output } = await control.run('mcp_endpoints.list', { user: 'ada' }, { grants })
    return slugs(output['items'] as McpEndpoint[])
  }
  assert.deepEqual(await asked([{ role: 'admin' }]), ['all-hands', 'desk', 'acme:web', 'acme:own'])
  const permissions = new Set(['users:read', 'virtual_mcps:read'])
  assert.deepEqual(await asked([{ role: { permissions } }]), ['all-hands', 'desk'])
  await refused(listed(await as('bob'), { user: 'ada' }), 'permission_denied')
  assert.deepEqual(slugs(await listed(await as('bob'), { user: 'bob' })), ['all-hands'])
  await refused(control.run('mcp_endpoints.list', { user: 'nobody' }), 'not_found')
})

test('a caller who is no user has to name one', async () => {
  const refusal = await refused(control.run('mcp_endpoints.list', {}), 'input_invalid')
  assert.match(refusal.message, /Name the user/)
})

test('nothing is listed for a user who is switched off', async () => {
  await control.run('users.toggle', { id: 'cy', active: false })
  const { output } = await control.run('mcp_endpoints.list', { user: 'cy' })
  assert.deepEqual(output['items'], [])
})

test('people read the endpoints as text, with the snippets of one application', async () => {
  const { sentences } = operationOf('mcp_endpoints.list')
  const ada = await as('ada')
  const text = async (input: object): Promise<string> => {
    const { output } = await control.invoke(operationOf('mcp_endpoints.list'), input, {}, ada, VIA)
    return sentences!(output).join('\n')
  }
  assert.match(
    await text({ limit: 2 }),
    /Desk \(desk\)\n {2}http:\/\/localhost:8080\/mcp\/desk\n {2}Tickets\n {2}Origins: Tickets\nHow to connect: add --application /,
  )
  assert.match(
    await text({ application: 'cursor' }),
    /Cursor, ~\/\.cursor\/mcp\.json: add\n {4}\{\n {6}"mcpServers"/,
  )
  assert.equal(await text({ fields: 'slug', limit: 1 }), 'all-hands\nThere are more items: add --cursor MQ')
  assert.deepEqual(sentences!({ items: [], next_cursor: null }), [
    'No MCP endpoint is shared with this user.',
  ])
})
