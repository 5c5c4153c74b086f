/** A data directory goes to PostgreSQL and back, by commands in processes of their own. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { DatabaseAddress } from '../../src/base/net/database-url.ts'
import { moveOf } from '../../src/serve/places.ts'
import { eventually } from '../support/eventually.ts'
import { onPostgres } from '../support/postgres-databases.ts'
import { type Finished, runPostern, startUp, type UpProcess } from './process.ts'
import { call, publishOrders, type Reply } from './server.ts'
import { startUpstream } from './upstream.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-migrate-'))
after(() => rmSync(directory, { recursive: true }))

/** The setting that names a database. */
function settingOf({ user, password, host, port, database }: DatabaseAddress): Record<string, string> {
  return { POSTERN_DATABASE_URL: `postgres://${user}:${password}@${host}:${port}/${database}` }
}

/** An instance with an administrator. */
async function startIn(data: string, env: Record<string, string> = {}) {
  const up: UpProcess = await startUp(data, [], env)
  const made = await runPostern(['token', '--role', 'admin', '--ttl', '1h', '--data', data], env)
  assert.equal(made.code, 0, made.stderr)
  const token = made.stdout.trim()
  return {
    manage: (method: string, path: string, body?: unknown): Promise<Reply> =>
      call(method, `${up.controlUrl}/management/v1${path}`, { token, body }),
    get: (path: string, own: string): Promise<Reply> =>
      call('GET', `${up.gatewayUrl}${path}`, { token: own }),
    async [Symbol.asyncDispose]() {
      up.child.kill('SIGTERM')
      const { code, stderr } = await up.ended
      assert.equal(code, 0, stderr)
    },
  }
}

/** Asserts that a command was refused with a sentence. */
function refused({ code, stderr }: Finished, said: RegExp, expected = 1): void {
  assert.equal(code, expected, stderr)
  assert.match(stderr, said)
  assert.doesNotMatch(stderr, /\n\s+at |-secret/)
}

