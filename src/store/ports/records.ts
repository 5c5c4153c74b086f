import type { Probed } from './unavailable.ts'

/**
 * Request records rest as they travel: many rows in one block of columns. A store keeps blocks, finds those that
 * may hold an answer and forgets old ones; what is inside of a block only `record/` knows.
 */
export interface RecordBlock {
  readonly rows: number
  /** The callers of all rows have proved who they are. Other blocks have a share of the store of their own. */
  readonly proved: boolean
  /** Earliest and latest start of a request in the block, milliseconds since the epoch. */
  readonly minTimeMs: number
  readonly maxTimeMs: number
  /** Bit n is set when some status of the block is nxx. */
  readonly classes: number
  /** Rows that came from an agent. */
  readonly agents: number
  /** Of the instance when they were recorded. */
  readonly environment: string | null
  /** JSON array of the strings that the rows refer to by index. */
  readonly words: string
  /** Fixed-width part of the rows. */
  readonly numbers: Uint8Array
  /** UTF-8 text of all rows, one after the other. */
  readonly text: Uint8Array
}

export interface StoredBlock extends RecordBlock {
  readonly id: number
}

/**
 * The writing side. A rejection leaves everything as it was. One caller at a time; quotas may be used beside it.
 *
 * Several processes may write to one store. All of them append and save quotas. Upkeep is everything else that writes: one of them does
 * it at a time, and it goes over to another one when that process stops. To a process that does not do the upkeep, `small` and
 * {@link RollupStore.uncounted} give nothing, and `prune`, `shrink` and {@link RollupStore.prune} delete nothing; what else it writes is
 * refused with StoreUnavailable `locked`.
 */
export interface RecordStore {
  /** Stores all blocks in one transaction, so that a reader sees each whole or not at all. */
  append(blocks: readonly RecordBlock[]): Promise<void>
  /** Oldest counted blocks with fewer than `rowsBelow` rows, of one environment and share. */
  small(
    rowsBelow: number,
    blocksMax: number,
    environment: string | null,
    proved: boolean,
  ): Promise<readonly StoredBlock[]>
  /**
   * Puts one block in the place of others, in one transaction. In {@link RecordReader.next} it stands where the last of them stood, so that a
   * reader between them misses nothing and may get rows again.
   */
  replace(ids: readonly number[], block: RecordBlock): Promise<void>
  /** Blocks in which such rows may be, in the order of their ids, of which all are above `after`. */
  find(range: BlockRange, after: number, blocksMax: number): Promise<readonly StoredBlock[]>
  /**
   * Takes the upkeep over from whichever process does it, for an erasure that cannot wait for that one. The erasure must follow within a
   * second. Waits while another process erases; rejects with StoreUnavailable `locked` if that takes too long.
   */
  takeUpkeep(): Promise<void>
  /**
   * Puts a block, or nothing, in the place of another, also for {@link RecordReader.next}, and leaves nothing of that in the pages of the file. False where the block was
   * not there any more: another process had put its rows into another one, which has a higher id. Then nothing was changed.
   * @param rollups what this changes in the rollups, stored in the same transaction; null where they do not count the block
   */
  erase(id: number, left: RecordBlock | null, rollups: RollupChange | null): Promise<boolean>
  /** Leaves nothing of what was erased in the write-ahead log either, unless a reader is in the way. */
  settle(): Promise<void>
  /** Deletes up to `blocksMax` counted blocks whose newest row is older than `beforeMs`; resolves to how many. */
  prune(beforeMs: number, blocksMax: number): Promise<number>
  /**
   * While the file holds more than `bytesMax`, deletes the oldest counted blocks, up to `blocksMax`; resolves to how many. Blocks that
   * are not `proved` go first while they hold more than `unprovedMax` bytes; then the others go.
   */
  shrink(bytesMax: number, unprovedMax: number, blocksMax: number): Promise<number>
  /** Writes something that changes nothing, so that a file that cannot be written is noticed. */
  touch(): Promise<void>
  readonly quotas: QuotaStore
  readonly rollups: RollupStore
  close(): Promise<void>
}

