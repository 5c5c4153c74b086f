/** Tokens of bindings that are restricted to a part of their virtual MCP. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { eventually } from '../support/eventually.ts'
import { message } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
let origin: Fixture
let desk: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}
async function issue(binding: string): Promise<string> {
  const { status, json, text } = await server.manage('POST', `/bindings/${binding}/issue_token`, {})
  assert.equal(status, 200, text)
  return json.token
}
async function names(token: string, type: 'tools' | 'prompts' | 'resources'): Promise<string[]> {
  const { json, text } = await message(desk, token, `${type}/list`)
  assert.ok(json?.result !== undefined, text)
  return json.result[type].map(({ name }: { name: string }) => name).sort()
}
const call = (token: string, name: string) => message(desk, token, 'tools/call', { name, arguments: {} })

before(async () => {
  origin = await startFixture()
  server = await startTestServer({ workers: 2 })
  desk = `${server.running.gatewayUrl}/mcp/desk`
  await make('/origins', { name: 'All', slug: 'all', url: origin.url })
  await make('/virtual_mcps', {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    members: [{ origin: 'all', capability_policy: { tools: [{ match: { glob: 'test_*' } }] } }],
  })
  await make('/hosts', { name: 'Nightly', slug: 'nightly' })
  await make('/bindings', { name: 'Whole', slug: 'whole', host: 'nightly', virtual_mcp: 'desk' })
  await make('/bindings', {
    name: 'Part',
    slug: 'part',
    host: 'nightly',
    virtual_mcp: 'desk',
    capabilities: {
      tools: ['test_simple_text', 'test_image*', 'greet'],
      prompts: [],
      resources: ['test://static-text'],
      resource_templates: [],
    },
  })
})
after(async () => {
  await server?.stop()
  await origin?.[Symbol.asyncDispose]()
})

test('lists of a restricted token have the selected items of the virtual MCP alone', async () => {
  const [whole, part] = [await issue('whole'), await issue('part')]
  // Twice at each of two threads, more or less
  for (let n = 0; n < 4; n++) {
    assert.deepEqual(await names(part, 'tools'), ['test_image_content', 'test_simple_text'])
    assert.deepEqual(await names(part, 'prompts'), [])
    assert.deepEqual(await names(part, 'resources'), ['static-text'])
  }
  assert.ok((await names(whole, 'tools')).length > 5)
  assert.ok((await names(whole, 'prompts')).length > 1)
})

test('a host token beyond its binding is answered like an unknown name, reaches no origin, and is recorded', async () => {
  const token = await issue('part')
  const allowed = await call(token, 'test_simple_text')
  assert.ok(allowed.json.result !== undefined, allowed.text)
  const refused = await call(token, 'test_error_handling')
  const unknown = await call(token, 'no_such_tool')
  assert.deepEqual(
    { ...refused.json.error, message: refused.json.error.message.replace('test_error_handling', 'X') },
    { ...unknown.json.error, message: unknown.json.error.message.replace('no_such_tool', 'X') },
  )
  for (const uri of ['test://watched-resource', 'test://template/7/data', 'test://elsewhere']) {
    const { json } = await message(desk, token, 'resources/read', { uri })
    assert.ok(json.error !== undefined, uri)
  }
  const { json: read } = await message(desk, token, 'resources/read', { uri: 'test://static-text' })
  assert.ok(read.result !== undefined)
  const { json: prompt } = await message(desk, token, 'prompts/get', { name: 'test_simple_prompt' })
  assert.ok(prompt.error !== undefined)
  const { json: host } = await server.manage('GET', '/hosts/nightly')
  await eventually(async () => {
    const { json } = await server.manage('GET', '/records?surface=virtual_mcp&mcp_method=tools/call')
    const record = json.items.find((one: { capability: string }) => one.capability === 'test_error_handling')
    return record !== undefined && record.agent_host === host.id
  })
})

test('a changed restriction holds from the next call on, for tokens that were issued before', async () => {
  const token = await issue('part')
  const allow = async (tools: readonly string[] | null): Promise<void> => {
    const capabilities = tools === null ? null : { tools }
    const { status, text } = await server.manage('PATCH', '/bindings/part', { capabilities })
    assert.equal(status, 200, text)
  }
  for (const [tools, isOpen] of [
    [['test_error_handling'], true],
    [[], false],
    [null, true],
    [['test_simple_text'], false],
  ] as const) {
    await allow(tools)
    const { json } = await call(token, 'test_error_handling')
    assert.equal(json.result !== undefined, isOpen, JSON.stringify(tools))
  }
})

test('a restriction that its type does not have is refused with its place', async () => {
  const { status, json } = await server.manage('PATCH', '/bindings/part', {
    capabilities: { prompts: [{ annotation: 'readOnlyHint', is: true }] },
  })
  assert.equal(status, 400)
  assert.match(JSON.stringify(json.errors), /\/capabilities\/prompts\/0\/annotation/)
})
