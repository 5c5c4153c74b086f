import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { SecretVault } from '../support/secret-vault.ts'
import { call, publishOrders, type Reply, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

const MINUTE = 60_000
const VALUES = { env: 'from-the-environment-01', file: 'from-a-file-000002', vault: 'from-the-vault-0003' }

let upstream: TestUpstream
let vault: SecretVault
let server: TestServer
let token = ''
const directory = mkdtempSync(join(tmpdir(), 'postern-secrets-'))
const tokenFile = join(directory, 'vault-token')

before(async () => {
  process.env['SECRET_ORDERS'] = VALUES.env
  process.env['ORDERS'] = VALUES.env
  upstream = await startUpstream()
  vault = await new SecretVault().listen()
  vault.token = 'the-token-of-the-vault-1'
  vault.secrets.set('secret/data/orders', { key: VALUES.vault, number: 7 })
  writeFileSync(tokenFile, `${vault.token}\n`)
  writeFileSync(join(directory, 'orders'), `${VALUES.file}\n`)
  server = await startTestServer({
    flags: ['--secrets-dir', directory, '--vault-url', vault.url, '--vault-token-file', tokenFile],
  })
  token = await publishOrders(server, upstream.url)
  await put({ env: 'SECRET_ORDERS' })
  assert.equal((await server.manage('PATCH', '/collections/orders', { credential: 'backend' })).status, 200)
})

after(async () => {
  await server.stop()
  await upstream.close()
  await vault[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function put(reference: object): Promise<Reply> {
  const auth = { type: 'bearer', token: reference }
  const reply = await server.manage('PUT', '/credentials/backend', { name: 'Backend', auth })
  assert.ok(reply.status < 300, reply.text)
  return reply
}

const ask = (): Promise<Reply> => server.gateway('GET', '/orders/v1/orders/7', { token })
const sent = (): string | undefined => upstream.seen.at(-1)?.headers.authorization

/** What operators read of a credential that cannot be used. */
async function faults(): Promise<string> {
  const reply = await call('GET', `${server.running.controlUrl}/readyz`)
  return reply.json.faults.join('\n')
}

for (const [source, reference, shown] of [
  ['env', { env: 'SECRET_ORDERS' }, 'SECRET_ORDERS'],
  ['file', { file: 'orders' }, 'orders'],
  ['vault', { vault: { path: 'secret/data/orders', field: 'key' } }, 'secret/data/orders#key'],
] as const)
  test(`a secret is read from its place (${source}), for the very next call, and shown by its name`, async () => {
    const reply = await put(reference)
    assert.equal((await ask()).status, 200)
    assert.equal(sent(), `Bearer ${VALUES[source]}`)
    const { updated_at: _at, ...state } = reply.json.auth.token
    assert.deepEqual(state, { set: true, source, reference: shown })
  })

for (const [reference, fault] of [
  [{ env: 'SECRET_NOBODY' }, /token: the environment variable SECRET_NOBODY is not set/],
  [
    { env: 'ORDERS' },
    /the environment variable ORDERS may not be read \(POSTERN_SECRETS_ENV, --secrets-env\)/,
  ],
  [{ file: 'nothing' }, /the file nothing cannot be read \(ENOENT\)/],
  [{ file: 'outside' }, /the file outside is outside of the secrets directory/],
  [{ vault: { path: 'secret/data/none', field: 'key' } }, /the vault: secret\/data\/none: answered 404/],
  [
    { vault: { path: 'secret/data/orders', field: 'none' } },
    /the vault: secret\/data\/orders has no text none/,
  ],
  [
    { vault: { path: 'secret/data/orders', field: 'number' } },
    /the vault: secret\/data\/orders has no text number/,
  ],
] as const)
  test(`a secret that cannot be read is named to operators: ${JSON.stringify(reference)}`, async () => {
    if ('file' in reference && reference.file === 'outside')
      symlinkSync(process.execPath, join(directory, 'outside'))
    await put(reference)
    const answer = await ask()
    assert.deepEqual([answer.status, answer.json.code], [500, 'credential_unavailable'])
    assert.doesNotMatch(answer.text, /SECRET|ORDERS|secret\/data|nothing|outside/)
    assert.match(await faults(), fault)
    await put({ env: 'SECRET_ORDERS' })
    assert.equal((await ask()).status, 200)
    assert.equal(await faults(), '')
  })

test('a reference that is a path, or no name, is refused', async () => {
  for (const reference of [
    { file: '../vault.key' },
    { file: '/etc/passwd' },
    { file: '.hidden' },
    { env: 'A-B' },
    { vault: { path: 'secret/orders', field: 'key' } },
    { vault: { path: 'secret/data/../../sys/seal', field: 'key' } },
    { vault: { path: 'secret/data/orders' } },
    { env: 'SECRET_A', file: 'a' },
  ]) {
    const body = { name: 'Other', auth: { type: 'bearer', token: reference } }
    const reply = await server.manage('PUT', '/credentials/other', body)
    assert.equal(reply.status, 400, JSON.stringify(reference))
  }
})

test('a changed file is in force soon, and every call in between is answered', async () => {
  await put({ file: 'orders' })
  writeFileSync(join(directory, 'orders'), 'the-second-file-value')
  const statuses = new Set<number>()
  await until(
    async () => statuses.add((await ask()).status),
    () => sent() === 'Bearer the-second-file-value',
  )
  assert.deepEqual([...statuses], [200])
  writeFileSync(join(directory, 'orders'), VALUES.file)
})

test('a vault is asked again after five minutes, outlived for ten more, and a deleted secret for none', async () => {
  const path = 'secret/data/orders'
  await put({ vault: { path, field: 'key' } })
  await ask()
  const { questions } = vault
  vault.secrets.set(path, { key: 'rotated-in-the-vault-1' })
  // Its agent has renewed the token, too.
  vault.token = 'the-token-of-the-vault-2'
  writeFileSync(tokenFile, vault.token)
  server.moveClock(4 * MINUTE)
  await ask()
  assert.deepEqual([sent(), vault.questions], [`Bearer ${VALUES.vault}`, questions])
  server.moveClock(2 * MINUTE)
  const untilSent = (text: string) =>
    until(
      async () => [(await ask()).status, sent()],
      (now) => now[0] === 200 && now[1] === `Bearer ${text}`,
    )
  await untilSent('rotated-in-the-vault-1')

  vault.status = 503
  server.moveClock(14 * MINUTE)
  const before = vault.questions
  await until(
    async () => vault.questions,
    (count) => count > before,
  )
  await untilSent('rotated-in-the-vault-1')
  server.moveClock(2 * MINUTE)
  await until(ask, ({ status }) => status === 500)
  assert.match(await faults(), /secret\/data\/orders: answered 503/)

  vault.status = 200
  server.moveClock(6000)
  await untilSent('rotated-in-the-vault-1')
  vault.secrets.delete(path)
  server.moveClock(6 * MINUTE)
  await until(ask, ({ status }) => status === 500)
})

test('what was read is in no answer, log, entry, record or file of the gateway', async () => {
  const texts = [...server.log]
  for (const path of ['/credentials', '/audit?limit=200', '/records?limit=200'])
    texts.push((await server.manage('GET', path)).text)
  texts.push(await faults())
  for (const name of readdirSync(server.data))
    if (/\.db/.test(name)) texts.push(readFileSync(join(server.data, name), 'latin1'))
  const secrets = [...Object.values(VALUES), 'rotated-in-the-vault', 'the-token-of-the-vault']
  for (const text of texts) for (const secret of secrets) assert.equal(text.includes(secret), false, secret)
})
