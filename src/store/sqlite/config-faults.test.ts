import assert from 'node:assert/strict'
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { mountSmallDisk } from '../../../test/support/small-disk.ts'
import type { ConfigStore } from '../ports/config.ts'
import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'
import { openConfigStore } from './config.ts'
import { openKeyStore } from './idempotency-keys.ts'
import { openRecordStore } from './records.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-faults-'))
const disk = mountSmallDisk(2)
after(() => {
  rmSync(directory, { recursive: true, force: true })
  if (typeof disk !== 'string') disk.remove()
})
const NEEDS_DISK = typeof disk === 'string' ? { skip: disk } : {}

let files = 0
function fresh(): { file: string; store: ConfigStore } {
  const file = join(directory, `${files++}.db`)
  return { file, store: openConfigStore(file) }
}

const set = (store: ConfigStore, name: string, value: string): Promise<void> =>
  store.write((writer) => writer.setMeta(name, value))

/** A write is refused with 503 for this reason. */
const refused = (store: ConfigStore, fault: StoreFault): Promise<void> =>
  assert.rejects(set(store, 'refused', 'x'), (error) => {
    assert.ok(error instanceof StoreUnavailable, String(error))
    assert.deepEqual([error.code, error.status, error.fault], ['store_unavailable', 503, fault])
    return true
  })

test(
  'a full disk is reported as such, not as the rollback that follows it, and writes go on once there is room',
  NEEDS_DISK,
  async () => {
    assert.ok(typeof disk !== 'string')
    const store = openConfigStore(join(disk.path, 'config.db'))
    await set(store, 'kept', 'yes')
    disk.fill()
    await assert.rejects(set(store, 'large', 'x'.repeat(500_000)), (error) => {
      assert.ok(error instanceof StoreUnavailable)
      assert.equal(error.fault, 'disk_full')
      assert.match((error.cause as Error).message, /full/)
      return true
    })
    assert.equal(store.fault?.fault, 'disk_full')
    await store.probe()
    assert.equal(store.fault?.fault, 'disk_full', 'one page may fit; that is no room')
    assert.equal(await store.read.meta('kept'), 'yes')
    disk.free()
    await store.probe()
    assert.equal(store.fault, null)
    await set(store, 'large', 'x'.repeat(500_000))
    await store.close()
  },
)

test(
  'an error inside of a transaction undoes all of it, also where the work goes on',
  NEEDS_DISK,
  async () => {
    assert.ok(typeof disk !== 'string')
    const store = openConfigStore(join(disk.path, 'rolled-back.db'))
    disk.fill()
    const swallowing = store.write(async (writer) => {
      await writer.setMeta('large', 'x'.repeat(5_000_000)).catch(() => {})
      disk.free()
      await writer.setMeta('after', 'x')
    })
    await assert.rejects(swallowing, StoreUnavailable)
    assert.equal(await store.read.meta('after'), undefined)
    await assert.rejects(set(store, 'too early', 'x'), StoreUnavailable, 'no probe has found room again')
    await store.probe()
    await set(store, 'later', 'x')
    await store.close()
  },
)

test('the file deleted: writes are refused and lose nothing; two probes later it is there again, whole and private', async () => {
  const { file, store } = fresh()
  await set(store, 'kept', 'yes')
  rmSync(file)
  await refused(store, 'missing')
  assert.equal(await store.read.meta('kept'), 'yes', 'what is open can still be read')
  await store.probe()
  await store.probe()
  assert.equal(store.fault, null)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  await set(store, 'after', 'yes')
  await store.close()
  const again = openConfigStore(file)
  assert.deepEqual([await again.read.meta('kept'), await again.read.meta('after')], ['yes', 'yes'])
  assert.equal(await again.read.meta('refused'), undefined)
  await again.close()
})

test('the file deleted after a restart: the log that is left of it does not damage the file that takes its place', async () => {
  const { file, store } = fresh()
  for (let n = 0; n < 200; n++) await set(store, `kept ${n}`, 'x'.repeat(500))
  await store.close()
  const again = openConfigStore(file)
  await set(again, 'kept 7', 'y')
  rmSync(file)
  await again.probe()
  await again.probe()
  assert.equal(again.fault, null)
  await set(again, 'after', 'yes')
  await again.close()
  const found = new DatabaseSync(file)
  assert.deepEqual({ ...found.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' })
  const values = found.prepare(
    "select value from meta where name in ('after', 'kept 7', 'kept 199') order by name",
  )
  assert.deepEqual(
    values.all().map(({ value }) => value),
    ['yes', 'x'.repeat(500), 'y'],
  )
  found.close()
})

test('its write-ahead log deleted: that is noticed, and no commit is lost in a kill afterwards', async () => {
  const { file, store } = fresh()
  await set(store, 'kept', 'yes')
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix)
  await refused(store, 'missing')
  await store.probe()
  await store.probe()
  assert.equal(store.fault, null)
  await set(store, 'after', 'yes')
  // As a process that is killed leaves them
  const copy = join(mkdtempSync(join(tmpdir(), 'postern-killed-')), 'config.db')
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, copy + suffix)
  const again = openConfigStore(copy)
  assert.deepEqual([await again.read.meta('kept'), await again.read.meta('after')], ['yes', 'yes'])
  await again.close()
  rmSync(dirname(copy), { recursive: true })
  await store.close()
})

