import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { signedWith } from '../support/issuer.ts'
import { IS_LONG } from '../support/long.ts'
import { runPage } from '../support/page.ts'
import { openTamper } from '../support/tamper.ts'
import { runCommand } from './cli.ts'
import { killNow, runPostern, startUp } from './process.ts'
import {
  call,
  publishOrders,
  type Reply,
  startTestServer,
  type TestServer,
  type TestServerOptions,
  until,
} from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const PLANTED = 'planted-S3cret-41c7d09be2'
const ORDER = '/orders/v1/orders/7'

let upstream: TestUpstream
/** Of a stopped instance with one sealed secret towards the upstream and one that a caller signs with. */
const stopped = mkdtempSync(join(tmpdir(), 'postern-keys-'))
let data: string
/** A token of a caller, and a secret that another signs with. */
let token: string
let signing: string

before(async () => {
  upstream = await startUpstream()
  const server = await startTestServer({ data: stopped })
  token = await publishOrders(server, upstream.url, { max: 1_000_000, window: '1m' })
  const credential = { name: 'Backend', slug: 'backend', auth: { type: 'bearer', token: PLANTED } }
  assert.equal((await server.manage('POST', '/credentials', credential)).status, 201)
  assert.equal((await server.manage('PATCH', '/collections/orders', { credential: 'backend' })).status, 200)
  const auth = { type: 'jwt', issuer: 'https://jobs.test' }
  const jobs = await server.manage('POST', '/profiles', { client: 'acme', name: 'Jobs', auth })
  assert.equal(jobs.status, 201, jobs.text)
  signing = jobs.json.signing_secret
  await server.stop()
})
after(async () => {
  await upstream.close()
  rmSync(stopped, { recursive: true })
})

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'postern-keys-'))
  cpSync(stopped, data, { recursive: true })
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

/** The instance on a copy of its directory. */
function started(options: Omit<TestServerOptions, 'data'> = {}): Promise<TestServer> {
  return startTestServer({ data, ...options })
}

function signed(): string {
  const now = Math.floor(Date.now() / 1000)
  return signedWith(signing, { iss: 'https://jobs.test', sub: 'nightly', iat: now, exp: now + 300 })
}

/** Both kinds of sealed secrets open: the upstream gets one, and what was signed with the other is believed. */
async function opens(url: string): Promise<void> {
  for (const one of [token, signed()]) {
    const answer = await call('GET', url + ORDER, { token: one })
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.json.headers.authorization, `Bearer ${PLANTED}`)
  }
}

function agentAsks(
  server: TestServer,
  method: string,
  params: object,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return call('POST', `${server.running.gatewayUrl}/mcp`, {
    token,
    headers: { accept: 'application/json, text/event-stream', ...headers },
    body: { jsonrpc: '2.0', id: 1, method, params },
  })
}

const keyLines = (): string[] =>
  readFileSync(join(data, 'vault.key'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !/^(fingerprint|mcp-sessions) /.test(line))

/** The state in which a process leaves the directory that ends right after it has put a new key into the file. */
function plantKey(number = 2): void {
  const file = join(data, 'vault.key')
  const line = `k0000000${number} ${randomBytes(32).toString('base64')}\n`
  writeFileSync(file, line + readFileSync(file, 'utf8'))
}

test('keys are exchanged under load without a failed request, a lost session or a printed secret', async () => {
  await using server = await started({ workers: 2 })
  const outputs: string[] = []
  const ask = async (method: string, path: string, body?: unknown): Promise<Reply> => {
    const reply = await server.manage(method, path, body)
    outputs.push(reply.text)
    return reply
  }
  const clientInfo = { name: 'agent', version: '1' }
  const opened = await agentAsks(server, 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo,
  })
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
  const first = (await ask('GET', '/keys')).json.items
  assert.deepEqual([first.length, first[0].seals, first[0].secrets], [1, true, 2])

  let isOver = false
  let calls = 0
  const flow = async (): Promise<void> => {
    for (; !isOver; calls++) await opens(server.running.gatewayUrl)
  }
  const flows = Promise.all([flow(), flow(), flow()])
  for (let round = 0; round < 3; round++) {
    const answer = await ask('POST', '/keys/rotate', {})
    assert.equal(answer.status, 200, answer.text)
    const [now, ...others] = (await ask('GET', '/keys')).json.items
    assert.deepEqual([now.id, now.seals, now.secrets, others], [answer.json.key, true, 2, []])
    assert.deepEqual([answer.json.resealed, answer.json.closed], [2, []])
    const before = calls
    const goOn = until(
      async () => calls,
      (count) => count > before + 3,
    )
    await Promise.race([flows, goOn])
  }
  isOver = true
  await flows
  const keys = (await ask('GET', '/keys')).json.items
  assert.notEqual(keys[0].fingerprint, first[0].fingerprint)
  assert.equal(statSync(join(data, 'vault.key')).mode & 0o777, 0o600)
  assert.equal(keyLines().length, 1)
  assert.equal(
    (await agentAsks(server, 'tools/list', {}, session)).status,
    200,
    'the session outlives its key',
  )

  await server.running.killThread(0)
  for (let n = 0; n < 4; n++) await opens(server.running.gatewayUrl)
  const trail = await ask('GET', '/audit?operation=keys.rotate')
  assert.deepEqual(
    trail.json.items.map((entry: { outcome: string; resource: object }) => entry.outcome),
    ['ok', 'ok', 'ok'],
  )
  assert.equal(trail.json.items[0].resource.id, keys[0].id)
  const printed = await runCommand(data, ['keys', 'list'])
  assert.match(printed.out, /^ID +FINGERPRINT +SEALS +SECRETS\nk[0-9a-f]{8} +[0-9a-f]{16} +true +2\n$/)
  outputs.push(printed.out, printed.err)
  await server.stop()

  await using again = await started()
  await opens(again.running.gatewayUrl)
  assert.equal((await agentAsks(again, 'tools/list', {}, session)).status, 200)
  await again.stop()
  const keyBytes = keyLines()[0]!.split(' ')[1]!
  for (const secret of [PLANTED, signing, keyBytes]) {
    for (const text of [...outputs, ...server.log, ...again.log])
      assert.ok(!text.includes(secret), text.slice(0, 300))
    for (const name of readdirSync(data).filter(
      (one) => one !== 'vault.key' && statSync(join(data, one)).isFile(),
    ))
      assert.ok(!readFileSync(join(data, name)).includes(secret), `${secret.slice(0, 8)}… is in ${name}`)
  }
})

