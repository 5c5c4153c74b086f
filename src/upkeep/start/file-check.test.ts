import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { PLACES } from '../../serve/places.ts'
import { type CheckedFile, checkFiles } from './file-check.ts'

const data = mkdtempSync(join(tmpdir(), 'postern-check-'))
after(() => rmSync(data, { recursive: true, force: true }))

/** Fills a file with pages, and writes over one in the middle. */
function damage(file: string): void {
  using database = new DatabaseSync(file)
  database.exec(
    `create table filler (n integer primary key, body text);
     with recursive counter (n) as (select 1 union all select n + 1 from counter where n < 500)
     insert into filler select n, hex(randomblob(400)) from counter`,
  )
  database.exec('pragma wal_checkpoint(truncate)')
  const descriptor = openSync(file, 'r+')
  const page = Math.floor(statSync(file).size / 4096 / 2)
  writeSync(descriptor, Buffer.alloc(64, 0xff), 0, 64, page * 4096)
  closeSync(descriptor)
}

async function check(bytesMax?: number): Promise<CheckedFile[]> {
  const found: CheckedFile[] = []
  for await (const one of checkFiles(data, PLACES, bytesMax)) found.push(one)
  return found
}

test('a check names the damage in the middle of a file, reads no file that is too large, and finds nothing in one that is missing', async () => {
  await (await PLACES.config(join(data, 'config.db')).open(null)).close()
  await (await PLACES.records(join(data, 'records.db')).open(null)).close()
  const sound = { damage: null, isTooLarge: false }
  assert.deepEqual(await check(), [
    { name: 'config', ...sound },
    { name: 'serving', ...sound },
    { name: 'idempotency', ...sound },
    { name: 'records', ...sound },
  ])
  damage(join(data, 'config.db'))
  damage(join(data, 'records.db'))
  const [config, serving, , records] = await check()
  assert.match(config!.damage!, /filler|Tree \d+ page \d+/)
  assert.deepEqual(serving, { name: 'serving', ...sound })
  assert.match(records!.damage!, /filler|Tree \d+ page \d+/)
  const [unread] = await check(statSync(join(data, 'config.db')).size - 1)
  assert.deepEqual(unread, { name: 'config', damage: null, isTooLarge: true })
})
