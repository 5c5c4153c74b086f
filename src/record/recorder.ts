/**
 * The work of the recorder thread: takes batches from gateway threads, stores them, deletes old ones and keeps the counts of
 * quotas.
 *
 * 1. A question of the main thread waits until the gateway threads have handed over what they hold, at most
 *    `FLUSH_DEADLINE_MS`: a thread that hangs does not delay the others.
 * 2. A removal also removes what gateway threads held when it was requested.
 */
import type { MessagePort } from 'node:worker_threads'
import { agingOf, type Clock } from '../base/clock.ts'
import { createQuestions } from '../base/threads/in-line.ts'
import type { LastingRecordStore } from '../store/ports/records.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { createIngest } from './ingest.ts'
import type {
  FromRecorder,
  FromRecorderThread,
  RecorderSetup,
  RecorderState,
  ToRecorder,
  ToRecorderThread,
} from './messages.ts'
import { createQuotaKeeper, PRUNE_MS, type QuotaCounters, type QuotaKeeper } from './quotas.ts'
import { createRecentRecords } from './recent.ts'
import { RollupKeeper } from './rollup/keeper.ts'

const STATE_MS = 1000
const PROBE_MS = 2000
/** As for the configuration: a probe that takes longer shows. */
const SLOW_MS = 2000

/** Between two additions to the rollups. Until then questions read the records themselves. */
const COUNT_MS = 15_000

/** How long one deletion may take. */
const REMOVE_MS = 2000

/** How long a flush waits for gateway threads that do not answer. */
const FLUSH_DEADLINE_MS = 250

export interface RecorderParts {
  readonly store: LastingRecordStore
  /** Of quotas, shared with gateway threads; null where none are kept. */
  readonly counters: QuotaCounters | null
  readonly clock: Clock
  readonly toMain: (message: FromRecorderThread) => void
  /** The thread has nothing left to do. */
  readonly ended: () => void
}

/** Begins to record. Gives what takes the messages of the main thread. */
export async function startRecording(
  setup: Pick<RecorderSetup, 'environment' | 'retentionMs' | 'bytesMax'>,
  { store, counters, clock, toMain, ended }: RecorderParts,
): Promise<(message: ToRecorderThread) => void> {
  const recent = createRecentRecords()
  const aging = agingOf(clock)
  const rollups = new RollupKeeper(store, clock.now, aging.now)
  store.whenReopened(() => rollups.forget())
  const ingest = createIngest(store, setup.environment, recent.add, rollups)
  const quotas = counters === null ? null : await keepQuotas(counters, store, clock)
  let quotaError: string | null = null
  /** The ports of gateway threads. */
  const givers = new Set<MessagePort>()
  const flushing = createQuestions<void, MessagePort>(() => {})
  let lastState = ''
  /** Milliseconds of the last probe, where they were too many; else 0. */
  let slowMs = 0

  function connect(port: MessagePort): void {
    const reply = (message: FromRecorder): void => port.postMessage(message)
    givers.add(port)
    port.on('message', (message: ToRecorder) => {
      if (message.kind === 'flushed') flushing.answered(message.id)
      else ingest.push(message.batch, () => reply({ kind: 'taken', proved: message.batch.proved }))
    })
    port.on('close', () => {
      givers.delete(port)
      flushing.ended(port)
    })
  }

  /** Asks every gateway thread for what it holds and stores it. */
  async function flush(): Promise<void> {
    const answers = [...givers].map((port) =>
      flushing.ask(
        FLUSH_DEADLINE_MS,
        (id) => port.postMessage({ kind: 'flush', id } satisfies FromRecorder),
        port,
      ),
    )
    await Promise.all(answers)
    await ingest.settle()
  }

  function reportState(): void {
    const { queued, dropped, lastError } = ingest.state
    const { fault } = store
    const state: RecorderState = {
      queued,
      dropped,
      lastError: lastError ?? quotaError,
      fault:
        fault === null && slowMs > 0
          ? { fault: 'slow', inner: `a write took ${slowMs} ms. Request records wait in memory.` }
          : fault && { fault: fault.fault, inner: fault.facts.inner ?? '' },
    }
    const text = JSON.stringify(state)
    if (text === lastState) return
    lastState = text
    toMain({ kind: 'state', state })
  }

  async function probe(): Promise<void> {
    const begun = performance.now()
    await store.probe()
    const ms = Math.round(performance.now() - begun)
    slowMs = ms > SLOW_MS ? ms : 0
    reportState()
  }

  function prune(): void {
    void ingest.prune(aging.now() - setup.retentionMs, setup.bytesMax)
    // Nothing depends on it: a count that is stored too long changes no answer.
    quotas?.prune().catch(() => {})
  }

  /** Also deletes what gateway threads hold by now, since callers count on what they have seen. */
  async function remove({ id, selection, onlyCount }: ToRecorderThread & { kind: 'remove' }): Promise<void> {
    const end = clock.monotonic() + REMOVE_MS
    try {
      await flush()
      const removal = await ingest.remove(selection, onlyCount, () => clock.monotonic() > end)
      if (!onlyCount) recent.clear()
      toMain({ kind: 'removed', id, removal })
    } catch (error) {
      toMain({ kind: 'not_removed', id, error: error instanceof Error ? error.message : String(error) })
    }
  }

  async function stop(): Promise<void> {
    clearInterval(stateTimer)
    clearInterval(countTimer)
    clearInterval(pruneTimer)
    clearInterval(probeTimer)
    await flush()
    await endSaving?.()
    reportState()
    await store.close()
    toMain({ kind: 'stopped' })
    for (const port of givers) port.close()
    ended()
  }

  const stateTimer = setInterval(reportState, STATE_MS)
  const countTimer = setInterval(() => ingest.count(), COUNT_MS)
  const pruneTimer = setInterval(prune, PRUNE_MS)
  const probeTimer = setInterval(() => void probe(), PROBE_MS)
  const endSaving = quotas?.keepSaving((error) => {
    quotaError = error
  })
  prune()
  ingest.count()
  reportState()
  return (message) => {
    switch (message.kind) {
      case 'connect':
        return connect(message.port)
      case 'remove':
        return void remove(message)
      case 'follow':
        return void recent
          .follow(message.filter, message.waitMs)
          .then((records) => toMain({ kind: 'followed', id: message.id, records }))
      case 'flush':
        return void flush().then(() => toMain({ kind: 'flushed', id: message.id }))
      case 'stop':
        return void stop()
    }
  }
}

async function keepQuotas(
  counters: QuotaCounters,
  store: LastingRecordStore,
  clock: Clock,
): Promise<QuotaKeeper> {
  const keeper = createQuotaKeeper(counters, store.quotas, clock)
  store.whenReopened(() => keeper.saveAll())
  // What cannot be read now is read before anything is saved
  await keeper.load().catch((error: unknown) => {
    if (!(error instanceof StoreUnavailable)) throw error
  })
  return keeper
}
