import assert from 'node:assert/strict'
import {
  copyFileSync,
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
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import type { ConfigStore } from '../ports/config.ts'
import { openConfigStore } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-recovery-'))
after(() => rmSync(directory, { recursive: true, force: true }))

let places = 0
function freshFile(): string {
  const place = join(directory, String(places++))
  mkdirSync(place)
  return join(place, 'config.db')
}

const set = (store: ConfigStore, name: string, value: string): Promise<void> =>
  store.write((writer) => writer.setMeta(name, value))

/** SQLite copies the log into the file once it has a thousand frames (https://sqlite.org/pragma.html#pragma_wal_autocheckpoint). */
const FRAMES_OF_COPY = 1000
const PAGE = 4096
const framesOf = (file: string): number => Math.floor((statSync(`${file}-wal`).size - 32) / (PAGE + 24))

/** A store that was killed: its log has almost as many frames as start a copy, and versions of several probes. */
async function killedBeforeACopy(): Promise<string> {
  const file = freshFile()
  const running = openConfigStore(file)
  await running.probe()
  for (let n = 0; framesOf(file) < FRAMES_OF_COPY - 15; n++) {
    await set(running, `kept ${n % 3}`, `${n}`)
    if (n % 100 === 0) await running.probe()
  }
  await running.probe()
  await set(running, 'last', 'yes')
  const left = freshFile()
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, left + suffix)
  await running.close()
  return left
}

test('killed while its log waits to be copied: the copies by the next process are no fault, and changes are accepted at once', async () => {
  const file = await killedBeforeACopy()
  const store = openConfigStore(file)
  for (let n = 0; n < 60; n++) await set(store, 'after', `${n}`.repeat(PAGE))
  assert.equal(store.fault, null)
  await store.probe()
  assert.equal(store.fault, null)
  assert.deepEqual(
    [await store.read.meta('last'), await store.read.meta('after')],
    ['yes', '59'.repeat(PAGE)],
  )
  await store.close()
})

test('the same while another process reads the file, so that the stamp of the start stays in the log', async () => {
  const file = await killedBeforeACopy()
  const other = new DatabaseSync(file, { readOnly: true })
  other.exec('begin')
  other.prepare('select count(*) from meta').get()
  const store = openConfigStore(file)
  for (let n = 0; n < 60; n++) {
    if (n === 30) other.exec('commit')
    await set(store, 'after', `${n}`.repeat(PAGE))
    if (n % 20 === 0) await store.probe()
    assert.equal(store.fault, null)
  }
  other.close()
  await store.probe()
  assert.equal(store.fault, null)
  assert.equal(await store.read.meta('last'), 'yes')
  await store.close()
})

test('an older copy is told from the file from the start, before the first probe', async () => {
  const file = freshFile()
  const first = openConfigStore(file)
  await set(first, 'kept', 'a')
  await first.close()
  const older = readFileSync(file)
  const store = openConfigStore(file)
  await set(store, 'kept', 'b')
  writeFileSync(file, older, { flag: 'r+' })
  await assert.rejects(set(store, 'kept', 'c'), /overwritten/)
  await store.close()
})

const logsLeft = (file: string): string[] =>
  readdirSync(join(file, '..')).filter((name) => /^config\.db-wal\.left-\d{8}T\d{9}Z$/.test(name))

/** The value in a copy of a file and of a log. */
function valueIn(file: string, log: string): unknown {
  const copy = freshFile()
  copyFileSync(file, copy)
  copyFileSync(log, `${copy}-wal`)
  const database = new DatabaseSync(copy)
  try {
    return database.prepare("select value from meta where name = 'only in the log'").get()?.['value']
  } finally {
    database.close()
  }
}

for (const [what, spoil] of [
  [
    'was overwritten',
    (file: string, older: Buffer) => writeFileSync(file, older.subarray(0, PAGE), { flag: 'r+' }),
  ],
  [
    'was replaced',
    (file: string, older: Buffer) => {
      writeFileSync(`${file}.other`, older)
      renameSync(`${file}.other`, file)
    },
  ],
  ['is gone', (file: string) => rmSync(file)],
] as const)
  test(`the end of a process whose file ${what} keeps the log, which has the last changes, under another name`, async () => {
    const file = freshFile()
    const first = openConfigStore(file)
    await first.close()
    const older = readFileSync(file)
    const store = openConfigStore(file)
    const whole = freshFile()
    copyFileSync(file, whole)
    await set(store, 'only in the log', 'yes')
    spoil(file, older)
    await assert.rejects(set(store, 'refused', 'x'))
    await store.close()
    const [log, ...more] = logsLeft(file)
    assert.deepEqual(more, [])
    assert.equal(valueIn(whole, join(file, '..', log!)), 'yes')
  })

for (const [what, spoil] of [
  ['gone', (file: string) => rmSync(file)],
  ['empty', (file: string) => writeFileSync(file, '')],
] as const)
  test(`a start at a log whose file is ${what} keeps the log under another name`, async () => {
    const file = freshFile()
    const running = openConfigStore(file)
    const whole = freshFile()
    await set(running, 'only in the log', 'yes')
    const left = freshFile()
    copyFileSync(file, whole)
    for (const suffix of ['', '-wal']) copyFileSync(file + suffix, left + suffix)
    await running.close()
    spoil(left)
    const store = openConfigStore(left)
    await set(store, 'kept', 'yes')
    await store.close()
    const [log, ...more] = logsLeft(left)
    assert.deepEqual(more, [])
    assert.equal(valueIn(whole, join(left, '..', log!)), 'yes')
  })
