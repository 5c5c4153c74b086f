import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { issueOffline } from '../../../test/support/upkeep.ts'
import { readDatabaseUrl } from '../../base/net/database-url.ts'
import { PLACES } from '../../serve/places.ts'
import type { ConfigMove } from '../../store/ports/transfer.ts'
import { openConfigStore } from '../../store/sqlite/config.ts'
import type { MigrateRequest } from '../../surfaces/cli/ports.ts'
import { openVault } from '../../vault/open.ts'
import { CANARY } from '../../vault/reseal.ts'
import { readMoved } from '../moved.ts'
import { migrate } from './migrate.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-move-'))
after(() => rmSync(directory, { recursive: true }))
let count = 0

const TO = 'postgres://postern@db.example.com:5432/postern'

/** A data directory with an audit entry. */
async function made(): Promise<string> {
  const data = join(directory, `data${count++}`)
  mkdirSync(data)
  const store = openConfigStore(join(data, 'config.db'))
  await openVault(store, join(data, 'vault.key'))
  await store.close()
  await issueOffline(data, { role: 'viewer', ttl: '15m', name: 'test' })
  return data
}

const request = (data: string, own: Partial<MigrateRequest> = {}): MigrateRequest => {
  const to = readDatabaseUrl(TO)
  assert.ok(typeof to !== 'string')
  return { data, to, keyFile: join(data, 'vault.key'), isDryRun: false, progress() {}, ...own }
}

/** A database that has the content of the directory, and ends a move as it is told. */
function moveTo(data: string, end: () => void, meta: ConfigMove['meta'] = async () => undefined): ConfigMove {
  return {
    to: TO,
    async run({ check }) {
      const copy = join(directory, `copy${count++}.db`)
      await PLACES.config(join(data, 'config.db')).copyTo(copy)
      const store = openConfigStore(copy)
      try {
        await check(store)
      } finally {
        await store.close()
      }
      end()
      return [{ table: 'meta', rows: 3, sha256: '' }]
    },
    meta,
  }
}

const canaryOf = async (data: string): Promise<string | undefined> =>
  (await PLACES.config(join(data, 'config.db')).facts()).meta(CANARY)

test('right before the commit the directory says that a move is about to end, and after it, where the data is', async () => {
  const data = await made()
  let during: unknown
  const summary = await migrate(
    PLACES,
    moveTo(data, () => {
      during = readMoved(data)?.state
    }),
    request(data),
  )
  assert.equal(during, 'moving')
  assert.deepEqual([readMoved(data)?.state, readMoved(data)?.to], ['moved', TO])
  assert.deepEqual([summary.rows, summary.audit_seq, summary.finished_earlier], [3, 1, false])
  await assert.rejects(issueOffline(data, { role: 'viewer', ttl: '15m', name: 'test' }), /was moved to/)
})

test('a dry run leaves nothing in the directory', async () => {
  const data = await made()
  const summary = await migrate(
    PLACES,
    moveTo(data, () => {}),
    request(data, { isDryRun: true }),
  )
  assert.deepEqual([summary.dry_run, existsSync(join(data, 'moved.json'))], [true, false])
})

test('a commit whose answer is lost is looked for in the database', async () => {
  const lost = (): never => {
    throw new Error('the connection was lost')
  }
  const failed = await made()
  await assert.rejects(
    migrate(PLACES, moveTo(failed, lost), request(failed)),
    /^Error: the connection was lost$/,
  )
  assert.equal(readMoved(failed), null)
  await issueOffline(failed, { role: 'viewer', ttl: '15m', name: 'test' })

  const done = await made()
  const summary = await migrate(
    PLACES,
    moveTo(done, lost, () => canaryOf(done)),
    request(done),
  )
  assert.deepEqual([summary.finished_earlier, readMoved(done)?.state], [true, 'moved'])

  const unknown = await made()
  const nobody = () => Promise.reject(new Error('unreachable'))
  await assert.rejects(
    migrate(PLACES, moveTo(unknown, lost, nobody), request(unknown)),
    /it is not known whether the move is complete.*Run postern migrate again/,
  )
  assert.equal(readMoved(unknown)?.state, 'moving')
  await assert.rejects(issueOffline(unknown, { role: 'viewer', ttl: '15m', name: 'test' }), /was interrupted/)
  // The database has other data, or none
  const again = await migrate(
    PLACES,
    moveTo(
      unknown,
      () => {},
      async () => 'other',
    ),
    request(unknown),
  )
  assert.deepEqual([again.finished_earlier, readMoved(unknown)?.state], [false, 'moved'])
})

test('a key that does not fit, an older file, and a directory that was never started are refused, and nothing is marked', async () => {
  const data = await made()
  const other = await made()
  const move = moveTo(data, () => {})
  await assert.rejects(
    migrate(PLACES, move, request(data, { keyFile: join(other, 'vault.key') })),
    /does not contain the key with which the secrets are encrypted\. Name the right file with --key-file/,
  )
  const older = join(directory, 'older.db')
  await PLACES.config(join(data, 'config.db')).copyTo(older)
  await issueOffline(data, { role: 'viewer', ttl: '15m', name: 'later' })
  copyFileSync(older, join(data, 'config.db'))
  for (const side of ['-wal', '-shm']) rmSync(join(data, `config.db${side}`), { force: true })
  await assert.rejects(
    migrate(PLACES, move, request(data)),
    /The audit trail in .* is not as Postern left it: .*Run postern doctor/,
  )
  const unused = join(directory, 'unused')
  mkdirSync(unused)
  await openConfigStore(join(unused, 'config.db')).close()
  await assert.rejects(
    migrate(
      PLACES,
      moveTo(unused, () => {}),
      request(unused),
    ),
    /has never been started/,
  )
  await assert.rejects(
    migrate(
      PLACES,
      moveTo(unused, () => {}),
      request(join(directory, 'nothing')),
    ),
    /is not a data directory of Postern/,
  )
  for (const path of [data, unused]) assert.equal(readMoved(path), null)
})

test('a file that says where the data went and cannot be read keeps everything from using the directory', async () => {
  const data = await made()
  writeFileSync(join(data, 'moved.json'), '{}')
  const said = /moved\.json cannot be read.*If no database has it, delete moved\.json/
  await assert.rejects(
    migrate(
      PLACES,
      moveTo(data, () => {}),
      request(data),
    ),
    said,
  )
  await assert.rejects(issueOffline(data, { role: 'viewer', ttl: '15m', name: 'test' }), said)
})