test('the file moved away and back: writes are refused meanwhile', async () => {
  const { file, store } = fresh()
  renameSync(file, `${file}.away`)
  await refused(store, 'missing')
  renameSync(`${file}.away`, file)
  await set(store, 'after', 'yes')
  await store.probe()
  assert.equal(store.fault, null)
  await store.close()
})

test('the file replaced by another one: nothing is written to either', async () => {
  const { file, store } = fresh()
  const other = fresh()
  await set(other.store, 'other', 'yes')
  await other.store.close()
  renameSync(other.file, file)
  await refused(store, 'replaced')
  await store.probe()
  assert.equal(store.fault?.fault, 'replaced')
  assert.equal(await store.read.meta('refused'), undefined)
  await store.close()
  const found = new DatabaseSync(file)
  assert.deepEqual(found.prepare("select name from meta where name = 'refused'").all(), [])
  found.close()
})

test('the file truncated: writes are refused, and probes do not mend it', async () => {
  const { file, store } = fresh()
  await set(store, 'kept', 'yes')
  truncateSync(file)
  await refused(store, 'truncated')
  await store.probe()
  await store.probe()
  assert.equal(store.fault?.fault, 'truncated')
  await store.close()
})

test('an older copy of the same size written into the file: writes and reads are refused, and the next start finds that copy', async () => {
  const { file, store } = fresh()
  await set(store, 'kept', 'a')
  await store.close()
  const older = readFileSync(file)
  const next = openConfigStore(file)
  await set(next, 'kept', 'b')
  await next.close()
  const again = openConfigStore(file)
  await again.probe()
  await set(again, 'kept', 'c')
  assert.equal(statSync(file).size, older.length)
  const inode = statSync(file).ino
  writeFileSync(file, older, { flag: 'r+' })
  assert.equal(statSync(file).ino, inode)
  await refused(again, 'overwritten')
  await assert.rejects(again.read.meta('kept'), StoreUnavailable)
  await again.probe()
  assert.equal(again.fault?.fault, 'overwritten')
  await again.close()
  assert.deepEqual(readFileSync(file), older, 'nothing of the log was copied into it')
  const third = openConfigStore(file)
  assert.equal(await third.read.meta('kept'), 'a')
  await third.close()
})

test('a page blanked in place is found by the next probe; a file that was only touched is not refused', async () => {
  const { file, store } = fresh()
  for (let n = 0; n < 200; n++) await set(store, `kept ${n}`, 'x'.repeat(500))
  await store.close()
  const again = openConfigStore(file)
  await again.probe()
  utimesSync(file, 1, 1)
  await again.probe()
  assert.equal(again.fault?.fault, undefined)
  await set(again, 'after', 'yes')
  const pages = openSync(file, 'r+')
  writeSync(pages, Buffer.alloc(40_960), 0, 40_960, 4096)
  closeSync(pages)
  await again.probe()
  assert.equal(again.fault?.fault, 'damaged')
  await again.close()
})

test('copies of the log into the file by this process itself are no fault', async () => {
  const { file, store } = fresh()
  for (let n = 0; n < 8; n++) {
    const before = statSync(file).mtimeMs
    await set(store, 'large', `${n}`.repeat(5_000_000))
    assert.notEqual(statSync(file).mtimeMs, before, 'the log was copied')
    if (n % 3 === 0) await store.probe()
    assert.equal(store.fault, null)
  }
  await store.close()
})

test('while another process holds the file, the event loop goes on, and the change is made afterwards', async () => {
  const { file, store } = fresh()
  const other = new DatabaseSync(file)
  other.exec('begin immediate')
  const change = set(store, 'kept', 'yes')
  for (let turns = 0; turns < 200; turns++) await turn()
  other.exec('rollback')
  await change
  assert.equal(await store.read.meta('kept'), 'yes')
  other.exec('begin immediate')
  await store.probe()
  assert.equal(store.fault?.fault, 'locked')
  other.close()
  await store.probe()
  assert.equal(store.fault, null)
  await store.close()
})

test('a file of a newer version is refused and not changed, whatever its journal mode', () => {
  for (const mode of ['delete', 'wal']) {
    const file = join(directory, `newer-${mode}.db`)
    const made = new DatabaseSync(file)
    made.exec(`pragma journal_mode = ${mode}; create table schema_versions (version integer primary key, name text not null, applied_at text not null) strict;
insert into schema_versions values (100000, 'later', '2040-01-01T00:00:00Z')`)
    made.close()
    const before = readFileSync(file)
    for (const open of [openConfigStore, openRecordStore, (path: string) => openKeyStore(path).load()])
      assert.throws(() => open(file), /has schema version 100000.* start the newer Postern/)
    assert.deepEqual(readFileSync(file), before, mode)
  }
})
