/**
 * Stores batches of records. Rows of callers without a proven credential are in blocks of their own and have their own share
 * of the store, so a flood evicts no records of other callers.
 */
import type { RecordBlock, RecordStore } from '../store/ports/records.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { createBatchWriter, type RecordBatch } from './batch.ts'
import { mergeBlocks, readBlock, toBlock } from './block.ts'
import { compileFilter, type Match } from './block-filter.ts'
import { BLOCK_ROWS_MAX } from './fields.ts'
import type { RecorderState, Removal } from './messages.ts'
import type { RecordSelection } from './record-selection.ts'
import { RollupKeeper } from './rollup/keeper.ts'

/** Rows after which a transaction is closed, and those of them that callers who have proved nothing get when there are more. */
const TRANSACTION_ROWS = 2000
const UNPROVED_ROWS = 500

/** Wait before the store is tried again after it refused. */
const RETRY_MS = 250

/** Blocks below this many rows are gathered into larger ones, once there are this many of them. */
const SMALL_ROWS = 128
const SMALL_BLOCKS = 32

/** Part of the bytes of the store that records of callers who have proved nothing keep when it is full. */
const UNPROVED_BYTES = 0.25

/** Blocks deleted at a time, so that a large clean-up does not delay new rows. */
const PRUNE_BLOCKS = 64

interface Removing {
  readonly run: RemovalRun
  readonly isLate: () => boolean
  readonly settle: (removal: Removal) => void
  readonly fail: (error: unknown) => void
}

interface Waiting {
  readonly batch: RecordBatch
  /** Called when the batch was stored or given up; the giver may then hand over another. */
  readonly taken: () => void
}

/** What waits, and the small blocks that are stored, of callers who have proved who they are or of the others. */
interface Share {
  readonly proved: boolean
  readonly queue: Waiting[]
  /** Small blocks stored since the last merge; full from time to time, so that those of earlier runs and of other nodes are looked at. */
  small: number
}

export interface Ingest {
  push(batch: RecordBatch, taken: () => void): void
  /** Resolves when everything pushed so far was stored, given up, or could not be stored for now. */
  settle(): Promise<void>
  /** Deletes what is older than `beforeMs`, and the oldest beyond `bytesMax`, in small steps. */
  prune(beforeMs: number, bytesMax?: number): Promise<void>
  /**
   * Deletes the records that fit, in small steps, as far as it gets until `isLate`. Rejects when the store refuses.
   * @param onlyCount deletes nothing
   */
  remove(selection: RecordSelection, onlyCount: boolean, isLate: () => boolean): Promise<Removal>
  /** Adds to the rollups what they do not count yet, in small steps. */
  count(): void
  readonly state: Omit<RecorderState, 'fault'>
}

/**
 * Feeds a store. Invariants:
 * 1. One use of the store at a time: new rows, merging, deleting and making room take turns.
 * 2. While the store refuses, batches wait here unacknowledged. Their number is bounded by their givers, who stop
 *    at their own bound; so nothing here grows without end.
 * 3. A batch that fails for another reason than an unavailable store is given up alone and counted.
 * 4. Batches of callers who have proved nothing delay those of the others by a part of one transaction at most.
 * @param environment of the instance; blocks of another one are not merged with its own
 * @param stored called with blocks once they are in the store
 * @param rollups count what is stored
 */
