import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, EMPTY_FOUND, operationOf, refused, startControl } from '../../../test/control.ts'
import { EMPTY_CATALOGUE } from '../../model/mcp/capability-drift.ts'

type Item = Readonly<Record<string, unknown>>

const tool = (name: string) => ({ name, description: `Does ${name}.`, inputSchema: { type: 'object' } })
const catalogue = { ...EMPTY_CATALOGUE, tools: ['read', 'write', 'drop'].map(tool) }
let control: Control
before(async () => {
  control = await startControl({
    deps: { origins: { probe: async () => ({ steps: [], found: { ...EMPTY_FOUND, catalogue } }) } },
  })
  const { run } = control
  await run('users.create', { name: 'ada' })
  await run('users.create', { name: 'bob' })
  await run('teams.create', { name: 'Support' })
  await run('teams.create', { name: 'Tier 2', parent: 'support', members: [{ user: 'ada' }] })
  await run('origins.create', { name: 'Tickets', url: 'https://tickets.example.com/mcp' })
  const tools = [
    'read',
    { match: { exact: 'write' }, subjects: { teams: ['support'] }, projection: { name: 'put' } },
    { match: { exact: 'drop' }, subjects: { users: ['ada'] } },
  ]
  await run('virtual_mcps.create', {
    name: 'Desk',
    members: [{ origin: 'tickets', capability_policy: { tools } }],
    teams: ['support'],
    status: 'published',
  })
})
after(() => control.close())

async function preview(input: object): Promise<Item> {
  const { output } = await control.run('virtual_mcps.preview', { id: 'desk', ...input })
  const checked = operationOf('virtual_mcps.preview').output.safeParse(output)
  assert.ok(checked.success, checked.error?.message)
  return output
}

async function shown(input: object): Promise<unknown[]> {
  const { items } = await preview(input)
  return (items as readonly Item[]).filter(({ shown }) => shown === true).map(({ key }) => key)
}

test('the preview as a user has what rules give to the user, and to the teams above their own', async () => {
  assert.deepEqual(await shown({}), ['read'])
  assert.deepEqual((await shown({ person: 'ada' })).sort(), ['drop', 'read', 'write'])
  assert.deepEqual(await shown({ person: 'bob' }), ['read'])
  const { output } = await control.run('virtual_mcps.token_cost', { id: 'desk', person: 'ada' })
  assert.equal((output['lists'] as readonly Item[])[0]?.['items'], 3)
})

test('the preview as a team has what rules give to its members, and nothing that a user has alone', async () => {
  assert.deepEqual((await shown({ team: 'tier-2' })).sort(), ['read', 'write'])
  assert.deepEqual((await shown({ team: 'support' })).sort(), ['read', 'write'])
})

test('the preview warns of a user with whom the virtual MCP is not shared, and of an inactive one', async () => {
  const warnings = async (input: object) => JSON.stringify((await preview(input))['warnings'])
  assert.equal(await warnings({ person: 'ada' }), '[]')
  assert.equal(await warnings({ team: 'tier-2' }), '[]')
  assert.match(await warnings({ person: 'bob' }), /may not sign in to it. Share the virtual MCP/)
  await control.run('users.toggle', { id: 'bob', active: false })
  assert.match(await warnings({ person: 'bob' }), /is inactive/)
})

test('an item has the tokens of its entry in the list, and with definitions the entry', async () => {
  const plain = (await preview({ team: 'support' }))['items'] as readonly Item[]
  assert.ok(plain.every((item) => !Object.hasOwn(item, 'definition')))
  const { items } = await preview({ team: 'support', definitions: true })
  const byKey = new Map((items as readonly Item[]).map((item) => [item['key'], item]))
  assert.deepEqual(byKey.get('write')?.['definition'], { ...tool('write'), name: 'put' })
  assert.ok(Number(byKey.get('write')?.['tokens']) > 0)
  assert.deepEqual([byKey.get('drop')?.['definition'], byKey.get('drop')?.['tokens']], [null, null])
})

test('the preview as a user needs the permission to read users, and one subject alone', async () => {
  const scope = { types: ['virtual_mcps' as const], verbs: [], collections: [], tags: [] }
  const input = { id: 'desk', person: 'ada' }
  await refused(
    control.run('virtual_mcps.preview', input, { grants: [{ role: 'admin', scope }] }),
    'not_found',
  )
  await refused(control.run('virtual_mcps.preview', { ...input, team: 'support' }), 'input_invalid')
})

test('the URL and the snippets of a virtual MCP are shown to whoever may read it', async () => {
  const connect = async (input: object) =>
    (await control.run('virtual_mcps.connect', { id: 'desk', ...input })).output
  const all = await connect({})
  assert.equal(all['url'], 'http://localhost:8080/mcp/desk')
  const texts = (all['connect'] as readonly Item[]).map(({ text }) => text)
  assert.ok(texts.includes('claude mcp add --transport http desk http://localhost:8080/mcp/desk'))
  const { connect: one } = await connect({ application: 'claude_code', authentication: 'token' })
  assert.match(JSON.stringify(one), /MCP_TOKEN_DESK/)
  assert.doesNotMatch(JSON.stringify(one), /cursor/)
})
