import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createOrdersService } from '../../examples/orders/service.ts'
import { signedWith } from '../support/issuer.ts'
import { runPage } from '../support/page.ts'
import { TokenEndpoint } from '../support/token-endpoint.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (name: string): Promise<string> => readFile(join(ROOT, name), 'utf8')

interface Walked extends AsyncDisposable {
  readonly server: TestServer
  /** Of the client that the README makes. */
  readonly token: string
}

/** Does what the README says below "Use it": where all pages begin. */
async function walkReadme(): Promise<Walked> {
  const service = await createOrdersService()
  const server = await startTestServer()
  const commands = [...(await read('README.md')).matchAll(/^npm run postern -- (.+)$/gm)].map(
    ([, line]) => line!,
  )
  assert.equal(commands.length, 4)
  let token = ''
  for (const command of commands) {
    const args = command.replace('http://127.0.0.1:9000', service.url).split(' ')
    const { code, out, err } = await runCommand(server.data, [...args, '-o', 'json'])
    assert.equal(code, 0, `${command}: ${err}`)
    if (command.startsWith('clients create')) token = JSON.parse(out).profiles[0].token
  }
  return {
    server,
    token,
    async [Symbol.asyncDispose]() {
      await server.stop()
      await service.close()
    },
  }
}

for (const [page, requests] of [
  ['cache.md', 7],
  ['cors.md', 4],
  ['metrics.md', 5],
  ['websocket.md', 2],
  ['changes.md', 9],
  ['workflows.md', 5],
  ['management-mcp.md', 4],
  ['exports.md', 2],
] as const)
  test(`who has followed the README can follow docs/${page}`, async () => {
    await using walked = await walkReadme()
    assert.equal(await runPage(page, walked.server, { $TOKEN: walked.token }), requests)
  })

test('who has followed the README can follow docs/credentials.md, with a server for tokens', async () => {
  await using walked = await walkReadme()
  await using endpoint = await new TokenEndpoint().listen()
  const { server, token } = walked
  const auth = { type: 'jwt', issuer: 'https://people.test' }
  const people = await server.manage('POST', '/profiles', { client: 'acme', name: 'People', auth })
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: auth.issuer, sub: 'ann', iat: now, exp: now + 60 }
  const words = {
    $TOKEN: token,
    $CALLER: signedWith(people.json.signing_secret, claims),
    'https://id.example.com/oauth/token': endpoint.url,
  }
  assert.ok((await runPage('credentials.md', server, words)) >= 20)
})

test('the WebSocket of docs/websocket.md says what the page says', async () => {
  await using walked = await walkReadme()
  await runPage('websocket.md', walked.server, { $TOKEN: walked.token })
  const [, script, said] = /node -e '\n([\s\S]*?)'\n```\n\n```\n([\s\S]*?)```/.exec(
    await read('docs/websocket.md'),
  )!
  const url = walked.server.running.gatewayUrl.replace('http', 'ws')
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-e', script!.replace('ws://127.0.0.1:8080', url)],
    { env: { TOKEN: walked.token }, timeout: 20_000 },
  )
  assert.equal(stdout, said)
})

test('the explanation of docs/routing.md is printed as the page has it', async () => {
  await using walked = await walkReadme()
  const [, command, expected] = /\$ postern (.*)\n([\s\S]*?)\.\.\.\n```/.exec(await read('docs/routing.md'))!
  const { code, out, err } = await runCommand(walked.server.data, command!.split(' '))
  assert.equal(code, 0, err)
  assert.equal(out.slice(0, expected!.length), expected)
})