export function createIngest(
  store: RecordStore,
  environment: string | null = null,
  stored: (blocks: readonly RecordBlock[]) => void = () => {},
  rollups: RollupKeeper = new RollupKeeper(store, Date.now),
): Ingest {
  const proved: Share = { proved: true, queue: [], small: SMALL_BLOCKS }
  const unproved: Share = { proved: false, queue: [], small: SMALL_BLOCKS }
  const shares = [proved, unproved]
  let queued = 0
  let dropped = 0
  let lastError: string | null = null
  let running: Promise<void> | null = null
  let retry: NodeJS.Timeout | undefined
  let prune: { readonly beforeMs: number; readonly bytesMax: number } | null = null
  let isCounting = false
  const removals: Removing[] = []

  const shareOf = (batch: RecordBatch): Share => (batch.proved ? proved : unproved)
  const isWaiting = (): boolean => shares.some(({ queue }) => queue.length > 0)

  /** Stores batches up to the bound of a transaction. False when the store refuses for now. */
  const storeSome = async (): Promise<boolean> => {
    const first = some(
      proved,
      unproved.queue.length > 0 ? TRANSACTION_ROWS - UNPROVED_ROWS : TRANSACTION_ROWS,
    )
    const taking = [...first, ...some(unproved, TRANSACTION_ROWS - rowsOf(first))]
    try {
      const blocks = taking.map(({ batch }) => toBlock(batch, environment))
      await store.append(blocks)
      stored(blocks)
      lastError = null
      for (const { batch } of taking) if (batch.rows < SMALL_ROWS) shareOf(batch).small++
    } catch (error) {
      lastError = reasonOf(error)
      if (error instanceof StoreUnavailable) return false
      if (taking.length > 1) await storeEach(taking)
      else dropped += rowsOf(taking)
    }
    finish(taking)
    return true
  }

  /** One by one, so that a batch that cannot be stored takes no other with it. Shortens `taking` to what is done. */
  const storeEach = async (taking: Waiting[]): Promise<void> => {
    for (const [index, { batch }] of taking.entries()) {
      try {
        const block = toBlock(batch, environment)
        await store.append([block])
        stored([block])
      } catch (error) {
        lastError = reasonOf(error)
        if (error instanceof StoreUnavailable) {
          taking.length = index
          return
        }
        dropped += batch.rows
      }
    }
  }

  const finish = (done: readonly Waiting[]): void => {
    for (const { batch, taken } of done) {
      shareOf(batch).queue.shift()
      queued -= batch.rows
      taken()
    }
  }

  const merge = async (share: Share): Promise<void> => {
    share.small = 0
    // Blocks that are put together must be counted before
    while (!(await rollups.step()));
    const blocks = await store.small(SMALL_ROWS, SMALL_BLOCKS, environment, share.proved)
    if (blocks.length < SMALL_BLOCKS) {
      share.small = blocks.length
      return
    }
    const merged = mergeBlocks(blocks)
    if (merged.rows > BLOCK_ROWS_MAX) throw new Error('a merged block is too large')
    await store.replace(
      blocks.map(({ id }) => id),
      merged,
    )
    share.small = SMALL_BLOCKS // There may be more to merge.
  }

  const pruneSome = async ({ beforeMs, bytesMax }: NonNullable<typeof prune>): Promise<number> => {
    // What is deleted must be counted before
    while (!(await rollups.step()));
    const pruned =
      (await store.prune(beforeMs, PRUNE_BLOCKS)) ||
      (await store.shrink(bytesMax, bytesMax * UNPROVED_BYTES, PRUNE_BLOCKS))
    if (pruned === 0) await rollups.prune(bytesMax)
    return pruned
  }

  /** One step of what is to be deleted first. */
  const removeSome = async (): Promise<void> => {
    const [removing] = removals
    if (removing === undefined) return
    const { run, isLate, settle, fail } = removing
    try {
      // Also before the first step: who asked has been told by then that it took too long
      const late = isLate()
      const isDone = !late && (await run.step())
      if (!isDone && !late) return
      const removal = await run.end(!isDone)
      removals.shift()
      settle(removal)
    } catch (error) {
      removals.shift()
      fail(error)
    }
  }

  const work = async (): Promise<void> => {
    while (isWaiting()) if (!(await storeSome())) return retryLater()
    try {
      // After the rows, and one step each, so that new rows come first again.
      for (const share of shares) if (share.small >= SMALL_BLOCKS) await merge(share)
      if (prune !== null && (await pruneSome(prune)) === 0) prune = null
    } catch (error) {
      lastError = reasonOf(error)
      prune = null
      for (const share of shares) share.small = 0
    }
    await countSome()
    await removeSome()
  }

  const countSome = async (): Promise<void> => {
    if (!isCounting) return
    try {
      if (await rollups.step()) isCounting = false
    } catch (error) {
      lastError = reasonOf(error)
      isCounting = false
    }
  }

  const retryLater = (): void => {
    retry ??= setTimeout(() => {
      retry = undefined
      void start()
    }, RETRY_MS)
  }

  const hasWork = (): boolean =>
    isWaiting() ||
    shares.some(({ small }) => small >= SMALL_BLOCKS) ||
    prune !== null ||
    isCounting ||
    removals.length > 0

  const start = (): Promise<void> => {
    running ??= new Promise<void>((done) => setImmediate(done)).then(work).finally(() => {
      running = null
      if (hasWork() && retry === undefined) void start()
    })
    return running
  }

  return {
    push(batch, taken) {
      shareOf(batch).queue.push({ batch, taken })
      queued += batch.rows
      if (retry === undefined) void start()
    },
    async settle() {
      // The run under way may have begun before the last push; the second one has seen everything.
      if (running !== null) await running
      if (isWaiting()) await start()
    },
    async prune(beforeMs, bytesMax = Number.POSITIVE_INFINITY) {
      prune = { beforeMs, bytesMax }
      for (const share of shares) share.small = SMALL_BLOCKS
      if (retry === undefined) void start()
      while (prune !== null && running !== null) await running
    },
    remove: (selection, onlyCount, isLate) =>
      new Promise((settle, fail) => {
        removals.push({ run: new RemovalRun(store, rollups, selection, onlyCount), isLate, settle, fail })
        if (retry === undefined) void start()
      }),
    count() {
      isCounting = true
      if (retry === undefined) void start()
    },
    get state() {
      return { queued, dropped, lastError }
    },
  }
}