test('a secret that is read from an external source reaches a thread that starts after a rotation', async () => {
  const secrets = join(data, 'elsewhere')
  mkdirSync(secrets)
  writeFileSync(join(secrets, 'backend'), PLANTED)
  await using server = await started({ flags: ['--secrets-dir', secrets] })
  const auth = { type: 'bearer', token: { file: 'backend' } }
  const patched = await server.manage('PATCH', '/credentials/backend', { auth })
  assert.equal(patched.status, 200, patched.text)
  await opens(server.running.gatewayUrl)
  assert.equal((await server.manage('POST', '/keys/rotate', {})).json.dropped.length, 1)
  await server.running.killThread(0)
  await opens(server.running.gatewayUrl)
})

test('what was served last opens after a rotation too, with the store gone', async () => {
  await using server = await started()
  assert.equal((await server.manage('POST', '/keys/rotate', {})).status, 200)
  await server.stop()
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(data, `config.db${suffix}`), { force: true })
  await using alone = await started({ adminless: true })
  await opens(alone.running.gatewayUrl)
  await alone.stop()
})

test('a rotation that ended after its first step is finished by the next start', async () => {
  plantKey()
  await using server = await started()
  await opens(server.running.gatewayUrl)
  const { items } = (await server.manage('GET', '/keys')).json
  assert.deepEqual(
    items.map((key: { seals: boolean; secrets: number }) => [key.seals, key.secrets]),
    [
      [true, 2],
      [false, 0],
    ],
    'everything is sealed with the first, and the old key is still there',
  )
  const { dropped } = (await server.manage('POST', '/keys/rotate', {})).json
  assert.deepEqual(
    dropped,
    items.map((key: { id: string }) => key.id),
  )
  assert.equal(keyLines().length, 1)
  await opens(server.running.gatewayUrl)
  await server.stop()
})

test('a rotation that ends after its first step, on what another left there, is finished by the next start too', async () => {
  for (let keys = 2; keys <= 3; keys++) {
    plantKey(keys)
    await using server = await started()
    await opens(server.running.gatewayUrl)
    const { items } = (await server.manage('GET', '/keys')).json
    assert.deepEqual(
      items.map((key: { seals: boolean; secrets: number }) => [key.seals, key.secrets]),
      [[true, 2], ...Array.from({ length: keys - 1 }, () => [false, 0])],
    )
    await server.stop()
  }
  plantKey(4)
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(data, `config.db${suffix}`), { force: true })
  await using alone = await started({ adminless: true })
  await opens(alone.running.gatewayUrl)
  await alone.stop()
})

