import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { parse } from 'yaml'
import { RunnerFileSchema } from '../../src/runner/file-schema.ts'
import { faultOfPackage } from '../../src/runner/pinned.ts'
import { commandsOf } from '../support/command-page.ts'
import { eventually } from '../support/eventually.ts'
import { CLIENT_INFO, PEERS } from '../support/mcp-clients.ts'
import { type SdkServer, startSdkServer } from '../support/mcp-server.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer, until } from './server.ts'

let server: TestServer
let sums: SdkServer
const directory = mkdtempSync(join(tmpdir(), 'postern-mcp-servers-'))
before(async () => {
  server = await startTestServer()
  sums = await startSdkServer()
})
after(async () => {
  await sums[Symbol.asyncDispose]()
  await server.stop()
  rmSync(directory, { recursive: true })
})

const write = (name: string, text: string): string => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

/** Applies what a file of servers becomes, and gives the token of a client that may call them. */
async function imported(servers: Record<string, unknown>, limit: number): Promise<string> {
  const converted = await server.manage('POST', '/config/convert', {
    document: { servers },
    servers: 'collections',
  })
  const applied = await server.manage('POST', '/config/apply', { documents: converted.json.documents })
  assert.equal(applied.status, 200, applied.text)
  const slug = `of-${Object.keys(servers)[0]}`
  const limits = [{ name: 'minute', kind: 'rate', max: limit, window: '1m' }]
  await server.manage('POST', '/policies', { name: slug, slug, limits })
  const client = { name: slug, slug, collections: Object.keys(servers), policy: slug }
  await server.manage('POST', '/clients', client)
  const profile = { client: slug, name: 'Agent', slug: 'agent', auth: { type: 'token' } }
  return (await server.manage('POST', '/profiles', profile)).json.token
}

