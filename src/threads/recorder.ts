/**
 * Owns the records store: stores request records and quotas, adds records up by minute, hour and day, and keeps the latest records for
 * followers. One for the process. It has no other work, so no other work waits for the disk with it. Rules: `record/recorder.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import { COUNTER_SLOT } from '../fleet/shared/messages.ts'
import { createCounters } from '../gateway/admit/counters.ts'
import type { RecorderSetup } from '../record/messages.ts'
import { startRecording } from '../record/recorder.ts'
import { placesOf } from '../serve/places.ts'
import { threadData } from './data.ts'

if (parentPort === null) throw new Error('threads/recorder.ts runs as a worker thread only')
const main = parentPort
const setup = await threadData<RecorderSetup>()
const store = await placesOf(setup.database).records(setup.path).open(setup.readOnly, setup.nodes?.self)
const counters = setup.counters === null ? null : createCounters(setup.counters, COUNTER_SLOT.recorder)
// A recorder that died may have held a lock.
counters?.releaseDead(COUNTER_SLOT.recorder)
const heard = await startRecording(setup, {
  store,
  counters,
  clock: createClock(setup.clockCell ?? undefined),
  toMain: (message) => main.postMessage(message),
  ended: () => main.close(),
})
main.on('message', heard)
main.postMessage({ kind: 'ready' })
