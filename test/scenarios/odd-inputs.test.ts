/** Inputs whose members make the comparison of a length throw: each operation answers them as any other wrong input. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { askMcp, startTestServer, type TestServer } from './server.ts'

let server: TestServer
before(async () => {
  server = await startTestServer({ workers: 1 })
})
after(() => server?.stop())

const ODD = { length: { toString: 1, valueOf: 1 } }

test('a length that cannot be compared is invalid input, wherever a text or a list is wanted', async () => {
  for (const [path, body, pointer] of [
    ['/policies', { name: ODD, slug: 'gold' }, '/name/length'],
    ['/policies', { name: 'Gold', limits: ODD }, '/limits/length'],
    [
      '/collections',
      { name: 'Orders', base_path: '/orders', upstream: { targets: [{ url: ODD }] } },
      '/upstream/targets/0/url/length',
    ],
    ['/policies', { name: 'Gold', slug: ODD }, '/slug/length'],
  ] as const) {
    const { status, json } = await server.manage('POST', path, body)
    assert.deepEqual([status, json.code, json.errors[0].pointer], [400, 'input_invalid', pointer])
  }
})

const NO_TEXT = { toString: 1, valueOf: 1 }

test('claims of any type in a token that nothing proves yet are refused, and leave no fault in the log', async () => {
  for (const [path, body] of [
    ['/origins', { name: 'Notes', slug: 'notes', url: 'http://127.0.0.1:9/mcp', auth_mode: 'user_oauth' }],
    ['/virtual_mcps', { name: 'Desk', members: [{ origin: 'notes' }], status: 'published', all_users: true }],
  ] as const)
    assert.equal((await server.manage('POST', path, body)).status, 201)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const before = server.log.length
  for (const claim of ['postern_host', 'postern_profile', 'postern_binding', 'postern_credential'])
    for (const path of ['/mcp', '/mcp/desk', '/management/mcp']) {
      const claims = { iss: server.running.origin, sub: 'usr_x', exp: 4e9, [claim]: NO_TEXT }
      const token = `${part({ alg: 'ES256', typ: 'at+jwt' })}.${part(claims)}.${part({})}`
      const { status } = await askMcp(server, path as '/mcp', token, 'tools/list', {})
      assert.equal(status, 401, `${claim} at ${path}`)
      server.moveClock(10_000)
    }
  assert.deepEqual(server.log.slice(before), [])
})

test('a label that is no text is a finding of a workflow', async () => {
  const definition = {
    nodes: [
      { id: 'http', type: 'http_trigger' },
      { id: 'by', type: 'switch_node', config: { cases: [{ label: NO_TEXT, match: 1 }] } },
    ],
    edges: [{ from: 'http', to: 'by' }],
  }
  const { status, json } = await server.manage('POST', '/workflows/validate', { definition })
  assert.equal(status, 200)
  assert.ok(json.findings.some(({ code }: { code: string }) => code === 'bad_config'))
})
