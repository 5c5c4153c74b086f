import assert from 'node:assert/strict'
import { afterEach, mock, test } from 'node:test'
import { type Probed, StoreUnavailable } from '../../store/ports/unavailable.ts'
import { HEALTH } from '../shared/messages.ts'
import { readinessOf } from '../shared/readiness.ts'
import { keepHealth, type WatchedStores } from './store-health.ts'

const parts: AsyncDisposableStack[] = []
afterEach(async () => {
  mock.restoreAll()
  for (const one of parts.splice(0)) await one.disposeAsync()
})

const WELL: Probed = { fault: null, probe: async () => {} }

/** An instance whose gateway threads listen, with these stores. */
function instance(stores: Partial<WatchedStores>, clock = { now: () => 0, monotonic: () => 0 }) {
  const log: string[] = []
  const stack = new AsyncDisposableStack()
  parts.push(stack)
  const health = new SharedArrayBuffer(HEALTH.cells * Int32Array.BYTES_PER_ELEMENT)
  const cells = new Int32Array(health)
  for (const cell of [HEALTH.threads, HEALTH.workers, HEALTH.started]) Atomics.store(cells, cell, 1)
  const { checked } = keepHealth(
    {
      parts: stack,
      clock,
      fault: (error) => log.push(String(error)),
      log: (level, message) => log.push(`${level} ${message}`),
    },
    {
      store: WELL,
      fault: null,
      recorder: {
        state: { running: true, queued: 0, dropped: 0, lastError: null },
        watch: () => {},
      },
      lastGood: WELL,
      keptKeys: WELL,
      vaultKey: WELL,
      health,
      ...stores,
    },
  )
  return { log, checked, ready: () => readinessOf(cells, true, 0) }
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

test('the first look is at once, so that a store that cannot be used shows as soon as the instance is ready', async () => {
  let store: Probed['fault'] = null
  const { ready } = instance({
    store: {
      get fault() {
        return store
      },
      async probe() {
        store = new StoreUnavailable('disk_full', 'config.db')
      },
    },
  })
  await turn()
  const { status, stores } = ready()
  assert.deepEqual([status, stores.config], ['warn', 'disk_full'])
})

test('a probe that takes more than two seconds shows as slow, and the log says so', async () => {
  let ms = 0
  mock.method(performance, 'now', () => ms)
  const { log, ready } = instance({
    store: {
      fault: null,
      async probe() {
        ms += 2500
      },
    },
  })
  await turn()
  const { ready: isReady, status, store, stores } = ready()
  assert.deepEqual([isReady, status, store, stores.config], [true, 'warn', true, 'slow'])
  assert.match(log.join(), /^error config\.db is slow: a write took 2500 ms/)
})

test('while a write blocks the main thread, the other threads show the store as slow', async () => {
  let ms = 1000n
  mock.method(process.hrtime, 'bigint', () => ms * 1_000_000n)
  const { ready } = instance({})
  await turn()
  ms += 4000n
  assert.deepEqual([ready().status, ready().stores.config], ['pass', null])
  ms += 1n
  assert.deepEqual([ready().status, ready().stores.config], ['warn', 'slow'])
})

test('a fault of the key file shows, and the log says what to do', async () => {
  const missing = new StoreUnavailable('missing', '/data/vault.key is missing')
  const { log, ready } = instance({ vaultKey: { fault: missing, probe: async () => {} } })
  await turn()
  assert.deepEqual([ready().status, ready().stores.key], ['warn', 'missing'])
  assert.match(
    log.join(),
    /key file cannot be used \(missing\): \/data\/vault\.key is missing.*next start is refused/,
  )
})

test('damage that a check of a whole file finds shows until a check finds none, whatever probes say', async () => {
  mock.timers.enable({ apis: ['setInterval'] })
  const { log, ready, checked } = instance({})
  await turn()
  checked('config', 'Tree 9 page 12: btreeInitPage() returns error code 11')
  for (let looks = 0; looks < 2; looks++) {
    const { ready: isReady, status, store, stores } = ready()
    assert.deepEqual([isReady, status, store, stores.config], [true, 'warn', true, 'damaged'])
    mock.timers.tick(1000)
    await turn()
  }
  checked('config', null)
  assert.deepEqual([ready().status, ready().stores.config], ['pass', null])
  assert.equal(log.length, 2)
  assert.match(log[0]!, /^error config\.db is damaged: Tree 9 page 12.*postern restore --force/)
  mock.timers.reset()
})

test('a clock that moves by more than an hour is told of once, and one that moves less is not', async () => {
  mock.timers.enable({ apis: ['setInterval'] })
  let wall = 0
  let passed = 0
  const { log } = instance({}, { now: () => wall, monotonic: () => passed })
  const look = async (jump: number): Promise<void> => {
    passed += 1000
    wall += 1000 + jump
    mock.timers.tick(1000)
    await turn()
  }
  await turn()
  for (const jump of [0, 3_600_000, -3_600_000]) await look(jump)
  assert.deepEqual(log, [])
  for (const jump of [500 * 24 * 3_600_000, 0, -7_200_000, 0]) await look(jump)
  assert.equal(log.length, 2)
  assert.match(log[0]!, /clock of this machine moved forward by 720000 minutes/)
  assert.match(log[1]!, /clock of this machine moved back by 120 minutes: it was set\./)
  mock.timers.reset()
})
