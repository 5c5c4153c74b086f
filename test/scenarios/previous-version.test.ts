import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

/**
 * A data directory of the previous version, its stores as SQL, with an export that it printed. The clock is set to a few
 * minutes after it was made, so that its tokens and records are as young as they were.
 */
const FIXTURE = resolve(import.meta.dirname, '../fixtures/previous')
const TOKENS: Record<'in_force' | 'replacement', string> = JSON.parse(
  readFileSync(join(FIXTURE, 'tokens.json'), 'utf8'),
)
const MADE = Date.parse('2026-11-22T10:03:00Z')
const data = mkdtempSync(join(tmpdir(), 'postern-previous-'))
let server: TestServer

before(async () => {
  fill(data, ['config', 'records'])
  server = await startTestServer({ data, startAt: MADE })
})
after(async () => {
  await server?.stop()
  rmSync(data, { recursive: true })
})

/** Makes a data directory of the previous version with these of its stores. */
function fill(data: string, stores: readonly string[]): void {
  for (const name of stores) {
    const store = new DatabaseSync(join(data, `${name}.db`))
    store.exec('PRAGMA journal_mode = WAL')
    store.exec(readFileSync(join(FIXTURE, `${name}.sql`), 'utf8'))
    store.close()
  }
  cpSync(join(FIXTURE, 'vault.key'), join(data, 'vault.key'))
  // A checkout keeps no modes
  chmodSync(join(data, 'vault.key'), 0o600)
}

test('an export of the previous version plans empty on a data directory of the previous version', async () => {
  for (const args of [['export.yaml'], ['team-files.yaml', '--name', 'team-files']]) {
    const [file, ...name] = args as [string, ...string[]]
    const plan = await runCommand(server.data, ['plan', join(FIXTURE, file), ...name, '-o', 'json'])
    assert.equal(plan.code, 0, plan.err)
    const { create, update, remove, items } = JSON.parse(plan.out)
    assert.deepEqual([create, update, remove], [0, 0, 0], plan.out)
    assert.deepEqual(
      items.flatMap(({ diff }: { diff: unknown[] }) => diff),
      [],
    )
  }
})

test('tokens of the previous version are in force', async () => {
  for (const token of Object.values(TOKENS)) {
    const answer = await server.gateway('GET', '/orders/v1/nothing-here', { token })
    assert.deepEqual([answer.status, answer.json.code], [404, 'route_not_found'], answer.text)
  }
  const forged = await server.gateway('GET', '/orders/v1/nothing-here', {
    token: TOKENS.in_force.replace(/_[^_]+$/, '_AAAAAAA'),
  })
  assert.equal(forged.status, 401)
})

test('collections that the previous version imported keep their validation at enforce', async () => {
  const collection = await server.manage('GET', '/collections/orders')
  assert.equal(collection.json.request_validation, 'enforce')
})

test('the audit log of the previous version verifies, and goes on', async () => {
  const before = await runCommand(server.data, ['audit', 'verify', '-o', 'json'])
  assert.equal(before.code, 0, before.err)
  await server.manage('POST', '/policies', { name: 'New', slug: 'new', limits: [] })
  const after = await runCommand(server.data, ['audit', 'verify', '-o', 'json'])
  assert.equal(after.code, 0, after.err)
  assert.ok(JSON.parse(after.out).entries > JSON.parse(before.out).entries)
})

test('request records of the previous version are listed', async () => {
  const records = await server.manage('GET', '/records?client=acme&limit=200')
  assert.ok(records.json.items.length > 30, records.text.slice(0, 300))
})

test('members that the previous version did not record are null, and how its requests ended is still told', async () => {
  const { json } = await server.manage('GET', '/records?to=2026-11-22T10:01:30Z&limit=200')
  assert.ok(json.items.length > 30)
  for (const record of json.items) {
    const { check, user, subject, agent_host, upstream_target, retries, cache, nearest_limit, trace_id } =
      record
    const unknown = [
      check,
      user,
      subject,
      agent_host,
      upstream_target,
      retries,
      cache,
      nearest_limit,
      trace_id,
      record.virtual_mcp,
      record.origin,
      record.capability,
      record.tokens_in,
      record.tokens_out,
    ]
    assert.deepEqual(new Set(unknown), new Set([null]))
    assert.equal(record.count, 1)
    assert.equal(record.outcome_class === 'success', record.status < 400, JSON.stringify(record))
  }
})

test('secrets, a pending draft, an open change request and an access request of the previous version are kept', async () => {
  const { json: credential } = await server.manage('GET', '/credentials/backend')
  assert.equal(credential.state, 'ok', JSON.stringify(credential))
  const { json: requests } = await server.manage('GET', '/change_requests?state=open')
  assert.equal(requests.items[0]?.operation, 'workflows.delete')
  const { json: access } = await server.manage('GET', '/access_requests?state=open')
  assert.equal(access.items[0]?.client, 'shop-app')
  const { json: proxy } = await server.manage('GET', '/proxies/payments:all')
  assert.equal(proxy.pending_draft?.description, 'pending')
})
