import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { createOrdersService } from '../../examples/orders/service.ts'
import { startEverything } from '../mcp/real-servers.ts'
import { commandsOf } from '../support/command-page.ts'
import { signedWith, signingKey } from '../support/issuer.ts'
import { completion, send, startLlm } from '../support/llm.ts'
import { runPage } from '../support/page.ts'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer, until } from './server.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (name: string): Promise<string> => readFile(join(ROOT, name), 'utf8')

let service: Awaited<ReturnType<typeof createOrdersService>>
let server: TestServer
/** Of the client that the README makes. */
let token = ''

/** What the README says below "Use it", where all pages begin. Each page makes things of its own beside it. */
before(async () => {
  service = await createOrdersService()
  server = await startTestServer()
  const commands = [...(await read('README.md')).matchAll(/^(?:TOKEN=\$\()?postern ([^)\n]+)\)?$/gm)].map(
    ([, line]) => line!,
  )
  assert.equal(commands.length, 3)
  for (const command of commands) {
    const args = command.replace('http://127.0.0.1:9000', service.url).split(' ')
    const { code, out, err } = await runCommand(server.data, args)
    assert.equal(code, 0, `${command}: ${err}`)
    if (command.startsWith('clients create')) token = out.trim()
  }
})
after(async () => {
  await server.stop()
  await service.close()
})

for (const [page, requests] of [
  // Counts the requests of the hour, of which the others make more
  ['metrics.md', 5],
  ['cache.md', 7],
  ['cors.md', 4],
  ['workflow-recipes.md', 19],
  ['management-mcp.md', 6],
  ['exports.md', 2],
  ['people.md', 5],
  ['access-requests.md', 5],
] as const)
  test(`who has followed the README can follow docs/${page}`, async () => {
    const words = { $TOKEN: token, 'http://127.0.0.1:9000': service.url }
    assert.equal(await runPage(page, server, words), requests)
  })

test('the expression that docs/workflow-recipes.md has for a percentage of calls selects the other path', async () => {
  const page = await read('docs/workflow-recipes.md')
  const [, chance] = /input `value` of the `switch_node` to `(\{\{.*?\}\})`/.exec(page)!
  const value = chance!.replace('< 5 ', '< 100 ')
  assert.notEqual(value, chance)
  const { json } = await server.manage('GET', '/proxies/orders:canary')
  const nodes = json.workflow.nodes.map((node: { type: string }) =>
    node.type === 'switch_node' ? { ...node, inputs: { value } } : node,
  )
  const changed = await server.manage('PATCH', '/proxies/orders:canary', {
    workflow: { ...json.workflow, nodes },
  })
  assert.equal(changed.status, 200, changed.text)
  const answer = await server.gateway('GET', '/orders/v1/orders/canary', { token })
  assert.equal(answer.json.target, '/api/v1/whoami', answer.text)
})

test('who has followed the README can follow docs/workflows.md, with a server of the MCP project', async () => {
  await using everything = await startEverything()
  const words = {
    $TOKEN: token,
    'http://127.0.0.1:3001/mcp': everything.url,
    'http://127.0.0.1:9000': service.url,
  }
  assert.equal(await runPage('workflows.md', server, words), 23)
})

test('who has followed the README can follow docs/workflow-llm.md, with a server that answers as a model', async () => {
  await using llm = await startLlm()
  llm.answer = (asked, response) => {
    const text =
      asked.response_format === undefined
        ? `You asked: ${asked.messages.at(-1)?.content}`
        : '{"topic":"delivery","urgent":false}'
    send(response, { ...completion(asked, text), model: asked.model })
  }
  const words = { $TOKEN: token, 'http://127.0.0.1:8000/v1': llm.baseUrl }
  assert.equal(await runPage('workflow-llm.md', server, words), 7)
})

test('the commands of docs/collections-as-mcp.md print what the page shows', async () => {
  const commands = commandsOf('collections-as-mcp.md')
  for (const { args, prints, code } of commands) {
    const ended = await runCommand(server.data, args)
    assert.equal(ended.code, code, `${args.join(' ')}: ${ended.err}`)
    assert.match(ended.out, prints)
  }
  assert.equal(commands.length, 5)
})

