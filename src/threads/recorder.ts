/**
 * The recorder thread: takes batches of records from gateway threads, stores them, forgets old ones and keeps the
 * counts of quotas. It has no other work, so that nothing it waits for is waited for elsewhere.
 */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import { COUNTER_SLOT } from '../fleet/shared/messages.ts'
import { createCounters } from '../gateway/admit/counters.ts'
import { createIngest } from '../record/ingest.ts'
import type {
  FromRecorder,
  FromRecorderThread,
  RecorderSetup,
  RecorderState,
  ToRecorder,
  ToRecorderThread,
} from '../record/messages.ts'
import { createQuotaKeeper, PRUNE_MS, type QuotaKeeper } from '../record/quotas.ts'
import { PLACES } from '../serve/places.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { threadData } from './data.ts'

const STATE_MS = 1000
const PROBE_MS = 2000

/** How long one deletion may take. */
const REMOVE_MS = 2000

/** How long a flush waits for gateway threads that do not answer. */
const FLUSH_DEADLINE_MS = 250

if (parentPort === null) throw new Error('threads/recorder.ts runs as a worker thread only')
const main = parentPort
const setup = await threadData<RecorderSetup>()
const clock = createClock(setup.clockCell ?? undefined)
const store = await PLACES.records(setup.path).open(setup.readOnly)
const ingest = createIngest(store, setup.environment)
const quotas = setup.counters === null ? null : await keepQuotas(setup.counters)
let quotaError: string | null = null

async function keepQuotas(memory: SharedArrayBuffer): Promise<QuotaKeeper> {
  const counters = createCounters(memory, COUNTER_SLOT.recorder)
  // A recorder that died may have held a lock.
  counters.releaseDead(COUNTER_SLOT.recorder)
  const keeper = createQuotaKeeper(counters, store.quotas, clock)
  store.whenReopened(() => keeper.saveAll())
  // What cannot be read now is read before anything is saved
  await keeper.load().catch((error: unknown) => {
    if (!(error instanceof StoreUnavailable)) throw error
  })
  return keeper
}

interface Giver {
  readonly port: MessagePort
  answered: (id: number) => void
}
const givers = new Set<Giver>()

function toMain(message: FromRecorderThread): void {
  main.postMessage(message)
}

function connect(port: MessagePort): void {
  const giver: Giver = { port, answered: () => {} }
  const reply = (message: FromRecorder): void => port.postMessage(message)
  givers.add(giver)
  port.on('message', (message: ToRecorder) => {
    if (message.kind === 'flushed') giver.answered(message.id)
    else ingest.push(message.batch, () => reply({ kind: 'taken', proved: message.batch.proved }))
  })
  port.on('close', () => {
    givers.delete(giver)
    giver.answered(-1)
  })
}

let flushes = 0

/** Asks every gateway thread for what it holds and stores it. A thread that hangs does not hold up the others. */
async function flush(): Promise<void> {
  const id = ++flushes
  const answers = [...givers].map(
    (giver) =>
      new Promise<void>((done) => {
        const before = giver.answered
        const timer = setTimeout(done, FLUSH_DEADLINE_MS)
        giver.answered = (answered) => {
          before(answered)
          if (answered !== id && answered !== -1) return
          clearTimeout(timer)
          giver.answered = before
          done()
        }
        giver.port.postMessage({ kind: 'flush', id } satisfies FromRecorder)
      }),
  )
  await Promise.all(answers)
  await ingest.settle()
}

let lastState = ''

function reportState(): void {
  const { queued, dropped, lastError } = ingest.state
  const { fault } = store
  const state: RecorderState = {
    queued,
    dropped,
    lastError: lastError ?? quotaError,
    fault: fault && { fault: fault.fault, inner: fault.facts.inner ?? '' },
  }
  const text = JSON.stringify(state)
  if (text === lastState) return
  lastState = text
  toMain({ kind: 'state', state })
}

function prune(): void {
  void ingest.prune(clock.now() - setup.retentionMs, setup.bytesMax)
  // Nothing depends on it: a count that is stored too long changes no answer.
  quotas?.prune().catch(() => {})
}

/** Also deletes what gateway threads hold by now, since callers count on what they have seen. */
async function remove({ id, selection, onlyCount }: ToRecorderThread & { kind: 'remove' }): Promise<void> {
  const end = clock.monotonic() + REMOVE_MS
  try {
    await flush()
    const removal = await ingest.remove(selection, onlyCount, () => clock.monotonic() > end)
    toMain({ kind: 'removed', id, removal })
  } catch (error) {
    toMain({ kind: 'not_removed', id, error: error instanceof Error ? error.message : String(error) })
  }
}

async function stop(): Promise<void> {
  clearInterval(stateTimer)
  clearInterval(pruneTimer)
  clearInterval(probeTimer)
  await flush()
  await endSaving?.()
  reportState()
  await store.close()
  toMain({ kind: 'stopped' })
  for (const { port } of givers) port.close()
  main.close()
}

main.on('message', (message: ToRecorderThread) => {
  if (message.kind === 'connect') connect(message.port)
  else if (message.kind === 'remove') void remove(message)
  else if (message.kind === 'flush') void flush().then(() => toMain({ kind: 'flushed', id: message.id }))
  else void stop()
})
const stateTimer = setInterval(reportState, STATE_MS)
const pruneTimer = setInterval(prune, PRUNE_MS)
const probeTimer = setInterval(() => void store.probe().then(reportState), PROBE_MS)
const endSaving = quotas?.keepSaving((error) => {
  quotaError = error
})
prune()
reportState()
toMain({ kind: 'ready' })
