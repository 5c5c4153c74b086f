/** Deletes records. The recorder thread does it, because it owns the store; deletions take turns with new rows. */
import type { RecordBlock, RecordStore } from '../store/ports/records.ts'
import { createBatchWriter } from './batch.ts'
import { readBlock, toBlock } from './block.ts'
import { compileFilter, type Match } from './block-filter.ts'
import type { Removal } from './messages.ts'
import type { RecordSelection } from './record-selection.ts'
import type { RollupKeeper } from './rollup/keeper.ts'

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
    for (const block of blocks) {
      const { removed, left } = split(block, this.#match)
      if (removed > 0 && !this.#onlyCount) await this.#rollups.erase(block.id, block, left, this.#match.on)
      this.#removed += removed
      this.#after = block.id
    }
    return blocks.length < STEP_BLOCKS
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
