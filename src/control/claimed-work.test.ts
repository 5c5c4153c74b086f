import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openConfigStore } from '../store/sqlite/config.ts'
import { createClaimedWork } from './claimed-work.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-claims-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const MINUTE_MS = 60_000

test('of the timers of two processes on one store, one does the work of each period, whatever they jitter', async () => {
  const file = join(directory, 'two.db')
  const store = openConfigStore(file)
  let now = 1_800_000_000_000
  const timers = [0, 1].map(() => createClaimedWork(store, { now: () => now }))
  const done: string[] = []
  const fire = (index: number, name: string): Promise<void> =>
    timers[index]!(name, MINUTE_MS, () => done.push(`${name} ${index}`))
  for (let period = 0; period < 5; period++) {
    const start = 1_800_000_000_000 + period * MINUTE_MS
    // The first of them comes up to 1 s early or late
    now = start + ((period * 700) % 2000) - 1000
    await fire(period % 2, 'a')
    now = start + 20_000
    await fire((period + 1) % 2, 'a')
  }
  assert.deepEqual(done, ['a 0', 'a 1', 'a 0', 'a 1', 'a 0'])
  now += MINUTE_MS
  await Promise.all([fire(0, 'a'), fire(1, 'a'), fire(0, 'b'), fire(1, 'b')])
  assert.deepEqual(
    done
      .slice(5)
      .map((one) => one[0])
      .sort(),
    ['a', 'b'],
    'claims are by name, also at once',
  )
  await store.close()
})

test('a fault of the work is told, and the next period does it again', async () => {
  const store = openConfigStore(join(directory, 'fault.db'))
  let now = 1_800_000_000_000
  const timer = createClaimedWork(store, { now: () => now })
  const fail = () => Promise.reject(new Error('no room'))
  await assert.rejects(timer('a', MINUTE_MS, fail), /no room/)
  await timer('a', MINUTE_MS, fail)
  now += MINUTE_MS
  await assert.rejects(timer('a', MINUTE_MS, fail), /no room/)
  await store.close()
})

test('without a store nothing is done', async () => {
  await createClaimedWork(null, { now: () => 0 })('a', MINUTE_MS, () => assert.fail('done'))
})
