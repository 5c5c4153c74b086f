import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { backUp, restore } from '../support/upkeep.ts'
import { runCommand } from './cli.ts'
import { publishOrders, startTestServer, until } from './server.ts'
import { startUpstream } from './upstream.ts'

const MAIN = resolve(import.meta.dirname, '../../postern.js')
const directory = mkdtempSync(join(tmpdir(), 'postern-backup-'))
after(() => rmSync(directory, { recursive: true }))

test('an instance is backed up while it is changed, and comes back from the archive as it was', async () => {
  await using upstream = await startUpstream()
  const archive = join(directory, 'backup.tar')
  const data = join(directory, 'restored')
  const postern = (from: string, ...args: string[]) => runCommand(from, args, { backUp, restore })
  let token: string
  let revoked: string
  {
    await using server = await startTestServer()
    token = await publishOrders(server, upstream.url)
    const other = { client: 'acme', name: 'Other', slug: 'other', auth: { type: 'token' } }
    revoked = (await server.manage('POST', '/profiles', other)).json.token
    assert.equal((await server.manage('POST', '/profiles/acme:other/revoke', {})).status, 200)
    let isDone = false
    let turns = 0
    const writing = (async () => {
      for (; !isDone; turns++) {
        const changed = await server.manage('PATCH', '/collections/orders', { description: `turn ${turns}` })
        assert.equal(changed.status, 200, changed.text)
      }
    })()
    const made = await postern(
      server.data,
      'backup',
      '--out',
      archive,
      '--with-key',
      '--records',
      '-o',
      'json',
    )
    isDone = true
    await writing
    assert.equal(made.code, 0, made.err)
    assert.ok(turns > 0)
    assert.deepEqual(JSON.parse(made.out).files, ['config.db', 'records.db', 'vault.key'])
    assert.match(made.err, /contains the key that decrypts its secrets\. Protect the archive like a password/)
    const busy = await postern(server.data, 'restore', '--from', archive, '--data', server.data, '--force')
    assert.equal(busy.code, 1)
    assert.match(busy.err, /in use by another running instance/)
  }
  const back = await postern(data, 'restore', '--from', archive, '--data', data)
  assert.equal(back.code, 0, back.err)
  await using again = await startTestServer({ data })
  const called = await again.gateway('GET', '/orders/v1/orders/7', { token })
  assert.equal(called.status, 200, called.text)
  assert.equal((await again.gateway('GET', '/orders/v1/orders/7', { token: revoked })).status, 401)
  const verified = await postern(data, 'audit', 'verify', '-o', 'json')
  assert.equal(JSON.parse(verified.out).ok, true, verified.out)
})

test('a restore that is killed leaves nothing half, and is done by the next one', async () => {
  const archive = readdirSync(directory).find((name) => name.endsWith('.tar'))!
  const data = join(directory, 'killed')
  const args = ['restore', '--from', join(directory, archive), '--data', data]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args])
  const ended = once(child, 'exit')
  await until(
    async () => existsSync(join(data, 'restore.part')) || child.exitCode !== null,
    (isThere) => isThere,
  )
  child.kill('SIGKILL')
  await ended
  const isWhole = existsSync(join(data, 'vault.key'))
  assert.ok(isWhole || !existsSync(join(data, 'config.db')) || existsSync(join(data, 'restore.part')))
  const request = { data, from: join(directory, archive), keyFile: null, keyFileElsewhere: null }
  await restore({ ...request, isForced: existsSync(join(data, 'config.db')) })
  assert.ok(existsSync(join(data, 'config.db')) && existsSync(join(data, 'vault.key')))
})