await onPostgres(({ server, create }) => {
  test('an instance moves to a database and back, and nothing is lost on the way', async () => {
    const address = await create()
    const env = settingOf(address)
    const data = join(directory, 'moved')
    await using upstream = await startUpstream()
    let token: string
    let revoked: string
    {
      await using files = await startIn(data)
      token = await publishOrders(files, upstream.url)
      const other = { client: 'acme', name: 'Other', slug: 'other', auth: { type: 'token' } }
      revoked = (await files.manage('POST', '/profiles', other)).json.token
      assert.equal((await files.manage('POST', '/profiles/acme:other/revoke', {})).status, 200)
      refused(await runPostern(['migrate', '--data', data], env), /in use by another running instance/)
    }
    const config = readFileSync(join(data, 'config.db'))
    const url = `postgres://app@127.0.0.1:${server.port}/${address.database}`
    refused(
      await runPostern(['migrate', '--data', data, '--to', url.replace('app', 'app:secret')]),
      /--to contains a password.*Set POSTERN_DATABASE_URL instead, or use the parameter password_file/,
      2,
    )
    refused(await runPostern(['migrate', '--data', data]), /Name the database with --to/, 2)
    refused(
      await runPostern(['migrate', '--data', join(directory, 'nothing')], env),
      /is not a data directory of Postern/,
    )
    const begun = performance.now()
    refused(
      await runPostern(['migrate', '--data', data, '--to', url]),
      /the server asks for a password\. Set it in POSTERN_DATABASE_URL, or name its file/,
    )
    assert.ok(performance.now() - begun < 30_000, 'the connection was closed')
    await assert.rejects(
      startUp(data, [], env),
      /is in its file config\.db and was not moved to the database\. Move it with postern migrate/,
    )
    const dry = await runPostern(['migrate', '--data', data, '--dry-run'], env)
    assert.equal(dry.code, 0, dry.stderr)
    assert.match(dry.stdout, /^\d+ rows of .* at revision \d+ can be moved to .*\. Nothing was changed\.\n$/)
    assert.equal(
      server.sql("select count(*) from pg_namespace where nspname = 'postern'", address.database),
      '0\n',
    )
    assert.equal(existsSync(join(data, 'moved.json')), false)

    writeFileSync(join(directory, 'password'), `${address.password}\n`)
    const to = `${url}?password_file=${join(directory, 'password')}`
    const made = await runPostern(['migrate', '--data', data, '--to', to, '-o', 'json'])
    assert.equal(made.code, 0, made.stderr)
    const summary = JSON.parse(made.stdout)
    assert.deepEqual([summary.data, summary.to, summary.dry_run], [data, url, false])
    assert.ok(summary.rows > 10 && summary.revision > 3 && summary.audit_seq > 3)
    assert.match(
      made.stderr,
      /Copying configuration and audit: 100 %\n.*Comparing configuration and audit: 100 %\n/s,
    )
    assert.deepEqual(readFileSync(join(data, 'config.db')), config, 'the directory is only read')

    const moved =
      /was moved to postgres:\/\/app@.* Set POSTERN_DATABASE_URL .* postern backup .* postern restore/
    await assert.rejects(startUp(data), moved)
    refused(await runPostern(['token', '--data', data]), moved)
    refused(await runPostern(['admin', 'reset', '--data', data]), moved)
    refused(await runPostern(['backup', '--data', data, '--out', join(directory, 'no.tar')]), moved)
    refused(await runPostern(['migrate', '--data', data], env), /was moved to .* at /)
    const blind = await runPostern(['doctor', '--data', data, '-o', 'json'])
    assert.equal(blind.code, 1)
    assert.match(blind.stdout, /was moved to postgres:.*\n.*Set POSTERN_DATABASE_URL to this database/)
    rmSync(join(data, 'config.db'))
    await assert.rejects(startUp(data), moved)
    refused(await runPostern(['token', '--data', data]), moved)
    refused(
      await runPostern(['token', '--data', join(directory, 'nothing')], env),
      /is not a data directory of Postern/,
    )
    assert.equal(existsSync(join(directory, 'nothing')), false)

    const archive = join(directory, 'backup.tar')
    {
      await using served = await startIn(data, env)
      assert.equal((await served.get('/orders/v1/orders/7', token)).status, 200)
      assert.equal((await served.get('/orders/v1/orders/7', revoked)).status, 401)
      assert.equal(
        (await served.manage('PATCH', '/collections/orders', { description: 'there' })).status,
        200,
      )
      const verified = await runPostern(['audit', 'verify', '--data', data, '-o', 'json'], env)
      assert.equal(JSON.parse(verified.stdout).ok, true, verified.stdout)
      refused(
        await runPostern(['backup', '--data', data, '--out', archive, '--records'], env),
        /records are in the database.*Leave out --records/,
      )
      const saved = await runPostern(['backup', '--data', data, '--out', archive, '--with-key'], env)
      assert.equal(saved.code, 0, saved.stderr)
      assert.match(saved.stderr, /Copying configuration and audit: 100 %/)
      const looked = await runPostern(['doctor', '--data', data, '-o', 'json'], env)
      const findings: { check: string; state: string; found: string }[] = JSON.parse(looked.stdout).findings
      assert.deepEqual(
        findings
          .filter(({ check }) => ['store', 'schema', 'vault', 'configuration', 'audit trail'].includes(check))
          .map(({ state }) => state),
        ['ok', 'ok', 'ok', 'ok'],
        looked.stdout,
      )
      assert.match(findings.find(({ check }) => check === 'instance')?.found ?? '', /runs at/)
    }
    const restored = join(directory, 'restored')
    const back = await runPostern(['restore', '--from', archive, '--data', restored], env)
    assert.equal(back.code, 0, back.stderr)
    const check = async (its: Awaited<ReturnType<typeof startIn>>, own: Record<string, string>) => {
      assert.equal((await its.get('/orders/v1/orders/7', token)).status, 200)
      assert.equal((await its.get('/orders/v1/orders/7', revoked)).status, 401)
      assert.equal((await its.manage('GET', '/collections/orders')).json.description, 'there')
      const verified = await runPostern(['audit', 'verify', '--data', restored, '-o', 'json'], own)
      assert.equal(JSON.parse(verified.stdout).ok, true, verified.stdout)
      const noted = await its.manage('GET', '/audit?operation=audit.restore')
      assert.equal(noted.json.items.length, 1, noted.text)
      assert.equal((await its.manage('PATCH', '/clients/acme', { description: 'here' })).status, 200)
    }
    {
      await using files = await startIn(restored)
      await check(files, {})
    }
    const second = settingOf(await create())
    const again = await runPostern(['migrate', '--data', restored], second)
    assert.equal(again.code, 0, again.stderr)
    await using served = await startIn(restored, second)
    await check(served, second)
  })

  test('a move that is killed leaves the database without rows and the directory as it was', async () => {
    const address = await create()
    const env = settingOf(address)
    const data = join(directory, 'killed')
    {
      await using files = await startIn(data)
      assert.equal((await files.manage('GET', '/collections')).status, 200)
    }
    const prepared = await runPostern(['migrate-schema'], env)
    assert.equal(prepared.code, 0, prepared.stderr)
    assert.match(prepared.stdout, /now has schema version 26\.\n/)
    assert.match((await runPostern(['migrate-schema'], env)).stdout, /already has schema version 26\.\n/)
    // The last table that is copied waits for this transaction
    const { openPool } = await import('../../src/store/postgres/connection.ts')
    const pool = await openPool(address, 1, () => {})
    const client = await pool.connect()
    await client.query("begin; insert into postern.audit_key_anchor values (1, 1, '', '', '')")
    const killed = new AbortController()
    const running = runPostern(['migrate', '--data', data], env, undefined, killed.signal)
    const waits = `select count(*) from pg_locks where not granted and pid in (select pid from pg_stat_activity where datname = '${address.database}')`
    await eventually(() => server.sql(waits).trim() === '1')
    killed.abort()
    assert.equal((await running).signal, 'SIGKILL')
    await client.query('rollback')
    client.release()
    await pool.end()
    await eventually(() => server.sql('select count(*) from postern.meta', address.database).trim() === '0')
    assert.equal(server.sql('select count(*) from postern.audit', address.database).trim(), '0')
    assert.equal(existsSync(join(data, 'moved.json')), false)
    {
      await using files = await startIn(data)
      assert.equal((await files.manage('GET', '/collections')).status, 200)
    }
    const made = await runPostern(['migrate', '--data', data], env)
    assert.equal(made.code, 0, made.stderr)
    refused(
      await runPostern(['migrate', '--data', await used(join(directory, 'other'))], env),
      /is not empty: table postern\.meta has rows/,
    )
  })

  /** The path of a data directory that an instance has used. */
  async function used(data: string): Promise<string> {
    await using files = await startIn(data)
    assert.equal((await files.manage('GET', '/collections')).status, 200)
    return data
  }

  test('a move that was cut off at its commit is finished or begun anew by the next one', async () => {
    const data = await used(join(directory, 'cut'))
    const address = await create()
    const env = settingOf(address)
    const { to } = await moveOf({ config: '', records: '' }, address)
    const moving = (url: string): void =>
      writeFileSync(join(data, 'moved.json'), JSON.stringify({ state: 'moving', to: url, at: 'then' }))
    moving('postgres://app@elsewhere:5432/x')
    refused(await runPostern(['migrate', '--data', data], env), /went to postgres:\/\/app@elsewhere:5432\/x/)
    moving(to)
    const interrupted = /was interrupted.*Run postern migrate again/
    await assert.rejects(startUp(data), interrupted)
    await assert.rejects(startUp(data, [], env), interrupted)
    refused(await runPostern(['token', '--data', data]), interrupted)
    const made = await runPostern(['migrate', '--data', data], env)
    assert.equal(made.code, 0, made.stderr)
    assert.match(made.stdout, /^Moved \d+ rows/)
    moving(to)
    await assert.rejects(startUp(data, [], env), interrupted)
    const finished = await runPostern(['migrate', '--data', data], env)
    assert.equal(finished.code, 0, finished.stderr)
    assert.match(finished.stdout, /was moved to .* already/)
    {
      await using served = await startIn(data, env)
      assert.equal((await served.manage('GET', '/collections')).status, 200)
    }
    writeFileSync(join(data, 'moved.json'), '{')
    refused(await runPostern(['token', '--data', data]), /moved\.json cannot be read/)
  })

  test('a user that may create nothing runs an instance on tables that another user has made', async () => {
    const { password } = await create()
    server.sql(`create role maker login password '${password}'`)
    server.sql('create database least owner maker')
    const as = (user: string): Record<string, string> => ({
      POSTERN_DATABASE_URL: `postgres://${user}:${password}@127.0.0.1:${server.port}/least`,
    })
    const data = join(directory, 'least')
    await assert.rejects(
      startUp(data, [], as('app')),
      /the user may not make the tables of schema postern .*Run postern migrate-schema as a user who may, with --grant-to/,
    )
    refused(await runPostern(['migrate-schema'], as('app')), /Run postern migrate-schema as a user who may/)
    refused(await runPostern(['migrate-schema', '--grant-to', 'nobody'], as('maker')), /has no role nobody/)
    refused(await runPostern(['migrate-schema']), /Set POSTERN_DATABASE_URL/, 2)
    const made = await runPostern(['migrate-schema', '--grant-to', 'app', '-o', 'json'], as('maker'))
    assert.equal(made.code, 0, made.stderr)
    assert.deepEqual(JSON.parse(made.stdout), {
      database: `postgres://maker@127.0.0.1:${server.port}/least`,
      schema: 'postern',
      from: 0,
      to: 26,
      granted_to: 'app',
    })
    {
      await using served = await startIn(join(directory, 'least-new'), as('app'))
      const client = await served.manage('POST', '/clients', { name: 'Acme', slug: 'acme' })
      assert.equal(client.status, 201, client.text)
    }
    assert.throws(() => server.sql('set role app; delete from postern.audit', 'least'), /never deleted/)
    assert.throws(
      () => server.sql('set role app; create table postern.x (y int)', 'least'),
      /permission denied/,
    )
    // A move needs no more
    server.sql('create database least_moved owner maker')
    const there = {
      POSTERN_DATABASE_URL: as('maker')['POSTERN_DATABASE_URL']!.replace('/least', '/least_moved'),
    }
    const own = { POSTERN_DATABASE_URL: as('app')['POSTERN_DATABASE_URL']!.replace('/least', '/least_moved') }
    assert.equal((await runPostern(['migrate-schema', '--grant-to', 'app'], there)).code, 0)
    const from = await used(join(directory, 'least-files'))
    const moved = await runPostern(['migrate', '--data', from], own)
    assert.equal(moved.code, 0, moved.stderr)
    await using served = await startIn(from, own)
    assert.equal((await served.manage('POST', '/clients', { name: 'Acme', slug: 'acme' })).status, 201)
  })
})
