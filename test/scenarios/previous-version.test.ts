import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

/**
 * A data directory of the last development version, commit 15150e42: its stores as SQL, its audit mark, and an export that it printed.
 * The clock is set to a few minutes after it was made, so that its tokens and records are as young as they were.
 */
const FIXTURE = resolve(import.meta.dirname, '../fixtures/previous')
type Name = 'in_force' | 'replaced' | 'replacement' | 'revoked' | 'admin' | 'agent'
const TOKENS: Record<Name, string> = JSON.parse(readFileSync(join(FIXTURE, 'tokens.json'), 'utf8'))
const MADE = Date.parse('2026-11-26T01:33:00Z')
const data = mkdtempSync(join(tmpdir(), 'postern-previous-'))
let server: TestServer

before(async () => {
  for (const name of ['config', 'records', 'idempotency']) {
    using store = new DatabaseSync(join(data, `${name}.db`))
    store.exec('PRAGMA journal_mode = WAL')
    store.exec(readFileSync(join(FIXTURE, `${name}.sql`), 'utf8'))
  }
  const put = (name: string, content: string | Buffer): void =>
    writeFileSync(join(data, name), content, { mode: 0o600 })
  put('vault.key', readFileSync(join(FIXTURE, 'vault.key')))
  put('audit.mark', Buffer.from(readFileSync(join(FIXTURE, 'audit.mark.base64'), 'utf8'), 'base64'))
  server = await startTestServer({ data, startAt: MADE })
})
after(async () => {
  await server?.stop()
  rmSync(data, { recursive: true })
})

test('the conversion of each store is announced before and after, and nothing else is amiss', () => {
  const said = server.log.filter((line) => line.includes('development schema'))
  assert.equal(said.length, 4, server.log.join('\n'))
  assert.match(said[0]!, /^info .*records\.db is upgraded from development schema 7 to schema 8 now/)
  assert.match(said[3]!, /^info .*config\.db was upgraded from development schema 25 to schema 26 in \d+ ms/)
  assert.deepEqual(
    server.faults('warn').filter((line) => !line.includes('vault.key')),
    [],
  )
})

test('an export of the last development version plans nothing but the new default of response_validation', async () => {
  for (const args of [['export.yaml'], ['team-files.yaml', '--name', 'team-files']]) {
    const [file, ...name] = args as [string, ...string[]]
    const plan = await runCommand(server.data, ['plan', join(FIXTURE, file), ...name, '-o', 'json'])
    assert.equal(plan.code, 0, plan.err)
    const { create, update, remove, items } = JSON.parse(plan.out)
    assert.deepEqual([create, remove], [0, 0], plan.out)
    const differing = (items as { item: string; diff: unknown[] }[]).filter(({ diff }) => diff.length > 0)
    assert.equal(differing.length, update)
    for (const { item, diff } of differing) {
      assert.match(item, /^proxy\//)
      assert.deepEqual(diff, [{ op: 'replace', path: '/response_validation', from: 'off', value: 'inherit' }])
    }
  }
})

test('tokens are in force, and a revoked and a forged one are not', async () => {
  for (const name of ['in_force', 'replacement'] as const) {
    const answer = await server.gateway('GET', '/nothing-here', { token: TOKENS[name] })
    assert.deepEqual([answer.status, answer.json.code], [404, 'route_not_found'], answer.text)
    const workflow = await server.gateway('GET', '/orders/v1/hello', { token: TOKENS[name] })
    assert.deepEqual([workflow.status, workflow.json], [200, { hello: 'world' }], workflow.text)
  }
  for (const token of [TOKENS.revoked, TOKENS.in_force.replace(/_[^_]+$/, '_AAAAAAA')])
    assert.equal((await server.gateway('GET', '/orders/v1/hello', { token })).status, 401)
  const admin = await server.manage('GET', '/clients/acme', undefined, { token: TOKENS.admin })
  assert.equal(admin.status, 200, admin.text)
})

test('an idempotency key is answered with the kept answer', async () => {
  const again = await server.gateway('POST', '/orders/v1/charges', {
    token: TOKENS.in_force,
    headers: { 'idempotency-key': 'k1' },
    body: { amount: 1 },
  })
  assert.deepEqual([again.status, again.headers.get('idempotency-replayed')], [200, 'true'], again.text)
  assert.equal(again.json.url, '/v1/charges')
})

test('the audit log verifies, and goes on', async () => {
  const before = await runCommand(server.data, ['audit', 'verify', '-o', 'json'])
  assert.equal(before.code, 0, before.err)
  await server.manage('POST', '/policies', { name: 'New', slug: 'new', limits: [] })
  const after = await runCommand(server.data, ['audit', 'verify', '-o', 'json'])
  assert.equal(after.code, 0, after.err)
  assert.ok(JSON.parse(after.out).entries > JSON.parse(before.out).entries)
})

test('people, teams, connections, secrets, a changed proxy and an open change request are kept', async () => {
  const { json: users } = await server.manage('GET', '/users')
  assert.deepEqual(users.items.map(({ slug }: { slug: string }) => slug).sort(), ['ann', 'bob'])
  const { json: team } = await server.manage('GET', '/teams/shop')
  assert.equal(team.members.length, 2)
  const { json: connections, text } = await server.manage('GET', '/connections?all_users=true')
  assert.deepEqual(
    connections.items.map(({ state }: { state: string }) => state),
    ['connected'],
    text,
  )
  const { json: credential } = await server.manage('GET', '/credentials/backend')
  assert.equal(credential.state, 'ok', JSON.stringify(credential))
  const { json: proxy } = await server.manage('GET', '/proxies/orders:hello')
  assert.equal(proxy.description, 'pending')
  const { json: requests } = await server.manage('GET', '/change_requests?state=open')
  assert.equal(requests.items[0]?.operation, 'workflows.delete')
})

test('request records are listed', async () => {
  const records = await server.manage('GET', '/records?client=acme&limit=200&to=2026-11-26T01:32:00Z')
  assert.ok(records.json.items.length > 5, records.text.slice(0, 300))
})
