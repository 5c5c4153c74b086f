import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { killNow, runPostern, startUp } from './process.ts'
import { call as callUrl, startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
/** Of a stopped instance with one published route, a token in force and one that was revoked last. */
const stopped = mkdtempSync(join(tmpdir(), 'postern-stopped-'))
/** A copy for one test. */
let data: string
let live: string
let revoked: string

const FILES = ['config.db', 'config.db-wal', 'config.db-shm'] as const

before(async () => {
  upstream = await startUpstream()
  const server = await startTestServer({ data: stopped })
  const made = async (resource: string, body: unknown) => {
    const { status, text, json } = await server.manage('POST', `/${resource}`, body)
    assert.equal(status, 201, text)
    return json
  }
  await made('credentials', { name: 'Backend', auth: { type: 'bearer', token: 'upstream-secret-1' } })
  await made('collections', {
    name: 'Orders',
    base_path: '/orders',
    upstream: { targets: [{ url: upstream.url }] },
    credential: 'backend',
  })
  await made('proxies', { collection: 'orders', name: 'One', methods: ['GET'], path: '/{id}' })
  await server.manage('POST', '/collections/orders/publish', { cascade: true })
  await made('clients', { name: 'Acme', collections: ['orders'] })
  live = (await made('profiles', { client: 'acme', name: 'Live', auth: { type: 'token' } })).token
  revoked = (await made('profiles', { client: 'acme', name: 'Old', auth: { type: 'token' } })).token
  assert.equal((await call(server, revoked)).status, 200)
  const revocation = await server.manage('POST', '/profiles/acme:old/revoke', {})
  assert.equal(revocation.status, 200, revocation.text)
  await server.stop()
})
after(async () => {
  await upstream.close()
  rmSync(stopped, { recursive: true })
})

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'postern-last-'))
  cpSync(stopped, data, { recursive: true })
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

function call(server: TestServer, token: string) {
  return server.gateway('GET', '/orders/7', { headers: { authorization: `Bearer ${token}` } })
}

/** It serves what was published last, and nothing can be changed. */
async function servesTheLast(): Promise<void> {
  const server = await startTestServer({ data, adminless: true })
  try {
    const answer = await call(server, live)
    assert.equal(answer.status, 200, answer.text)
    assert.equal(upstream.seen.at(-1)?.headers.authorization, 'Bearer upstream-secret-1')
    const refused = await call(server, revoked)
    assert.deepEqual([refused.status, refused.json.code], [401, 'credential_invalid'])
    const change = await server.manage('GET', '/collections', undefined, { token: 'pst_at_any' })
    assert.deepEqual([change.status, change.json.code], [503, 'store_unavailable'])
    assert.ok(!change.text.includes(data), 'says nothing of where files lie')
    await assert.rejects(server.running.issueToken({ role: 'admin', ttl: '5m' }), /Store unavailable|store/i)
    const ready = await fetch(`${server.running.controlUrl}/readyz`)
    const health = (await ready.json()) as Record<string, unknown>
    assert.deepEqual([ready.status, health['status'], health['store']], [200, 'warn', false])
    assert.ok(server.log.some((line) => /last known configuration \(revision \d+\) is served/.test(line)))
  } finally {
    await server.stop()
  }
}

test('with the store gone the last configuration is served, without what was revoked', async () => {
  for (const file of FILES) rmSync(join(data, file), { force: true })
  await servesTheLast()
})

test('with the store damaged the last configuration is served, without what was revoked', async () => {
  for (const file of FILES.slice(1)) rmSync(join(data, file), { force: true })
  writeFileSync(join(data, 'config.db'), Buffer.alloc(8192, 'not a database '))
  await servesTheLast()
})

test('with the store empty the last configuration is served, twice', async () => {
  for (const file of FILES.slice(1)) rmSync(join(data, file), { force: true })
  writeFileSync(join(data, 'config.db'), '')
  await servesTheLast()
  await servesTheLast()
})

test('with the store restored everything can be changed again', async () => {
  for (const file of FILES) rmSync(join(data, file), { force: true })
  await servesTheLast()
  copyFileSync(join(stopped, 'config.db'), join(data, 'config.db'))
  const server = await startTestServer({ data })
  try {
    assert.equal((await call(server, live)).status, 200)
    const change = await server.manage('POST', '/clients', { name: 'New' })
    assert.equal(change.status, 201, change.text)
  } finally {
    await server.stop()
  }
})

test('a damaged copy of the last configuration is no hindrance beside a store, and is made anew', async () => {
  for (const suffix of ['-wal', '-shm']) rmSync(join(data, `serving.db${suffix}`), { force: true })
  writeFileSync(join(data, 'serving.db'), 'damaged')
  const server = await startTestServer({ data })
  assert.equal((await call(server, live)).status, 200)
  await server.stop()
  for (const file of FILES) rmSync(join(data, file), { force: true })
  await servesTheLast()
})

test('the keys of a provider that is down outlive the process, for a day', async () => {
  const key = signingKey('one')
  await using issuer = await new Issuer(key).listen()
  const exp = Math.floor(Date.now() / 1000) + 200_000
  const ask = (server: TestServer, n: number) =>
    call(server, signedBy(key, { iss: issuer.url, aud: 'orders', sub: 'ann', exp, n }))
  const auth = { type: 'oidc', issuer: issuer.url, audience: 'orders' }
  const before = await startTestServer({ data })
  const made = await before.manage('POST', '/profiles', { client: 'acme', name: 'People', auth })
  assert.equal(made.status, 201, made.text)
  assert.equal((await ask(before, 1)).status, 200)
  await before.stop()
  issuer.status = 503
  await using server = await startTestServer({ data })
  const answer = await ask(server, 2)
  assert.equal(answer.status, 200, answer.text)
  server.moveClock(25 * 3_600_000)
  const late = await ask(server, 3)
  assert.deepEqual([late.status, late.json.code], [503, 'identity_unavailable'])
})

test('what was revoked a moment before a power cut stays revoked, also with the store gone', async () => {
  const up = await startUp(data)
  const issued = await runPostern(['token', '--data', data, '--role', 'admin', '--ttl', '5m'])
  const token = issued.stdout.trim()
  const orders = `${up.gatewayUrl}/orders/7`
  assert.equal((await callUrl('GET', orders, { token: live })).status, 200)
  const path = '/management/v1/profiles/acme:live/revoke'
  const revocation = await callUrl('POST', `${up.controlUrl}${path}`, { token, body: {} })
  assert.equal(revocation.status, 200, revocation.text)
  await killNow(up)
  for (const file of FILES) rmSync(join(data, file), { force: true })
  await using server = await startTestServer({ data, adminless: true })
  const refused = await call(server, live)
  assert.deepEqual([refused.status, refused.json.code], [401, 'credential_invalid'])
})

test('with both gone an instance begins anew, as on an empty directory', async () => {
  for (const file of [...FILES, 'serving.db', 'serving.db-wal', 'serving.db-shm', 'vault.key'])
    rmSync(join(data, file), { force: true })
  const server = await startTestServer({ data })
  assert.equal((await call(server, live)).status, 404)
  await server.stop()
})