test('a client of the official SDK works through the gateway on imported servers: streams, sessions, records and limits', async () => {
  process.env['SECRET_SUMS'] = 'key-of-sums'
  const token = await imported(
    { sums: { type: 'http', url: sums.url, headers: { 'X-API-Key': '$\u007benv:SUMS}' } } },
    20,
  )
  const client = new Client(CLIENT_INFO)
  const transport = new StreamableHTTPClientTransport(new URL(`${server.running.gatewayUrl}/sums/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  })
  // The SDK declares its own transport in a way that exactOptionalPropertyTypes rejects.
  await client.connect(transport as Parameters<typeof client.connect>[0])
  let changes = 0
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    changes++
  })
  assert.deepEqual(
    (await client.listTools()).tools.map(({ name }) => name),
    ['add'],
  )
  let steps = 0
  const options = { onprogress: () => steps++ }
  const sum = await client.callTool({ name: 'add', arguments: { a: 20, b: 22 } }, undefined, options)
  assert.deepEqual([sum.content, steps], [[{ type: 'text', text: '42' }], 1])

  await eventually(() => sums.seen.some(({ method }) => method === 'GET'))
  sums.addTool()
  await eventually(() => changes === 1)
  assert.equal(sums.sessions.size, 1)
  for (const { headers } of sums.seen)
    assert.deepEqual([headers['x-api-key'], headers['authorization']], ['key-of-sums', undefined])

  const { json } = await until(
    () => server.manage('GET', '/records?client=of-sums&collection=sums&method=POST'),
    (reply) => reply.json.items.length >= 4,
  )
  for (const { path, status } of json.items)
    assert.deepEqual([path, Math.floor(status / 100)], ['/sums/mcp', 2])
  await assert.rejects(async () => {
    for (let calls = 0; calls < 20; calls++) await client.listTools()
  }, /rate_limit_exceeded/)
  server.moveClock(61_000)
  await transport.terminateSession()
  assert.equal(sums.sessions.size, 0)
  await client.close()
})

test('clients of each era of the protocol work through the gateway', async () => {
  const own = await imported({ none: { url: 'http://127.0.0.1:9/mcp' } }, 1000)
  process.env['SECRET_OWN_TOKEN'] = own
  const url = `${server.running.gatewayUrl}/mcp`
  const token = await imported(
    { own: { url, headers: { Authorization: 'Bearer $\u007binput:own-token}' } } },
    1000,
  )
  for (const [name, connect] of Object.entries(PEERS)) {
    const peer = await connect(`${server.running.gatewayUrl}/own/mcp`, { authorization: `Bearer ${token}` })
    assert.equal((await peer.tools()).length, 4, name)
    const answer = await peer.call('list_collections', {})
    const [listed] = answer.structuredContent!['collections'] as { slug: string }[]
    assert.equal(listed!.slug, 'none', name)
    await peer.close()
  }
})

test('convert ends with 3 where something is left out or a draft, with a row for each part, and else with 0', async () => {
  const service = { name: 's', url: 'http://127.0.0.1:9', routes: [{ name: 'r', paths: ['/s'] }] }
  const kong = (more: object): string =>
    write('kong.json', JSON.stringify({ _format_version: '3.0', services: [{ ...service, ...more }] }))
  const rowsOf = (table: string): string[] =>
    table
      .trimEnd()
      .split('\n')
      .map((line) => line.replaceAll(/ {2,}/g, ' | '))
  const keyed = await runCommand(server.data, ['convert', kong({ plugins: [{ name: 'key-auth' }] })])
  assert.deepEqual(
    [keyed.code, ...rowsOf(keyed.err)],
    [
      0,
      'RESULT | PART | NAME | REASON',
      'kept | plugin | key-auth of service s | callers send their key as before; the upstream does not get it',
      'kept | service | s | collection s at /s',
      'kept | route | r | proxies of collection s',
    ],
  )
  const open = await runCommand(server.data, ['convert', kong({})])
  assert.equal(open.code, 3)
  assert.match(
    open.err,
    /^different +collection +s +it had no authentication, but callers of Postern need .+$/m,
  )
  const plugins = [{ name: 'ip-restriction', config: { allow: ['10.0.0.0/8'] } }]
  const closed = await runCommand(server.data, ['convert', kong({ plugins, vaults: [1] })])
  assert.equal(closed.code, 3)
  assert.deepEqual(rowsOf(closed.err), [
    'RESULT | PART | NAME | REASON',
    'left_out | plugin | ip-restriction of service s | what it protects is a draft',
    'closed | collection | s | vaults is not carried over; plugin ip-restriction has no counterpart',
    'closed | route | r | collection s is a draft',
  ])
  assert.match(closed.out, /status: draft/)
})

test('the page about imports converts and applies the servers of an MCP client as it says', async () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/openapi-import.md'), 'utf8')
  write('mcp.json', /```json\n([\s\S]*?)```/.exec(page)![1]!)
  const commands = commandsOf('openapi-import.md')
  assert.equal(commands.length, 3)
  for (const { args, prints } of commands) {
    const [words, target] = args.includes('>') ? [args.slice(0, -2), args.at(-1)!] : [args, null]
    const files = words.map((word) => (/\.(json|yaml)$/.test(word) ? join(directory, word) : word))
    const { code, out, err } = await runCommand(server.data, files)
    assert.equal(code, 0, `${args.join(' ')}\n${err}`)
    if (target !== null) write(target, out)
    assert.match(target === null ? out : err, prints)
  }
})

test('the page about origins converts and applies the entry of a registry as it says', async () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/origins.md'), 'utf8')
  write('server.json', /```json\n([\s\S]*?)```/.exec(page)![1]!)
  const commands = commandsOf('origins.md')
  assert.equal(commands.length, 3)
  for (const { args, prints } of commands) {
    const [words, target] = args.includes('>') ? [args.slice(0, -2), args.at(-1)!] : [args, null]
    const files = words.map((word) => (/\.(json|yaml)$/.test(word) ? join(directory, word) : word))
    const { code, out, err } = await runCommand(server.data, files)
    assert.equal(code, 0, `${args.join(' ')}\n${err}`)
    if (target !== null) write(target, out)
    assert.match(target === null ? out : err, prints)
  }
})

test('convert writes the entries of programs for the runner to standard error, and the runner reads them', async () => {
  const packages = [
    { registryType: 'npm', identifier: '@example/a', version: '1.0.0' },
    { registryType: 'pypi', identifier: 'example-b', version: '2.1' },
    { registryType: 'oci', identifier: 'ghcr.io/example/c:1.0.0' },
  ].map((one) => ({
    ...one,
    transport: { type: 'stdio' },
    environmentVariables: [{ name: 'TOKEN', isSecret: true, isRequired: true }],
    packageArguments: [{ type: 'named', name: '--root', isRequired: true }],
  }))
  for (const [at, one] of packages.entries()) {
    const file = write('package.json', JSON.stringify({ name: `com.example/tool${at}`, packages: [one] }))
    const { code, err } = await runCommand(server.data, ['convert', file, '--value', 'root=/srv/a=b'])
    assert.equal(code, 3)
    const [notes, yaml] = err.split('Entries for the file of postern runner:\n')
    assert.match(notes!, /to the file of postern runner/)
    const { entries } = RunnerFileSchema.parse({
      listen: { socket: '/run/x.sock' },
      ...(parse(yaml!) as object),
    })
    const { program, args, env } = entries[`tool${at}`]!
    assert.equal(faultOfPackage(program, args), null)
    assert.deepEqual(args.slice(-2), ['--root', '/srv/a=b'])
    assert.deepEqual(env['TOKEN'], { file: `/etc/postern/secrets/tool${at}/TOKEN` })
  }
})
