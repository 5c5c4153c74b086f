import assert from 'node:assert/strict'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { backUp, restore } from '../../../test/support/upkeep.ts'
import { openConfigStore } from '../../store/sqlite/config.ts'
import { SCHEMA_VERSIONS } from '../../store/sqlite/copy.ts'
import { lockDirectory } from '../../store/sqlite/directory-lock.ts'
import type { RestoreRequest } from '../../surfaces/cli/ports.ts'
import { openVault } from '../../vault/open.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-backup-'))
const data = join(directory, 'data')
const keyless = join(directory, 'keyless.tar')
const whole = join(directory, 'whole.tar')
let count = 0
const fresh = (): string => join(directory, `made${count++}`)

const backup = (out: string, own: object = {}) =>
  backUp({
    data,
    out,
    keyFile: join(data, 'vault.key'),
    withKey: false,
    withRecords: false,
    progress: () => {},
    ...own,
  })
const restored = (to: string, own: Partial<RestoreRequest> = {}) =>
  restore({ data: to, from: whole, keyFile: null, keyFileElsewhere: null, isForced: false, ...own })

/** Makes a data directory as a first start does. */
async function make(path: string): Promise<void> {
  mkdirSync(path)
  const store = openConfigStore(join(path, 'config.db'))
  await openVault(store, join(path, 'vault.key'))
  await store.close()
}

before(async () => {
  await make(data)
  await backup(keyless)
  await backup(whole, { withKey: true })
})
after(() => rmSync(directory, { recursive: true }))

test('a backup is taken while the store is written', async () => {
  const store = openConfigStore(join(data, 'config.db'))
  const out = fresh()
  const told: number[] = []
  const made = backup(out, { progress: (_what: string, part: number) => told.push(part) })
  await store.write((writer) => writer.setMeta('written', 'while it was copied'))
  const { files, key_id, schema_version } = await made
  await store.close()
  assert.deepEqual([files, schema_version], [['config.db'], SCHEMA_VERSIONS.newest])
  assert.match(key_id, /^k[0-9a-f]{8}$/)
  assert.equal(told.at(-1), 1)
  assert.equal(statSync(out).mode & 0o777, 0o600)
  await assert.rejects(backup(out), /already exists\. Choose another name/)
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('.part-')),
    [],
  )
})

test('what no backup can be made of is told, and nothing is left of the attempt', async () => {
  await assert.rejects(
    backup(fresh(), { data: join(directory, 'none') }),
    /is not a data directory of Postern/,
  )
  const [other, broken] = [fresh(), fresh()]
  await make(other)
  const out = fresh()
  const foreign = { withKey: true, keyFile: join(other, 'vault.key') }
  await assert.rejects(backup(out, foreign), /does not contain the key with which the secrets are encrypted/)
  mkdirSync(broken)
  writeFileSync(
    join(broken, 'config.db'),
    'this is no database, and longer than a header of one is. '.repeat(20),
  )
  await assert.rejects(backup(out, { data: broken }), /cannot be backed up: file is not a database/)
  assert.equal(existsSync(out), false)
})

test('an empty directory becomes what was backed up, with its key or with one that is named', async () => {
  const [own, named, elsewhere, volume] = [fresh(), fresh(), fresh(), fresh()]
  await restored(own)
  assert.deepEqual(readdirSync(own).sort(), ['audit.mark', 'config.db', 'lock.db', 'vault.key'])
  for (const file of ['config.db', 'vault.key']) assert.equal(statSync(join(own, file)).mode & 0o777, 0o600)
  assert.deepEqual(readFileSync(join(own, 'vault.key')), readFileSync(join(data, 'vault.key')))

  const keyFile = join(data, 'vault.key')
  await restored(named, { from: keyless, keyFile })
  assert.ok(existsSync(join(named, 'vault.key')))
  await restored(elsewhere, { keyFileElsewhere: keyFile })
  assert.deepEqual(
    readdirSync(elsewhere).sort(),
    ['audit.mark', 'config.db', 'lock.db'],
    'the key stays where it is',
  )
  // What a restore that was cut off has left is no content
  mkdirSync(join(volume, 'restore.part'), { recursive: true })
  writeFileSync(join(volume, 'restore.part', 'config.db'), 'half')
  await restored(volume)
  assert.ok(!existsSync(join(volume, 'restore.part')))
})

