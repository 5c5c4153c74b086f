import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { SnapshotDelta } from '../snapshot/fragments.ts'
import { startGateways } from './gateways.ts'
import { type GatewayInit, HEALTH } from './messages.ts'

const delta = (revision: number): SnapshotDelta => ({ revision, full: false, put: [], drop: [] })

/** One gateway thread that applies a change when it is let. */
async function startLate(context: TestContext) {
  const cells = new Int32Array(new SharedArrayBuffer(8))
  const health = new SharedArrayBuffer(HEALTH.cells * Int32Array.BYTES_PER_ELEMENT)
  const gateways = await startGateways(
    {
      count: 1,
      start: (init) =>
        new Worker(new URL('../../test/programs/gateway-late.ts', import.meta.url), { workerData: init }),
      // The late thread reads nothing else of it.
      init: { health, counters: cells.buffer } as Omit<GatewayInit, 'slot'>,
      connectRecorder: () => () => {},
      releaseDead: () => {},
      keySets: async () => ({ ok: false, reason: 'no issuer' }),
      log: () => {},
    },
    delta(1),
  )
  context.after(() => gateways.close())
  return { cells, gateways }
}

test('a change is published when every thread has applied it, and not before', async (context) => {
  const { cells, gateways } = await startLate(context)
  let settled = false
  const published = gateways.publish(delta(2)).finally(() => {
    settled = true
  })
  await Atomics.waitAsync(cells, 0, 1).value
  await turn()
  assert.equal(settled, false)
  Atomics.store(cells, 1, 1)
  Atomics.notify(cells, 1)
  assert.deepEqual(await published, { pending: false })
})

test('a thread that does not apply a change in time leaves it pending', async (context) => {
  const { gateways } = await startLate(context)
  assert.deepEqual(await gateways.publish(delta(2)), { pending: true })
})