/** The batches that a transaction takes of a share: until it has so many rows. */
function some({ queue }: Share, rowsMax: number): Waiting[] {
  const taking: Waiting[] = []
  let rows = 0
  while (taking.length < queue.length && rows < rowsMax) {
    const next = queue[taking.length]!
    taking.push(next)
    rows += next.batch.rows
  }
  return taking
}

function rowsOf(taking: readonly Waiting[]): number {
  return taking.reduce((sum, { batch }) => sum + batch.rows, 0)
}

/** For the log: a store says more there than callers may know. */
function reasonOf(error: unknown): string {
  if (error instanceof StoreUnavailable) return error.facts.inner ?? error.message
  return error instanceof Error ? error.message : String(error)
}

// Deletes records. The recorder thread does it, because it owns the store; deletions take turns with new rows.

/** Blocks that are read at a time, so that new rows come in between. */
const STEP_BLOCKS = 8

/** Deletes the rows that fit, in steps: what is left of a block takes its place. */
export class RemovalRun {
  readonly #store: RecordStore
  readonly #rollups: RollupKeeper
  readonly #match: Match
  readonly #onlyCount: boolean
  #after = 0
  #removed = 0

  constructor(store: RecordStore, rollups: RollupKeeper, selection: RecordSelection, onlyCount: boolean) {
    this.#store = store
    this.#rollups = rollups
    this.#match = compileFilter(selection)
    this.#onlyCount = onlyCount
  }

  /** True when there is nothing left to read. */
  async step(): Promise<boolean> {
    const blocks = await this.#store.find(this.#match.range, this.#after, STEP_BLOCKS)
    let isMoved = false
    for (const block of blocks) {
      const { removed, left } = split(block, this.#match)
      this.#after = block.id
      if (removed === 0) continue
      if (this.#onlyCount || (await this.#rollups.erase(block.id, block, left, this.#match.on)))
        this.#removed += removed
      // The rows are in a block with a higher id now
      else isMoved = true
    }
    return blocks.length < STEP_BLOCKS && !isMoved
  }

  /** What it has come to, once nothing of what was deleted is left in the files. */
  async end(more: boolean): Promise<Removal> {
    if (this.#removed > 0 && !this.#onlyCount) await this.#store.settle()
    return { removed: this.#removed, more }
  }
}

/** How many rows of a block fit, and a block of the others; null when there are none. */
function split(block: RecordBlock, match: Match): { removed: number; left: RecordBlock | null } {
  const rows = readBlock(block)
  const fits = match.on(rows)
  if (fits === null) return { removed: 0, left: block }
  const kept = Array.from({ length: rows.count }, (_, row) => row).filter((row) => !fits(row))
  if (kept.length === 0) return { removed: rows.count, left: null }
  const writer = createBatchWriter(kept.length, block.proved)
  for (const row of kept) writer.add(rows.fields(row))
  return { removed: rows.count - kept.length, left: toBlock(writer.take(), block.environment) }
}