/** Names a shard of a rollup. What is in it, only `record/` knows. */
export interface RollupKey {
  /** Time that it counts, milliseconds. */
  readonly widthMs: number
  /** Start of that time, milliseconds since the epoch. */
  readonly startMs: number
  readonly facet: number
  readonly shard: number
}

export interface RollupRow extends RollupKey {
  readonly data: Uint8Array
}

export interface RollupChange {
  readonly rows: readonly RollupRow[]
  /** New words, by their number. */
  readonly words: readonly (readonly [id: number, text: string])[]
  /** Starts of minutes that wider rollups do not count yet. */
  readonly uncarried: readonly number[]
  /** Starts of such minutes that they count now. */
  readonly carried: readonly number[]
}

/** Sums of records. A block that was appended is not counted until {@link RollupStore.save} says so. */
export interface RollupStore {
  /** Numbers of all words. */
  words(): Promise<ReadonlyMap<string, number>>
  /** Blocks that are not counted yet, oldest first. */
  uncounted(blocksMax: number): Promise<readonly StoredBlock[]>
  isCounted(block: number): Promise<boolean>
  /** Starts of minutes that wider rollups do not count yet. */
  uncarried(): Promise<readonly number[]>
  /** All shards of a width that begin at a time. */
  startingAt(widthMs: number, startMs: number): Promise<readonly RollupRow[]>
  /** Bytes of shards, in the order of the keys; null for those that are not there. */
  read(keys: readonly RollupKey[]): Promise<readonly (Uint8Array | null)[]>
  /** Adds or overwrites shards and notes which blocks they count, in one transaction. */
  save(change: RollupChange, counted: readonly number[]): Promise<void>
  /**
   * Deletes the shards of a width that begin before a time; then, while all take more than `bytesMax`, the oldest of the narrowest
   * widths, so that days are kept longest.
   */
  prune(before: readonly (readonly [widthMs: number, startMs: number])[], bytesMax: number): Promise<void>
}

/** A store that outlives its file; see {@link Probed}. */
export interface LastingRecordStore extends RecordStore, Probed {
  /** `listener` is called when another file was opened, which holds nothing of the former one. */
  whenReopened(listener: () => void): void
  /** `listener` is called when another process may have changed what this one has read for its upkeep. */
  whenUpkeepChanged(listener: () => void): void
}

/** Counts of quotas, which survive a restart. */
export interface QuotaRow {
  readonly key: string
  /** Start of the period that is counted, or the time of the last call, milliseconds since the epoch. */
  readonly period: number
  /** From when on it no longer counts, milliseconds since the epoch. */
  readonly ends: number
  /** Of a calendar quota: rises with each change of the period. */
  readonly entered: number
  readonly count: number
}

/** A row of a table as SQL engines give it. */
export function toQuotaRow(row: Readonly<Record<string, unknown>>): QuotaRow {
  return {
    key: String(row['key']),
    period: Number(row['period']),
    ends: Number(row['ends']),
    entered: Number(row['entered']),
    count: Number(row['count']),
  }
}

/** What a node has counted of a calendar quota, and what it may count beyond that. */
export interface NodeQuota extends QuotaRow {
  /** Of the limit; 0 while it is not known. */
  readonly max: number
  /** Of one request. */
  readonly cost: number
  /** Units that the node may admit beyond `count`: reserved for it. */
  readonly share: number
}

export interface OtherNodeQuota extends NodeQuota {
  readonly node: string
}

export interface QuotaStore {
  /** Those of this node. */
  load(): Promise<readonly QuotaRow[]>
  /** Counts of several nodes together; null where one process has the store alone. */
  readonly shared: SharedQuotas | null
  /** Adds or overwrites by key. */
  save(rows: readonly QuotaRow[]): Promise<void>
  /**
   * Begins another turn, and deletes those whose `period` is before `beforeMs` and which were saved more than `turnsKept` turns
   * ago: the wall clock alone does not tell how old they are, since it may be set forward and back again.
   */
  prune(beforeMs: number, turnsKept: number): Promise<void>
}

/** What one exchange came to. */
interface Exchanged {
  readonly stored: readonly NodeQuota[]
  /** More is to be read than one exchange may read, for whose time others wait. */
  readonly isMore: boolean
}

