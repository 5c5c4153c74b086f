import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createClock, createClockCell, moveClock } from '../base/clock.ts'
import type { QuotaRow } from '../store/ports/records.ts'
import { openRecordStore } from '../store/sqlite/records.ts'
import { createQuotaKeeper } from './quota-keeper.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-quotas-'))
after(() => rmSync(directory, { recursive: true }))

const DAY_MS = 86_400_000

const row = (key: string, period: number, count: number): QuotaRow => ({
  key,
  period,
  ends: period + DAY_MS,
  entered: 1,
  count,
})

function counters() {
  const changed: QuotaRow[] = []
  const imported: QuotaRow[] = []
  return {
    changed,
    imported,
    exportQuotas: () => changed.splice(0),
    importQuotas: (rows: readonly QuotaRow[]) => imported.push(...rows),
    setNodes: () => {},
    shareQuotas: () => [],
    allowQuotas: () => {},
  }
}

test('quota counts survive a restart, the newest of each key', async () => {
  const path = join(directory, 'restart.db')
  const first = counters()
  const store = openRecordStore(path)
  const keeper = createQuotaKeeper(first, store.quotas, createClock())
  first.changed.push(row('a', 1, 5), row('b', 1, 1))
  await keeper.save()
  first.changed.push(row('a', 2, 1))
  await keeper.save()
  await store.close()
  const reopened = openRecordStore(path)
  const second = counters()
  await createQuotaKeeper(second, reopened.quotas, createClock()).load()
  assert.deepEqual(second.imported, [row('a', 2, 1), row('b', 1, 1)])
  await reopened.close()
})

test('counts that the store refused are stored with the next change', async () => {
  const store = openRecordStore(join(directory, 'refused.db'))
  const changing = counters()
  let refuse = true
  const keeper = createQuotaKeeper(
    changing,
    {
      shared: null,
      load: store.quotas.load,
      prune: async () => {},
      save: async (rows) => {
        if (refuse) throw new Error('full')
        await store.quotas.save(rows)
      },
    },
    createClock(),
  )
  changing.changed.push(row('a', 1, 1), row('b', 1, 1))
  await assert.rejects(keeper.save())
  refuse = false
  changing.changed.push(row('a', 1, 2))
  await keeper.save()
  assert.deepEqual(
    (await store.quotas.load()).map(({ key, count }) => [key, count]),
    [
      ['a', 2],
      ['b', 1],
    ],
  )
  await store.close()
})

test('a count that changed while an older one was refused is the one that is stored', async () => {
  const changing = counters()
  const stored: QuotaRow[] = []
  const refusal = Promise.withResolvers<void>()
  let refusing = true
  const keeper = createQuotaKeeper(
    changing,
    {
      shared: null,
      load: async () => [],
      prune: async () => {},
      save: async (rows) => {
        if (refusing) await refusal.promise
        stored.push(...rows)
      },
    },
    createClock(),
  )
  changing.changed.push(row('a', 1, 1))
  const first = keeper.save()
  changing.changed.push(row('a', 1, 2))
  await keeper.save()
  refusal.reject(new Error('full'))
  await assert.rejects(first)
  refusing = false
  await keeper.save()
  assert.deepEqual(stored, [row('a', 1, 2)])
})

test('a count is forgotten when its period ended long ago by the clock and it was not saved for long', async () => {
  const store = openRecordStore(join(directory, 'prune.db'))
  const now = Date.now()
  const recent = row('recent', now - 31 * DAY_MS, 1)
  const old = row('old', now - 33 * DAY_MS, 1)
  await store.quotas.save([recent, old])
  for (let turn = 0; turn < 3; turn++) await store.quotas.prune(now - 32 * DAY_MS, 3)
  assert.deepEqual(await store.quotas.load(), [old, recent])
  await store.quotas.prune(now - 32 * DAY_MS, 3)
  assert.deepEqual(await store.quotas.load(), [recent])
  await store.close()
})

test('a clock that is 500 days ahead for a minute makes no count forgotten', async () => {
  const store = openRecordStore(join(directory, 'ahead.db'))
  const first = counters()
  const cell = createClockCell()
  const keeper = createQuotaKeeper(first, store.quotas, createClock(cell))
  const today = row('today', Date.now(), 5)
  first.changed.push(today)
  await keeper.save()
  moveClock(cell, 500 * DAY_MS)
  await keeper.prune()
  assert.deepEqual(await store.quotas.load(), [today])
  await store.close()
})

test('what is counted is stored within a second, also after the store refused it, and once more at the end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const changing = counters()
  const stored: string[] = []
  const told: (string | null)[] = []
  let refuse = false
  const store = {
    shared: null,
    load: async () => [],
    prune: async () => {},
    save: async (rows: readonly QuotaRow[]) => {
      if (refuse) throw new Error('full')
      stored.push(...rows.map(({ key }) => key))
    },
  }
  const end = createQuotaKeeper(changing, store, createClock()).keepSaving((error) => told.push(error))
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms)
    await new Promise((done) => setImmediate(done))
  }
  changing.changed.push(row('a', 1, 1))
  await pass(999)
  assert.deepEqual(stored, [])
  await pass(1)
  assert.deepEqual(stored, ['a'])
  refuse = true
  changing.changed.push(row('b', 1, 1))
  await pass(1000)
  refuse = false
  await pass(1000)
  assert.deepEqual(stored, ['a', 'b'])
  changing.changed.push(row('c', 1, 1))
  await end()
  await pass(5000)
  assert.deepEqual(stored, ['a', 'b', 'c'])
  assert.deepEqual(told, [null, 'full', null, null])
})

test('what is counted during the last saving is stored too', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const changing = counters()
  const stored: string[] = []
  let finish = (): void => {}
  const store = {
    shared: null,
    load: async () => [],
    prune: async () => {},
    save: async (rows: readonly QuotaRow[]) => {
      if (stored.length === 0) await new Promise<void>((done) => (finish = done))
      stored.push(...rows.map(({ key }) => key))
    },
  }
  const end = createQuotaKeeper(changing, store, createClock()).keepSaving(() => {})
  changing.changed.push(row('a', 1, 1))
  t.mock.timers.tick(1000)
  const ended = end()
  changing.changed.push(row('b', 1, 1))
  finish()
  await ended
  assert.deepEqual(stored, ['a', 'b'])
})
