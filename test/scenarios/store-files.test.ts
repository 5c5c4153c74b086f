import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import { startTestServer, until } from './server.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'postern-files-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

/** Adds pages to config.db that no start and no request reads, and writes over one of them. */
function flipPage(file: string): void {
  {
    using database = new DatabaseSync(file)
    database.exec(
      `create table filler (n integer primary key, body text);
       with recursive counter (n) as (select 1 union all select n + 1 from counter where n < 500)
       insert into filler select n, hex(randomblob(400)) from counter;
       pragma wal_checkpoint(truncate)`,
    )
  }
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, Buffer.alloc(64, 0xff), 0, 64, (statSync(file).size / 4096 - 50) * 4096)
  closeSync(descriptor)
}

test('flipped bytes in the middle of config.db show in /readyz after the start, with the reason in the log, and traffic is served', async () => {
  await (await startTestServer({ data })).stop()
  flipPage(join(data, 'config.db'))
  const server = await startTestServer({ data })
  try {
    // biome-ignore lint/suspicious/noExplicitAny: the test reads the members it asserts on
    const ready = async (): Promise<any> => (await fetch(`${server.running.controlUrl}/readyz`)).json()
    await until(ready, ({ stores }) => stores.config === 'damaged')
    const { status, store } = await ready()
    assert.deepEqual([status, store], ['warn', true])
    assert.ok(server.log.some((line) => /^error config\.db is damaged: .*postern restore/.test(line)))
  } finally {
    await server.stop()
  }
})