test('a running instance, a full directory, a wrong or missing key are refused, and everything stays as it was', async () => {
  const running = fresh()
  const lock = lockDirectory(running)
  await assert.rejects(
    restored(running),
    /in use by another running instance\. Stop that instance, or name another directory with --data\./,
  )
  lock.release()

  const full = fresh()
  await make(full)
  const before = readFileSync(join(full, 'config.db'))
  await assert.rejects(restored(full), /is not empty; choose another directory, or add --force/)
  const wrong = join(full, 'vault.key')
  for (const [own, told] of [
    [{ from: keyless }, /contains no key\. Name the file with the key k\w+ with --key-file/],
    [{ keyFile: wrong }, /does not contain the key k\w+, with which the secrets are encrypted/],
    [{ keyFileElsewhere: wrong }, /does not contain the key/],
    [{ keyFile: join(directory, 'none') }, /The key file .* is missing/],
    [{ from: join(directory, 'none') }, /The archive .* cannot be read/],
    [{ from: directory }, /cannot be used: it is a directory\. Nothing was changed\./],
  ] as const) {
    const to = fresh()
    await assert.rejects(restored(to, own), told)
    assert.equal(existsSync(to), false, String(told))
  }
  await assert.rejects(restored(full, { from: keyless, isForced: true }), /does not contain the key/)
  assert.deepEqual(readFileSync(join(full, 'config.db')), before)
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('.restore-')),
    [],
  )
})

test('a restore that is cut off before its last file is no instance that starts, and can be done again', async () => {
  const cut = fresh()
  await restored(cut)
  rmSync(join(cut, 'vault.key'))
  const store = openConfigStore(join(cut, 'config.db'))
  await assert.rejects(openVault(store, join(cut, 'vault.key')), /The key file .* is missing/)
  await store.close()
  await restored(cut, { isForced: true })
  assert.ok(existsSync(join(cut, 'vault.key')))
})

test('with force the directory of before is kept beside the new one', async () => {
  const full = fresh()
  await make(full)
  const key = readFileSync(join(full, 'vault.key'))
  const { before } = await restored(full, { isForced: true })
  assert.deepEqual(readFileSync(join(before!, 'vault.key')), key)
  assert.deepEqual(readFileSync(join(full, 'vault.key')), readFileSync(join(data, 'vault.key')))
  // Its own key is found again, where the archive holds none
  const again = await restored(full, { from: keyless, isForced: true })
  assert.notEqual(again.before, null)
  assert.ok(existsSync(join(full, 'vault.key')))
  const inside = join(full, 'keys')
  copyFileSync(join(full, 'vault.key'), inside)
  const request = { from: keyless, isForced: true, keyFileElsewhere: inside }
  await assert.rejects(restored(full, request), /is in the data directory that the restore replaces/)
})

test('an archive that was changed in a head, its manifest or a file, or is of a newer schema, is refused', async () => {
  const bytes = readFileSync(whole)
  const damaged = fresh()
  const at = bytes.indexOf('SQLite format 3')
  for (const place of [at + 5000, bytes.indexOf('"sha256": "') + 15, 10, 600]) {
    const changed = Buffer.from(bytes)
    changed[place] = changed[place]! ^ 1
    writeFileSync(damaged, changed)
    const to = fresh()
    await assert.rejects(restored(to, { from: damaged }), /cannot be used: .* Nothing was changed\./)
    assert.equal(existsSync(to), false)
  }
  const newer = fresh()
  await make(newer)
  const database = new DatabaseSync(join(newer, 'config.db'))
  database.exec(
    `insert into schema_versions (version, name, applied_at) values (${SCHEMA_VERSIONS.newest + 1}, 'of tomorrow', '')`,
  )
  database.close()
  const archive = fresh()
  await backup(archive, { data: newer, keyFile: join(newer, 'vault.key'), withKey: true })
  await assert.rejects(
    restored(fresh(), { from: archive }),
    /supports schema versions up to \d+\. Restore it with that version of Postern/,
  )
  const allowing = new DatabaseSync(join(newer, 'config.db'))
  allowing.exec(
    `update schema_versions set compatible_from = ${SCHEMA_VERSIONS.newest} where version > ${SCHEMA_VERSIONS.newest}`,
  )
  allowing.close()
  const allowed = fresh()
  await backup(allowed, { data: newer, keyFile: join(newer, 'vault.key'), withKey: true })
  assert.equal((await restored(fresh(), { from: allowed })).schema_version, SCHEMA_VERSIONS.newest + 1)
})

test('an archive of a development version is refused before anything is changed, and its directory makes none', async () => {
  const now = `"schema_version": ${SCHEMA_VERSIONS.newest}`
  const bytes = readFileSync(whole).toString('latin1')
  assert.equal(bytes.split(now).length, 2)
  const archive = fresh()
  writeFileSync(archive, bytes.replace(now, '"schema_version": 25'), 'latin1')
  const to = fresh()
  await assert.rejects(
    restored(to, { from: archive }),
    /development version \(schema 25\).* Restore it with the commit that made it/,
  )
  assert.equal(existsSync(to), false)
  const data = fresh()
  await make(data)
  const database = new DatabaseSync(join(data, 'config.db'))
  database.exec('update schema_versions set version = 25, compatible_from = 21')
  database.close()
  const out = fresh()
  await assert.rejects(backup(out, { data }), /written by a development version \(schema 25\)/)
  assert.equal(existsSync(out), false)
})

test('what cannot be written where it should is told in a sentence', {
  skip: process.getuid?.() === 0,
}, async () => {
  const closed = fresh()
  mkdirSync(closed)
  chmodSync(closed, 0o500)
  await assert.rejects(backup(join(closed, 'a.tar')), /cannot be written: EACCES/)
})
