import assert from 'node:assert/strict'
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import type { AuditEntry } from '../../src/model/access/audit.ts'
import { openVaultAlone } from '../../src/vault/open.ts'
import { openAuditFile } from '../support/audit-file.ts'
import { backUp, examine, issueOffline, restore } from '../support/upkeep.ts'
import { runCommand } from './cli.ts'
import { publishOrders, startTestServer, type TestServer, until } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

let upstream: TestUpstream
const made = mkdtempSync(join(tmpdir(), 'postern-changed-'))
/** Of a stopped instance whose last change revoked a token. */
const stopped = join(made, 'stopped')
/** Its files from before that. */
const earlier = join(made, 'earlier')
let live: string
let revoked: string
/** A copy of `stopped` for one test. */
let data: string
let copies = 0

before(async () => {
  upstream = await startUpstream()
  const first = await startTestServer({ data: stopped })
  live = await publishOrders(first, upstream.url)
  const other = { client: 'acme', name: 'Other', slug: 'other', auth: { type: 'token' } }
  revoked = (await first.manage('POST', '/profiles', other)).json.token
  await first.stop()
  cpSync(stopped, earlier, { recursive: true })
  const second = await startTestServer({ data: stopped })
  const revocation = await second.manage('POST', '/profiles/acme:other/revoke', {})
  assert.equal(revocation.status, 200, revocation.text)
  await second.stop()
})
after(async () => {
  await upstream.close()
  rmSync(made, { recursive: true })
})
beforeEach(() => {
  data = join(made, `copy${copies++}`)
  cpSync(stopped, data, { recursive: true })
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const statusOf = async (server: TestServer, token: string): Promise<number> =>
  (await server.gateway('GET', '/orders/v1/orders/7', { token })).status

/** What `postern doctor` says of the audit trail and of serving.db. */
async function doctorSays(): Promise<string> {
  const env = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
  const findings = await examine({ data, env, isNetworkAsked: false })
  return findings
    .filter(({ state }) => state === 'fail')
    .map(({ check, found, fix }) => `${check}: ${found}. ${fix}`)
    .join('\n')
}

/** Traffic goes on as it was with the last change, management is closed, and the way out is named. */
async function isServedWithoutStore(told: RegExp): Promise<void> {
  {
    await using server = await startTestServer({ data, adminless: true })
    assert.equal(await statusOf(server, live), 200)
    assert.equal(await statusOf(server, revoked), 401)
    const asked = await server.manage('GET', '/collections', undefined, { token: 'pst_at_any' })
    assert.deepEqual([asked.status, asked.json.code], [503, 'store_unavailable'])
    assert.match(asked.json.detail, /Traffic is served .*postern doctor/)
    assert.ok(!asked.text.includes(data), asked.text)
    const ready = await fetch(`${server.running.controlUrl}/readyz`)
    assert.deepEqual([ready.status, ((await ready.json()) as { store?: unknown }).store], [200, false])
    const line = server.log.find((one) => one.startsWith('error') && told.test(one))
    assert.match(line ?? server.log.join('\n'), /postern restore/)
  }
  await assert.rejects(
    issueOffline(data, { role: 'admin', ttl: '5m' }),
    /does not continue from its mark.*postern doctor/,
  )
}

/** Backs the directory up as it is and restores that, and finds the restore in the trail. */
async function isAcceptedByRestore(): Promise<TestServer> {
  const archive = `${data}.tar`
  const postern = (...args: string[]) => runCommand(data, args, { backUp, restore })
  const backup = await postern('backup', '--data', data, '--out', archive, '--with-key')
  assert.equal(backup.code, 0, backup.err)
  const back = await postern('restore', '--from', archive, '--data', data, '--force')
  assert.equal(back.code, 0, back.err)
  const server = await startTestServer({ data })
  const { items } = (await server.manage('GET', '/audit?operation=audit.restore')).json as {
    items: AuditEntry[]
  }
  assert.equal(items.length, 1)
  assert.match(
    items[0]!.detail!,
    /restored from copy\d+\.tar, a backup of 20.*The mark of the replaced data directory was at number \d+/,
  )
  assert.equal((await server.manage('POST', '/policies', { name: 'Again' })).status, 201)
  return server
}

test('a forged trail without triggers, checkpoints and keyed anchor is not taken on, until it is restored on purpose', async () => {
  {
    await using file = await openAuditFile(data)
    await file.execute("update audit set actor_name = 'nobody' where seq = 2")
    await file.execute('delete from audit where seq = 3; delete from audit_chain')
    await file.execute('update audit set seq = seq - 1 where seq > 3')
    await file.execute('delete from audit_checkpoints; delete from audit_key_anchor')
    await file.relink(1)
  }
  assert.match(await doctorSays(), /audit trail: .*the mark records.*postern restore/)
  await isServedWithoutStore(/has no keyed anchor, and the mark shows that it had one/)
  const server = await isAcceptedByRestore()
  // What filters look in has been made anew: the entries were moved without it
  const { items } = (await server.manage('GET', '/audit')).json as { items: AuditEntry[] }
  const asked = items.findLast((one) => one.request_id !== null)!
  const found = (await server.manage('GET', `/audit?request_id=${asked.request_id}`)).json as {
    items: AuditEntry[]
  }
  assert.ok(found.items.some((one) => one.id === asked.id))
  await server.stop()
})

test('a trail that was deleted whole is not begun anew over a configuration that was kept, whatever its revision says', async () => {
  for (const also of ['', "delete from meta where name = 'vault_canary'"]) {
    cpSync(stopped, data, { recursive: true })
    {
      await using file = await openAuditFile(data)
      await file.execute('delete from audit; delete from audit_chain; delete from audit_anchors')
      await file.execute('delete from audit_checkpoints; delete from audit_key_anchor')
      await file.execute("update meta set value = '0' where name = 'config_revision'")
      await file.execute(also)
    }
    for (const file of ['audit.mark', 'serving.db']) rmSync(join(data, file))
    assert.match(await doctorSays(), /audit trail: the keyed anchor is missing.*postern restore/, also)
    await assert.rejects(startTestServer({ data }), /has no keyed anchor, and the key file proves/, also)
  }
})

test('entries that are cut off at the end close management', async () => {
  {
    await using file = await openAuditFile(data)
    const { last } = (await file.rows('select max(seq) as last from audit'))[0]!
    await file.execute(
      `delete from audit where seq = ${Number(last)}; delete from audit_chain where seq = ${Number(last)}`,
    )
    await file.execute('delete from audit_checkpoints')
  }
  assert.match(await doctorSays(), /audit trail: .*the trail ends before number \d+, which the mark records/)
  await isServedWithoutStore(/The trail ends at number \d+, and the mark is at number \d+/)
})

test('a last entry that is changed closes management', async () => {
  {
    await using file = await openAuditFile(data)
    await file.execute("update audit set actor_name = 'nobody' where seq = (select max(seq) from audit)")
  }
  await isServedWithoutStore(/the entry does not follow from the one before it/)
})

test('an older config.db does not bring a revoked token back; restoring it does, and is in the trail', async () => {
  copyFileSync(join(earlier, 'config.db'), join(data, 'config.db'))
  assert.match(await doctorSays(), /the trail ends before number \d+, which the mark records/)
  await isServedWithoutStore(/config\.db does not contain the last changes of this instance/)
  const server = await isAcceptedByRestore()
  assert.equal(await statusOf(server, revoked), 200, 'as docs/cli.md says')
  assert.equal((await server.manage('GET', '/audit/verify')).json.ok, true)
  await server.stop()
})

test('an older config.db is noticed by serving.db alone, where there is no mark', async () => {
  copyFileSync(join(earlier, 'config.db'), join(data, 'config.db'))
  rmSync(join(data, 'audit.mark'))
  await using server = await startTestServer({ data, adminless: true })
  assert.equal(await statusOf(server, revoked), 401)
  assert.ok(server.log.some((line) => /It has revision \d+, and serving\.db has revision \d+/.test(line)))
})

test('with serving.db older too nothing is served, and the start names both', async () => {
  for (const file of ['config.db', 'serving.db']) copyFileSync(join(earlier, file), join(data, file))
  await assert.rejects(
    startTestServer({ data }),
    /config\.db does not contain .*serving\.db is older too: .*could accept revoked credentials/,
  )
})

test('a mark that is missing or damaged is made anew, with a warning and an entry', async () => {
  for (const spoil of [
    () => rmSync(join(data, 'audit.mark')),
    () => writeFileSync(join(data, 'audit.mark'), 'damaged'),
  ]) {
    spoil()
    const server = await startTestServer({ data })
    assert.ok(server.log.some((line) => /warn audit trail: The mark was .*: a new mark begins/.test(line)))
    const { items } = (await server.manage('GET', '/audit?operation=audit.mark')).json as {
      items: AuditEntry[]
    }
    assert.match(
      items[0]!.detail!,
      /^The mark was (missing|damaged.*): a new mark begins at number \d+ with the link [0-9a-f]{64}/,
    )
    assert.equal((await server.manage('GET', '/audit/verify')).json.ok, true)
    await server.stop()
  }
})

test('a mark that lags behind, as after a kill between two writes, is caught up with', async () => {
  copyFileSync(join(earlier, 'audit.mark'), join(data, 'audit.mark'))
  await using server = await startTestServer({ data })
  assert.equal(await statusOf(server, revoked), 401)
  const { json } = await server.manage('GET', '/audit/verify')
  assert.deepEqual([json.ok, json.mark], [true, json.head])
})

test('the trail of an older version is verified once, closed with a keyed anchor and goes on keyed', async () => {
  let entries: number
  {
    await using file = await openAuditFile(data)
    await file.relink(1)
    await file.execute('delete from audit_checkpoints; delete from audit_key_anchor')
    entries = Number((await file.rows('select count(*) as n from audit'))[0]!['n'])
  }
  rmSync(join(data, 'audit.mark'))
  // Nobody without the key can do that: the canary tells that the links were keyed
  await isServedWithoutStore(/has no keyed anchor, and the key file proves that it had one/)
  assert.match(await doctorSays(), /audit trail: .*the keyed anchor is missing.*postern restore/)
  {
    await using file = await openAuditFile(data)
    const older = openVaultAlone(join(data, 'vault.key')).canary(true)
    await file.execute("update meta set value = ? where name = 'vault_canary'", older)
  }
  await using server = await startTestServer({ data })
  assert.ok(
    server.log.some((line) =>
      line.includes(`${entries} entries of an older version were verified and closed`),
    ),
    server.log.join('\n'),
  )
  const { json } = await server.manage('GET', '/audit/verify')
  assert.deepEqual([json.ok, json.keyed_from], [true, entries + 1], JSON.stringify(json))
  await server.stop()
  await using again = await startTestServer({ data })
  assert.ok(!again.log.some((line) => line.includes('of an older version')), again.log.join('\n'))
})

test('a new key of the vault leaves links, mark and anchor as they are', async () => {
  const kept = async (): Promise<unknown> => {
    await using file = await openAuditFile(data)
    const { seq } = (await file.rows('select max(seq) as seq from audit_chain'))[0]!
    return {
      anchor: await file.rows('select * from audit_key_anchor'),
      links: await file.rows('select * from audit_chain where seq <= ? order by seq', last ?? Number(seq)),
    }
  }
  let last: number | null = null
  const before = (await kept()) as { readonly anchor: unknown[]; readonly links: unknown[] }
  assert.ok(before.anchor.length === 1 && before.links.length > 3)
  last = before.links.length
  const server = await startTestServer({ data })
  assert.equal((await server.manage('POST', '/keys/rotate', {})).status, 200)
  assert.equal((await server.manage('POST', '/policies', { name: 'After' })).status, 201)
  await server.stop()
  assert.deepEqual(await kept(), before)
  await using again = await startTestServer({ data })
  const { json } = await again.manage('GET', '/audit/verify')
  assert.deepEqual([json.ok, json.mark], [true, json.head])
})

test('a change that is answered has moved the mark, also when the process is not stopped', async () => {
  await using server = await startTestServer({ data })
  await server.manage('POST', '/policies', { name: 'New' })
  const { head } = (await server.manage('GET', '/audit/verify')).json
  assert.match(readFileSync(join(data, 'audit.mark'), 'latin1'), new RegExp(` ${head.seq} ${head.hash} `))
})

test('a config.db that is changed while the gateway runs takes no more changes, and traffic goes on', async () => {
  await using server = await startTestServer({ data })
  {
    await using file = await openAuditFile(data)
    await file.execute(
      'delete from audit where seq = (select max(seq) from audit); delete from audit_chain where seq = (select max(seq) from audit_chain)',
    )
  }
  const change = await server.manage('POST', '/policies', { name: 'Late' })
  assert.deepEqual([change.status, change.json.code], [503, 'store_unavailable'])
  assert.match(
    change.json.detail,
    /Another program has changed the audit trail.*postern doctor.*Traffic is served/,
  )
  assert.equal(await statusOf(server, live), 200)
})

test('a trail that is changed while the gateway runs shows in readyz and in the log, also when nothing is asked of management', async () => {
  await using server = await startTestServer({ data })
  {
    await using file = await openAuditFile(data)
    await file.execute('delete from audit_chain where seq = (select max(seq) from audit_chain)')
  }
  await until(
    async () =>
      (await (await fetch(`${server.running.controlUrl}/readyz`)).json()) as { stores: { config: unknown } },
    ({ stores }) => stores.config === 'changed',
  )
  assert.ok(
    server.log.some((line) =>
      /^error config\.db cannot be used \(changed\).*the audit trail ends/.test(line),
    ),
  )
})
