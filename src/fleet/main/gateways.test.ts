import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { eventually } from '../../../test/support/eventually.ts'
import { createClock } from '../../base/clock.ts'
import { IdempotencyMemory, KEYS_BOUNDS } from '../../gateway/idempotency/keys.ts'
import { createOriginSessionMemory } from '../../shared-state/memory/origin-sessions.ts'
import { PackedFragments, type TextDelta } from '../../snapshot/packed-fragments.ts'
import { type GatewayInit, HEALTH, REPLACEMENTS } from '../shared/messages.ts'
import { readinessOf } from '../shared/readiness.ts'
import { startGateways } from './gateways.ts'

const delta = (revision: number): TextDelta => ({ revision, full: false, put: [], drop: [] })

/** Gateway threads that apply what comes after the first snapshot of the first when they are let. */
function starting(count: number, lookMs?: number, startMs?: number) {
  const cells = new Int32Array(new SharedArrayBuffer(lookMs === undefined ? 8 : 12))
  if (startMs !== undefined) Atomics.store(cells, 2, 1)
  const log: string[] = []
  const health = new SharedArrayBuffer(HEALTH.cells * Int32Array.BYTES_PER_ELEMENT)
  const started = startGateways(
    {
      count,
      start: (init) =>
        new Worker(new URL('../../../test/programs/gateway-late.ts', import.meta.url), { workerData: init }),
      // The late thread reads nothing else of it.
      init: { health, counters: cells.buffer } as Omit<GatewayInit, 'slot'>,
      connectRecorder: () => () => {},
      releaseDead: () => {},
      keys: new IdempotencyMemory({ ...KEYS_BOUNDS, now: Date.now }),
      once: null,
      keySets: async () => ({ ok: false, reason: 'no issuer' }),
      prove: async () => null,
      signIn: async () => ({ ok: false, code: 'credential_invalid', reason: 'none' }),
      connection: async () => ({
        ok: false,
        code: 'credential_unavailable',
        reason: 'none',
        page: null,
      }),
      consoleCaller: async () => ({ ok: false, code: 'credential_invalid', detail: 'none' }),
      originSessions: createOriginSessionMemory(createClock()),
      deliver: () => {},
      originNews: () => {},
      originFailed: () => {},
      refusedCallers: () => {},
      taken: () => {},
      log: (_, line) => log.push(line),
      ...(lookMs === undefined ? {} : { lookMs }),
      ...(startMs === undefined ? {} : { startMs }),
    },
    { revision: 1, fragments: PackedFragments.NONE },
  )
  const letApply = (upTo: number): void => {
    Atomics.store(cells, 1, upTo)
    Atomics.notify(cells, 1)
  }
  return { cells, started, letApply, log, health: new Int32Array(health) }
}

/** Threads that were replaced, by the reason. */
function replacements(health: Int32Array): Record<string, number> {
  return Object.fromEntries(
    REPLACEMENTS.map((reason, index) => [reason, Atomics.load(health, HEALTH.replaced + index)]),
  )
}

async function startLate(context: TestContext) {
  const { cells, started, letApply } = starting(1)
  const gateways = await started
  context.after(() => gateways.close())
  return { cells, gateways, letApply }
}

test('a change is published when its thread has applied it, and not before', async (context) => {
  const { cells, gateways, letApply } = await startLate(context)
  let settled = false
  const published = gateways.publish(delta(2)).finally(() => {
    settled = true
  })
  await Atomics.waitAsync(cells, 0, 1).value
  await turn()
  assert.equal(settled, false)
  letApply(1)
  assert.deepEqual(await published, { pending: false })
})

test('a second change of one revision is waited for like any other', async (context) => {
  const { gateways, letApply } = await startLate(context)
  letApply(1)
  assert.deepEqual(await gateways.publish(delta(2)), { pending: false })
  assert.deepEqual(await gateways.publish(delta(2)), { pending: true })
})

test('a thread that does not apply a change in time leaves it pending', async (context) => {
  const { gateways } = await startLate(context)
  assert.deepEqual(await gateways.publish(delta(2)), { pending: true })
})

test('the instance is ready once every thread listens, and stays so while one is replaced', async (context) => {
  const { started, letApply, health } = starting(2)
  Atomics.store(health, HEALTH.recorder, 1)
  Atomics.store(health, HEALTH.store, 1)
  const states = (): unknown[] => {
    const { ready, status, threads, workers } = readinessOf(health, true, 0)
    return [ready, status, threads, workers]
  }
  assert.deepEqual(states(), [false, 'fail', 0, 2])
  await eventually(() => Atomics.load(health, HEALTH.threads) === 1)
  assert.deepEqual(states(), [false, 'fail', 1, 2])
  letApply(1)
  const gateways = await started
  context.after(() => gateways.close())
  assert.deepEqual(states(), [true, 'pass', 2, 2])
  assert.equal(readinessOf(health, false, 0).ready, false)
  assert.equal(readinessOf(health, true, 1).status, 'warn')

  const replaced = gateways.kill(0)
  await eventually(() => Atomics.load(health, HEALTH.threads) === 1)
  assert.deepEqual(states(), [true, 'warn', 1, 2])
  letApply(2)
  await replaced
  assert.deepEqual(states(), [true, 'pass', 2, 2])
  Atomics.store(health, HEALTH.draining, 1)
  assert.deepEqual(states(), [false, 'fail', 2, 2])
})

test('a thread that spins fails readiness, is ended and replaced, and the replacement serves', async (context) => {
  const { cells, started, letApply, log, health } = starting(2, 300)
  Atomics.store(health, HEALTH.recorder, 1)
  Atomics.store(health, HEALTH.store, 1)
  letApply(1)
  const gateways = await started
  context.after(() => gateways.close())
  letApply(100)
  const isReady = (): boolean => readinessOf(health, true, 0).ready
  assert.equal(isReady(), true)
  Atomics.store(cells, 2, 1)
  void gateways.publish(delta(2))
  await eventually(() => readinessOf(health, true, 0).stalled === 2)
  assert.equal(isReady(), false)
  await eventually(() => log.some((line) => line.includes('gateway thread 0 hangs')))
  Atomics.store(cells, 2, 0)
  await eventually(isReady)
  await eventually(() => log.some((line) => line.includes('gateway thread 0 is back')))
  assert.deepEqual(replacements(health), { died: 0, hung: 2, start_timeout: 0 })
  assert.deepEqual(await gateways.publish(delta(3)), { pending: false })
})

test('a thread that hangs before it listens is ended, named in the log and replaced', async (context) => {
  const { cells, started, letApply, log, health } = starting(1, 300, 4000)
  letApply(100)
  await eventually(() =>
    log.some((line) => line.includes('gateway thread 0 does not listen 4 seconds after')),
  )
  Atomics.store(cells, 2, 0)
  const gateways = await started
  context.after(() => gateways.close())
  assert.equal(Atomics.load(health, HEALTH.threads), 1)
  const { died, hung, start_timeout: late } = replacements(health)
  assert.deepEqual([died, hung], [0, 0])
  assert.ok(late === 1 || late === 2, `${late}`)
})
