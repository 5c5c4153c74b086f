import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { CannotStart } from '../../base/refusal.ts'
import { CONFIG_MIGRATIONS } from '../migrations/config.ts'
import { KEY_MIGRATIONS, RECORD_MIGRATIONS } from '../migrations/records.ts'
import type { KeyRow } from '../ports/places.ts'
import type { RecordBlock } from '../ports/records.ts'
import { openConfigStore } from './config.ts'
import { openKeyStore } from './idempotency-keys.ts'
import { migrate } from './migrate.ts'
import { openRecordStore } from './records.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-migrate-'))
after(() => rmSync(directory, { recursive: true, force: true }))

test('a file of a newer version that allows this one is opened as it is, and one that no longer does is refused', async () => {
  const block: RecordBlock = {
    rows: 1,
    proved: true,
    minTimeMs: 1,
    maxTimeMs: 2,
    classes: 0,
    agents: 0,
    environment: null,
    words: '[]',
    numbers: new Uint8Array(1),
    text: new Uint8Array(1),
  }
  const row: KeyRow = { key: 'k', fingerprint: 'f', until: 1, state: 'unkept', sealed: null }
  const stores = [
    {
      steps: CONFIG_MIGRATIONS,
      async use(file: string) {
        const store = openConfigStore(file)
        await store.write((writer) => writer.setMeta('kept', 'yes'))
        assert.equal(await store.read.meta('kept'), 'yes')
        await store.close()
      },
    },
    {
      steps: RECORD_MIGRATIONS,
      async use(file: string) {
        const store = openRecordStore(file)
        await store.append([block])
        await store.close()
      },
    },
    {
      steps: KEY_MIGRATIONS,
      async use(file: string) {
        const store = openKeyStore(file)
        store.save([], [row])
        assert.equal(store.load().length, 1)
        store.close()
      },
    },
  ]
  for (const [index, { steps, use }] of stores.entries()) {
    const file = join(directory, `allowed-${index}.db`)
    const newest = steps.at(-1)!.version
    const versions = () => {
      using database = new DatabaseSync(file)
      return database
        .prepare('select version, compatible_from from schema_versions where version >= ? order by version')
        .all(newest)
        .map((found) => [found['version'], found['compatible_from']])
    }
    await use(file)
    const next = {
      version: newest + 1,
      name: 'next',
      compatibleFrom: newest,
      sqlite: ['create table later (a text)'],
    }
    const last = { version: newest + 2, name: 'last', sqlite: ['drop table later'] }
    {
      using database = new DatabaseSync(file)
      migrate(database, file, [...steps, next])
    }
    await use(file)
    assert.deepEqual(versions(), [
      [newest, steps.at(-1)!.compatibleFrom ?? newest],
      [newest + 1, newest],
    ])
    {
      using database = new DatabaseSync(file)
      migrate(database, file, [...steps, next, last])
    }
    await assert.rejects(use(file), (error: Error) => {
      assert.ok(error instanceof CannotStart)
      assert.match(
        error.message,
        new RegExp(`has schema version ${newest + 2}, .* versions up to ${newest};`),
      )
      return true
    })
  }
})

test('no step allows an older program than the step before it', () => {
  for (const steps of [CONFIG_MIGRATIONS, RECORD_MIGRATIONS, KEY_MIGRATIONS]) {
    let before = 0
    for (const { version, compatibleFrom = version } of steps) {
      assert.ok(compatibleFrom >= before && compatibleFrom <= version, `step ${version}`)
      before = compatibleFrom
    }
  }
})
