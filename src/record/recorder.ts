/**
 * The work of the recorder thread: takes batches from gateway threads, stores them, deletes old ones and keeps the counts of
 * quotas.
 *
 * 1. A question of the main thread waits until the gateway threads have handed over what they hold, at most
 *    `FLUSH_DEADLINE_MS`: a thread that hangs does not delay the others.
 * 2. A removal also removes what gateway threads held when it was requested.
 */

import { randomBytes } from 'node:crypto'
import type { MessagePort } from 'node:worker_threads'
import { agingOf, type Clock } from '../base/clock.ts'
import { createQuestions } from '../base/threads/in-line.ts'
import type { LastingRecordStore, RecordBlock } from '../store/ports/records.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { readBlock } from './block.ts'
import { compileFilter } from './block-filter.ts'
import { createIngest } from './ingest.ts'
import type {
  FollowedRecords,
  FromRecorder,
  FromRecorderThread,
  NodeGroup,
  RecorderSetup,
  RecorderState,
  ToRecorder,
  ToRecorderThread,
} from './messages.ts'
import { createQuotaKeeper, PRUNE_MS, type QuotaCounters, type QuotaKeeper } from './quota-keeper.ts'
import type { RecordFilter } from './record-selection.ts'
import { RollupKeeper } from './rollup/keeper.ts'
import { toRecord } from './search.ts'

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
  setup: Pick<RecorderSetup, 'environment' | 'retentionMs' | 'bytesMax' | 'nodes'>,
  { store, counters, clock, toMain, ended }: RecorderParts,
): Promise<(message: ToRecorderThread) => void> {
  const recent = createRecentRecords()
  const aging = agingOf(clock)
  const rollups = new RollupKeeper(store, clock.now, aging.now)
  store.whenReopened(() => rollups.forget())
  store.whenUpkeepChanged(() => rollups.forget())
  const ingest = createIngest(store, setup.environment, recent.add, rollups)
  const quotas = counters === null ? null : await keepQuotas(counters, store, clock, setup.nodes)
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
      case 'nodes':
        return quotas?.setNodes(message.nodes)
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
  nodes: NodeGroup | null,
): Promise<QuotaKeeper> {
  const keeper = createQuotaKeeper(counters, store.quotas, clock)
  if (nodes !== null) keeper.setNodes(nodes)
  store.whenReopened(() => keeper.saveAll())
  // What cannot be read now is read before anything is saved
  await keeper.load().catch((error: unknown) => {
    if (!(error instanceof StoreUnavailable)) throw error
  })
  return keeper
}

// The latest records in the order in which they were stored, for callers that follow them. A list is in the order in which
// requests began: a slow request would come before records that the follower has already seen.
//
// 1. Bytes are bounded. The oldest blocks make room, and a slower reader is told that it missed some.
// 2. A record is given once. A cursor is the place after the last row that was examined.

/** Of the blocks that are kept. */
const BYTES_MAX = 4 * 1024 * 1024

interface Kept {
  readonly block: RecordBlock
  readonly bytes: number
}

export interface RecentRecords {
  /** Adds blocks that were stored. */
  add(blocks: readonly RecordBlock[]): void
  /** Forgets all: records were deleted. Followers are told that they missed some. */
  clear(): void
  /** Those that fit, of all that were stored after the place `filter.cursor`. Without a cursor, the place is the end. */
  read(filter: RecordFilter): FollowedRecords
  /** As `read`; if nothing fits, waits up to `waitMs` milliseconds for a record that does. */
  follow(filter: RecordFilter, waitMs: number): Promise<FollowedRecords>
}

/** A row of a block, by the number of the block since the start. */
interface Place {
  readonly block: number
  readonly row: number
}

/** @param bytesMax of the blocks that are kept */
export function createRecentRecords(bytesMax = BYTES_MAX): RecentRecords {
  // A place of another process, or of a recorder that died, is none here
  const run = randomBytes(6).toString('hex')
  let kept: Kept[] = []
  /** Number of the first block that is kept. */
  let first = 0
  let bytes = 0
  const waiting = new Set<() => void>()

  const end = (): Place => ({ block: first + kept.length, row: 0 })
  const toCursor = ({ block, row }: Place): string => `${run}.${block}.${row}`
  const parse = (cursor: string): Place | null => {
    const [, of, block, row] = /^([0-9a-f]{12})\.([0-9]{1,15})\.([0-9]{1,9})$/.exec(cursor) ?? []
    const place = { block: Number(block), row: Number(row) }
    return of === run && place.block >= first && place.block <= first + kept.length ? place : null
  }

  const read = (filter: RecordFilter): FollowedRecords => {
    if (filter.cursor == null) return { items: [], next_cursor: toCursor(end()), missed: false }
    const match = compileFilter(filter)
    const from = parse(filter.cursor)
    const items: FollowedRecords['items'] = []
    let { block, row } = from ?? { block: first, row: 0 }
    for (; block < first + kept.length; block++, row = 0) {
      const { block: stored } = kept[block - first]!
      const rows = readBlock(stored)
      const fits = match.on(rows)
      if (fits === null) continue
      for (; row < rows.count; row++) {
        if (!fits(row)) continue
        if (items.length === filter.limit)
          return { items, next_cursor: toCursor({ block, row }), missed: from === null }
        items.push(toRecord({ fields: rows.fields(row), environment: stored.environment }))
      }
    }
    return { items, next_cursor: toCursor(end()), missed: from === null }
  }

  const added = (waitMs: number): Promise<void> =>
    new Promise((done) => {
      const finish = (): void => {
        clearTimeout(timer)
        waiting.delete(finish)
        done()
      }
      const timer = setTimeout(finish, waitMs)
      waiting.add(finish)
    })

  return {
    add(blocks) {
      for (const block of blocks) {
        const size = block.words.length + block.numbers.length + block.text.length
        kept.push({ block, bytes: size })
        bytes += size
      }
      while (bytes > bytesMax && kept.length > 0) {
        bytes -= kept.shift()!.bytes
        first++
      }
      for (const wake of [...waiting]) wake()
    },
    clear() {
      first += kept.length + 1
      kept = []
      bytes = 0
      for (const wake of [...waiting]) wake()
    },
    read,
    async follow(filter, waitMs) {
      const until = performance.now() + waitMs
      for (let page = read(filter); ; page = read({ ...filter, cursor: page.next_cursor })) {
        const left = until - performance.now()
        if (page.items.length > 0 || page.missed || left <= 0) return page
        await added(left)
      }
    },
  }
}