/** Counts of calendar quotas that several nodes keep, each its own. Keys without their last two characters name a counter. */
export interface SharedQuotas {
  /** The id of this node, from now on. */
  enterAs(node: string): void
  /** What other nodes have counted in periods that end after `nowMs`. */
  others(nowMs: number): Promise<readonly OtherNodeQuota[]>
  /**
   * Reads what other nodes have counted, and stores what this node then says of itself, while no other node does the same.
   * @param keys of calendar quotas that this node has changed
   * @param isAll begins to read all rows, in this exchange and the next ones; else what has changed since the last exchange is read
   * @param settle gives the rows to store. It gets all rows of the counters of `keys`, and all of some counters of which one is to be read.
   * Called at most once, and not where there is nothing to settle
   */
  exchange(
    keys: readonly string[],
    isAll: boolean,
    settle: (others: readonly OtherNodeQuota[]) => readonly NodeQuota[],
  ): Promise<Exchanged>
  /** Takes over what nodes other than these have counted of rolling quotas: deletes it and gives it to this node. */
  adopt(live: readonly string[]): Promise<readonly QuotaRow[]>
}

/** Which blocks may hold an answer. Bounds are inclusive. */
export interface BlockRange {
  readonly fromMs: number
  readonly toMs: number
  /** Strings that must all be among the words of the block. */
  readonly words: readonly string[]
  /** Bits of {@link RecordBlock.classes}, one of which must be set. */
  readonly classes: number
  readonly agentsOnly: boolean
}

/** The reading side: never blocks the writing one. */
export interface RecordReader {
  /**
   * Calls `visit` with blocks, all of one moment, until it returns false: by descending `maxTimeMs`, or with `oldest` by
   * ascending `minTimeMs`.
   */
  scan(range: BlockRange, visit: (block: RecordBlock) => boolean, order?: 'newest' | 'oldest'): Promise<void>
  /**
   * Time of the newest record that retention, or the bound of the store, has removed, milliseconds since the epoch; null for
   * none. Before it records may be missing.
   */
  removedUntil(): Promise<number | null>
  /**
   * The first block after a place, in the order in which blocks were stored; undefined where there is none yet. Blocks of one writer are in
   * their order, and a block never appears before a place that was passed.
   * @param after a place that this method or `placeBefore` has given; 0 for the first block
   */
  next(after: number): Promise<PlacedBlock | undefined>
  /** The place before the first block in which records since a time may be, milliseconds since the epoch. */
  placeBefore(timeMs: number): Promise<number>
  /** Names the store. Places in one store mean nothing in another. */
  identity(): Promise<string>
  /** Rows of blocks in which records of a time may be, counted up to about `rowsMax`. */
  rowsWithin(fromMs: number, toMs: number, rowsMax: number): Promise<number>
  /**
   * Calls `read` with a view of the rollups and of the blocks that they do not count yet, all of one moment. The view ends when `read`
   * resolves. Further questions wait for that; one that `read` itself asks this reader rejects.
   */
  rollups<T>(read: (view: RollupView) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** A block with its place in the order in which blocks were stored: a number above 0 that no other block has. */
interface PlacedBlock {
  readonly block: StoredBlock
  readonly place: number
}

export interface RollupView {
  /** A word by its number. */
  word(id: number): string
  /** By width: start of the first rollup that is whole, milliseconds since the epoch. No entry if none was deleted. */
  keptSince(): Promise<ReadonlyMap<number, number>>
  /** Starts of the minutes of a time that wider rollups do not count yet. */
  uncarried(fromMs: number, toMs: number): Promise<readonly number[]>
  /** Shards of a width and a facet that begin in a time, in no order, some at a time. @param shard null for all */
  shards(
    widthMs: number,
    facet: number,
    shard: number | null,
    fromMs: number,
    toMs: number,
  ): AsyncIterable<readonly StartedShard[]>
  /** Blocks that are not counted yet and may hold records of a time. */
  uncounted(fromMs: number, toMs: number): AsyncIterable<RecordBlock>
}

/** A shard of a width and a facet that are known. */
export type StartedShard = Pick<RollupRow, 'startMs' | 'data'>