test('docs/virtual-mcps.md leads from an origin to its first call in five commands, and what follows is printed as it says', async () => {
  await using everything = await startEverything()
  const page = await read('docs/virtual-mcps.md')
  const directory = await mkdtemp(join(tmpdir(), 'postern-page-'))
  const policy = join(directory, 'policy.yaml')
  await writeFile(policy, /`policy\.yaml`:\n\n```yaml\n([\s\S]*?)```/.exec(page)![1]!)
  const [, script, answer] = /```sh\nTOKEN=pst_pk_…\n([\s\S]*?)```\n\n```json\n([\s\S]*?)\n```/.exec(page)!
  const own = { 'http://127.0.0.1:3001/mcp': everything.url, 'policy.yaml': policy } as const
  const commands = commandsOf('virtual-mcps.md')
  try {
    for (const [at, { args, prints, code }] of commands.entries()) {
      const given = args.map((arg) => own[arg as keyof typeof own] ?? arg)
      const command = () => runCommand(server.data, given)
      // The record of the call is written after its response
      const ended = await (args[0] === 'records' ? until(command, ({ out }) => prints.test(out)) : command())
      assert.equal(ended.code, code, `${args.join(' ')}: ${ended.err}`)
      assert.match(ended.out, prints)
      if (at !== 2) continue
      const TOKEN = /^Token of Helper +(\S+)/m.exec(ended.out)![1]!
      const call = script!.replace('http://127.0.0.1:8080', server.running.gatewayUrl)
      const called = await promisify(execFile)('bash', ['-c', call], { env: { ...process.env, TOKEN } })
      assert.equal(called.stdout, answer)
    }
  } finally {
    await rm(directory, { recursive: true })
  }
  assert.equal(commands.length, 9)
})

test('the WebSocket of docs/websocket.md says what the page says', async () => {
  assert.equal(await runPage('websocket.md', server, { $TOKEN: token }), 2)
  const [, script, said] = /node -e '\n([\s\S]*?)'\n```\n\n```\n([\s\S]*?)```/.exec(
    await read('docs/websocket.md'),
  )!
  const url = server.running.gatewayUrl.replace('http', 'ws')
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-e', script!.replace('ws://127.0.0.1:8080', url)],
    { env: { TOKEN: token }, timeout: 20_000 },
  )
  assert.equal(stdout, said)
})

test('the explanation of docs/routing.md is printed as the page has it', async () => {
  const [, command, expected] = /\$ postern (.*)\n([\s\S]*?)\.\.\.\n```/.exec(await read('docs/routing.md'))!
  const { code, out, err } = await runCommand(server.data, command!.split(' '))
  assert.equal(code, 0, err)
  assert.equal(out.slice(0, expected!.length), expected)
})

test('who has followed the README can follow docs/credentials.md, with a server for tokens', async () => {
  await using endpoint = await new TokenEndpoint().listen()
  const auth = { type: 'jwt', issuer: 'https://people.test' }
  const people = await server.manage('POST', '/profiles', { client: 'acme', name: 'People', auth })
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: auth.issuer, sub: 'ann', iat: now, exp: now + 60 }
  const words = {
    $TOKEN: token,
    $CALLER: signedWith(people.json.signing_secret, claims),
    'https://id.example.com/oauth/token': endpoint.url,
    '-----BEGIN PRIVATE KEY-----\\nMC4C…\\n-----END PRIVATE KEY-----\\n': JSON.stringify(
      signingKey('k1').key.export({ type: 'pkcs8', format: 'pem' }),
    ).slice(1, -1),
  }
  assert.ok((await runPage('credentials.md', server, words)) >= 20)
})

test('who has followed the README can follow docs/changes.md, which publishes it again beside itself', async () => {
  assert.equal(await runPage('changes.md', server, { $TOKEN: token }), 9)
})

test('who has followed the README can import as docs/openapi-import.md does, and go on with the other pages', async () => {
  const commands = [
    ...(await read('docs/openapi-import.md')).matchAll(/^```\npostern (openapi [^\n]+)\n```$/gm),
  ].map(([, line]) => line!.replace('http://127.0.0.1:9000', service.url))
  assert.equal(commands.length, 3)
  for (const command of commands) {
    const { code, err } = await runCommand(server.data, command.split(' '))
    assert.equal(code, 0, `${command}: ${err}`)
  }
  // Each collection has proxies with these slugs now
  assert.equal(await runPage('cache.md', server, { $TOKEN: token }), 7)
})