test('killed at any moment of a rotation, an instance starts, opens everything and can finish', async () => {
  await using prepared = await started()
  const others = Array.from({ length: 60 }, (_, n) => ({
    name: `Other ${n}`,
    auth: { type: 'bearer', token: `${PLANTED}-${n}` },
  }))
  const made = await Promise.all(others.map((one) => prepared.manage('POST', '/credentials', one)))
  assert.ok(made.every(({ status }) => status === 201))
  await prepared.stop()
  const left: number[] = []
  for (let round = 0; round < (IS_LONG ? 6 : 1); round++) {
    const up = await startUp(data)
    await opens(up.gatewayUrl)
    const rotation = call('POST', `${up.controlUrl}/management/v1/keys/rotate`, {
      token: prepared.adminToken,
      body: {},
    }).catch(() => null)
    // Not for something to happen: the moment itself is what is random.
    await wait(Math.random() * 40)
    await killNow(up)
    await rotation
    left.push(keyLines().length)
  }
  await using server = await started()
  await opens(server.running.gatewayUrl)
  const finished = await server.manage('POST', '/keys/rotate', {})
  assert.deepEqual([finished.status, finished.json.closed], [200, []], `keys left by round: ${left}`)
  const { items } = (await server.manage('GET', '/keys')).json
  assert.deepEqual([items.length, items[0].secrets], [1, 62])
  await opens(server.running.gatewayUrl)
  await server.stop()
})

test('a key file that cannot be changed refuses a rotation and says what to do; nothing is changed', async () => {
  await using server = await started()
  const [before, revision] = [keyLines(), (await server.manage('GET', '/credentials/backend')).json.revision]
  renameSync(join(data, 'vault.key'), join(data, 'elsewhere'))
  const refused = await server.manage('POST', '/keys/rotate', {})
  assert.deepEqual([refused.status, refused.json.code], [503, 'key_file_unusable'])
  assert.match(refused.json.detail, /vault\.key is missing.*Restore it, or set POSTERN_KEY_FILE/)
  renameSync(join(data, 'elsewhere'), join(data, 'vault.key'))
  const dry = await server.manage('POST', '/keys/rotate?dry_run=true', {})
  assert.deepEqual([dry.status, keyLines()], [200, before], dry.text)
  await opens(server.running.gatewayUrl)
  const forbidden = await server.running.issueToken({ role: 'modifier', ttl: '5m' })
  for (const [method, path] of [
    ['POST', '/keys/rotate'],
    ['GET', '/keys'],
  ] as const)
    assert.equal((await server.manage(method, path, undefined, { token: forbidden.token })).status, 403)
  assert.equal((await server.manage('POST', '/keys/rotate', {})).status, 200)
  assert.equal((await server.manage('GET', '/credentials/backend')).json.revision, revision)
  await server.stop()

  writeFileSync(join(data, 'vault.key'), `${before[0]}\n`, { mode: 0o600 })
  const free = ['--listen', '127.0.0.1:0', '--control-listen', '127.0.0.1:0']
  const wrong = await runPostern(['up', '--data', data, ...free])
  assert.equal(wrong.code, 1)
  assert.match(
    wrong.stderr,
    /does not contain the key k[0-9a-f]{8}, .*Restore the right file, or set POSTERN_KEY_FILE/,
  )
  assert.ok(!wrong.stderr.includes(before[0]!.split(' ')[1]!))
})

test('a secret that no key opens is named, and keeps its key; the others are sealed anew', async () => {
  {
    await using tamper = await openTamper(data)
    await tamper.execute(
      `update secrets set sealed = substr(sealed, 1, 30) || 'AAAA' || substr(sealed, 35) where field = 'token'`,
    )
    // The fragment that was compiled from it as well
    await tamper.execute(
      `update fragments set json = replace(json, 'v1.', 'v0.') where key like 'credential:%'`,
    )
  }
  // A start takes its copy where that has the same hash
  rmSync(join(data, 'serving.db'))
  await using again = await started()
  const [old] = keyLines().map((line) => line.split(' ')[0])
  const rotated = await again.manage('POST', '/keys/rotate', {})
  assert.deepEqual([rotated.json.resealed, rotated.json.dropped], [1, []], rotated.text)
  assert.match(rotated.json.closed[0], /^crd_\S+ token$/)
  const { items } = (await again.manage('GET', '/keys')).json
  assert.deepEqual(items.map((key: { id: string; secrets: number }) => [key.id, key.secrets])[1], [old, 1])
  assert.equal((await again.gateway('GET', ORDER, { token: signed() })).json.code, 'credential_unavailable')
  await again.stop()
})

test('the page about keys says what happens', async () => {
  await using server = await started()
  // It shows one secret
  assert.equal((await server.manage('DELETE', '/profiles/acme:jobs?confirm=jobs')).status, 200)
  assert.equal(await runPage('keys.md', server, {}), 3)
  assert.equal(keyLines().length, 2)
  await server.stop()
})
