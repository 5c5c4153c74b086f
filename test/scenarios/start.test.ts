import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { LOCAL_SOCKET, SOCKETS_FILE } from '../../src/base/net/address.ts'
import { CannotStart } from '../../src/base/refusal.ts'
import { startServer } from '../../src/serve.ts'
import { readSettings } from '../../src/settings.ts'
import { eventually } from '../support/eventually.ts'
import { ownPort } from '../support/ports.ts'
import { runCommand } from './cli.ts'
import { isGroupAlive, killNow, runPostern, startUp, temporaryDirectory } from './process.ts'
import { call, publishOrders, type Reply, startTestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const FREE = ['--listen', '127.0.0.1:0', '--control-listen', '127.0.0.1:0']

/** Starts as `postern up` does, which prints what a {@link CannotStart} says and ends with 1. */
async function refusesToStart(args: readonly string[], sentence: RegExp): Promise<void> {
  const starting = async () => startServer(readSettings(args, {}), { log: () => {} })
  await assert.rejects(starting(), (error) => {
    assert.ok(error instanceof CannotStart, String(error))
    assert.match(error.message, sentence)
    return true
  })
}

/** A data directory that an instance has used, with a published route. */
const used = await temporaryDirectory()
let upstream: TestUpstream
let adminToken: string
let token: string
before(async () => {
  upstream = await startUpstream()
  const server = await startTestServer({ data: used })
  adminToken = server.adminToken
  token = await publishOrders(server, upstream.url)
  await server.stop()
})
after(async () => {
  await upstream.close()
  await rm(used, { recursive: true })
})

async function copyOfUsed(): Promise<string> {
  const data = await temporaryDirectory()
  await cp(used, data, { recursive: true, filter: (name) => !name.endsWith('.sock') })
  return data
}

test('a setting with a wrong value refuses start by name, in one sentence and with exit code 1', async () => {
  const { code, stderr } = await runPostern(['up', ...FREE, '--workers', 'many'])
  assert.equal(code, 1)
  assert.match(stderr, /workers/i)
  assert.equal(stderr.trim().split('\n').length, 1, stderr)
  assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace')
})

test('a busy port refuses start, even when its owner shares it', async () => {
  const data = await temporaryDirectory()
  const owner = createServer()
  await new Promise<void>((done) => owner.listen({ port: 0, host: '127.0.0.1', reusePort: true }, done))
  const { port } = owner.address() as AddressInfo
  const listen = ['--listen', `127.0.0.1:${port}`, '--control-listen', '127.0.0.1:0']
  await refusesToStart(['--data', data, ...listen], new RegExp(`${port}.*in use`))
  owner.close()
  await rm(data, { recursive: true })
})

test('two listeners on one port refuse start: each thread would take from both', async () => {
  const data = await temporaryDirectory()
  const port = await ownPort()
  for (const host of ['127.0.0.1', '0.0.0.0'])
    await refusesToStart(
      ['--data', data, '--listen', `${host}:${port}`, '--control-listen', `127.0.0.1:${port}`],
      new RegExp(
        `POSTERN_CONTROL_LISTEN \\(--control-listen\\) .*:${port}: POSTERN_LISTEN \\(--listen\\) has this port`,
      ),
    )
  await rm(data, { recursive: true })
})

test('a key file that cannot be read, or is no key, refuses start', async () => {
  const data = await temporaryDirectory()
  const file = (name: string): string => join(data, name)
  await mkdir(file('directory.key'), { mode: 0o700 })
  await writeFile(file('broken.key'), 'not a key\n', { mode: 0o600 })
  await writeFile(file('short.key'), 'key_1 c2hvcnQ=\n', { mode: 0o600 })
  await writeFile(file('empty.key'), '', { mode: 0o600 })
  for (const [name, what] of [
    ['directory.key', 'is not a file. Move it away'],
    ['broken.key', 'is malformed at line 1'],
    ['short.key', 'is malformed at line 1'],
    ['empty.key', 'contains no key'],
  ] as const)
    await refusesToStart(
      ['--data', data, ...FREE, '--key-file', file(name)],
      new RegExp(`The key file .*/${name} ${what}`),
    )
  await rm(data, { recursive: true })
})

test('a key file that others may read refuses start', async () => {
  const data = await copyOfUsed()
  await chmod(join(data, 'vault.key'), 0o644)
  await refusesToStart(['--data', data, ...FREE], /vault\.key.*(0600|chmod)/s)
  await rm(data, { recursive: true })
})

test('a second instance on the data directory is refused and the first goes on', async () => {
  const data = await temporaryDirectory()
  const first = await startUp(data)
  await refusesToStart(['--data', data, ...FREE], /data directory.*(in use|another)/is)
  assert.equal((await call('GET', `${first.controlUrl}/readyz`)).status, 200)
  await killNow(first)
  const next = await startUp(data)
  assert.equal(
    (await call('GET', `${next.controlUrl}/readyz`)).status,
    200,
    'a killed process leaves no lock',
  )
  await killNow(next)
  await rm(data, { recursive: true })
})

test('a data directory from a newer version is refused and left as it is', async () => {
  const data = await copyOfUsed()
  const database = new DatabaseSync(join(data, 'config.db'))
  database.exec(
    "INSERT INTO schema_versions (version, name, applied_at) VALUES (9999, 'from the future', '2099-01-01')",
  )
  database.close()
  const before = await readFile(join(data, 'config.db'))
  await refusesToStart(['--data', data, ...FREE], /newer Postern/i)
  assert.ok((await readFile(join(data, 'config.db'))).equals(before))
  await rm(data, { recursive: true })
})

test('a start that fails late gives back everything, so that the next one in the same process succeeds', async () => {
  const data = await temporaryDirectory()
  // Nothing can listen where a directory is: the last part before the gateway threads fails.
  const socket = join(data, LOCAL_SOCKET)
  await mkdir(socket)
  const active = (): number => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').length
  const before = active()
  await assert.rejects(startTestServer({ data }), /EADDRINUSE/)
  // The system closes what was given back a moment later
  await eventually(() => active() <= before)
  await rmdir(socket)
  await using server = await startTestServer({ data })
  assert.equal((await call('GET', `${server.running.controlUrl}/readyz`)).status, 200)
  await server.stop()
  await rm(data, { recursive: true })
})

test('the command line reaches a process whose data directory has a path too long for a socket', async () => {
  const root = await temporaryDirectory()
  const data = join(root, 'a'.repeat(100))
  await mkdir(data, { mode: 0o700 })
  await using server = await startTestServer({ data })
  const path = readFileSync(join(data, SOCKETS_FILE), 'utf8')
  assert.equal(statSync(path).mode & 0o777, 0o700)
  const { code, out, err } = await runCommand(data, ['token', '--role', 'viewer', '--ttl', '1m'])
  assert.equal(code, 0, err)
  assert.match(out, /pst_/)
  await server.stop()
  assert.equal(existsSync(path), false)
  await rm(root, { recursive: true })
})

test('a revocation that the first thread takes while others still start holds when it has answered', async () => {
  const data = await copyOfUsed()
  const controlListen = `127.0.0.1:${await ownPort()}`
  const starting = startTestServer({ data, workers: 4, controlListen, adminless: true })
  let isStarting = true
  const started = starting.finally(() => {
    isStarting = false
  })
  const url = `http://${controlListen}/management/v1/profiles/sandbox/revoke`
  const revoke = (): Promise<Reply | null> =>
    // Nobody listens yet
    call('POST', url, { token: adminToken, body: {} }).catch(() => null)
  let revoked = await revoke()
  while (revoked === null && isStarting) {
    await pause(1)
    revoked = await revoke()
  }
  await using server = await started
  revoked ??= await revoke()
  assert.deepEqual([revoked?.status, revoked?.json.pending], [200, undefined], revoked?.text)
  for (let i = 0; i < 16; i++) {
    const headers = { connection: 'close' }
    assert.equal((await server.gateway('GET', '/orders/v1/orders/7', { token, headers })).status, 401)
  }
  await server.stop()
  await rm(data, { recursive: true })
})

test('after SIGTERM a request under way is answered, the process exits with 0, and new connections are refused', async () => {
  const data = await copyOfUsed()
  const held: ServerResponse[] = []
  upstream.answer = (_, response) => void held.push(response)
  const up = await startUp(data)
  const written = await call('POST', `${up.controlUrl}/healthz`)
  assert.deepEqual([written.status, written.headers.get('allow')], [405, 'GET, HEAD'])
  const answered = call('GET', `${up.gatewayUrl}/orders/v1/orders/7`, { token })
  await eventually(() => held.length === 1)
  up.child.kill('SIGTERM')
  await eventually(async () => (await call('GET', `${up.controlUrl}/readyz`)).status === 503)
  assert.equal(up.child.exitCode, null)
  held[0]!.end('the answer')
  const answer = await answered
  assert.deepEqual([answer.status, answer.text], [200, 'the answer'])
  const finished = await up.ended
  assert.equal(finished.code, 0, finished.stderr)
  for (const url of [up.controlUrl, up.gatewayUrl])
    await assert.rejects(call('GET', `${url}/healthz`), ({ cause }) => cause.code === 'ECONNREFUSED')
  await rm(data, { recursive: true })
})

const ENDS: readonly (readonly [string, (npm: number) => void])[] = [
  ['Ctrl-C', (npm) => process.kill(-npm, 'SIGINT')],
  ['SIGTERM to npm alone', (npm) => process.kill(npm, 'SIGTERM')],
  ['the end of its terminal', (npm) => process.kill(-npm, 'SIGHUP')],
]

for (const [what, end] of ENDS)
  test(`started by npm, nothing is left running after ${what}`, async () => {
    const data = await temporaryDirectory()
    const up = await startUp(data, [], {}, true)
    const npm = up.child.pid!
    assert.equal((await call('GET', `${up.controlUrl}/healthz`)).status, 200)
    end(npm)
    await eventually(() => !isGroupAlive(npm))
    assert.match(up.output(), /finishing the running requests, then stopping/)
    await rm(data, { recursive: true })
  })

test('the break-glass token comes from the running process, or from the store when nothing runs', async () => {
  const data = await temporaryDirectory()
  const up = await startUp(data)
  const online = await runCommand(data, ['token', '--role', 'admin', '--ttl', '15m'])
  assert.equal(online.code, 0, online.err)
  const first = online.out.trim()
  assert.match(first, /^pst_at_/)
  assert.equal(
    (await call('GET', `${up.controlUrl}/management/v1/collections`, { token: first })).status,
    200,
  )
  await killNow(up)

  const offline = await runPostern(['token', '--role', 'viewer', '--ttl', '15m', '--data', data])
  assert.equal(offline.code, 0, offline.stderr)
  const second = offline.stdout.trim()
  const reset = await runPostern(['admin', 'reset', '--data', data], { POSTERN_ORIGIN: 'https://gw.example' })
  assert.match(reset.stdout, /^https:\/\/gw\.example\/oauth\/setup\?token=pst_su_/)
  const again = await startUp(data)
  const printed = /\S+\/oauth\/setup\?\S+/
  await eventually(() => printed.test(again.output()))
  for (const link of [reset.stdout.trim(), printed.exec(again.output())![0]]) {
    const { pathname, search } = new URL(link)
    assert.equal((await call('GET', again.gatewayUrl + pathname + search)).status, 200, link)
  }
  assert.equal(
    (await call('GET', `${again.controlUrl}/management/v1/collections`, { token: first })).status,
    200,
  )
  assert.equal(
    (await call('GET', `${again.controlUrl}/management/v1/collections`, { token: second })).status,
    200,
  )
  const denied = await call('POST', `${again.controlUrl}/management/v1/policies`, {
    token: second,
    body: { name: 'x' },
  })
  assert.equal(denied.status, 403)
  assert.equal(denied.json.code, 'permission_denied')
  const audit = await call('GET', `${again.controlUrl}/management/v1/audit?resource_type=access_token`, {
    token: first,
  })
  assert.ok(audit.json.items.length >= 2, audit.text)
  assert.ok(!audit.text.includes(first) && !audit.text.includes(second))
  await killNow(again)
  await rm(data, { recursive: true })
})
