/** The recorder's end of rollups: counts stored blocks, and takes out what is deleted. */
import type { RecordBlock, RecordStore, RollupChange, RollupKey } from '../../store/ports/records.ts'
import { type Rows, readBlock } from '../block.ts'
import { type Cell, mergeCell } from './cells.ts'
import { decodeShard, encodeShard } from './codec.ts'
import { FACETS, shardOf } from './facets.ts'
import { Tally } from './tally.ts'
import { forgottenBefore, startOf, TIERS } from './tiers.ts'

/** Blocks that are counted at a time, so that new rows come in between. */
const STEP_BLOCKS = 16
/** Part of the bytes of the store that rollups may take. */
const ROLLUP_BYTES = 0.25
/** Words of all rollups. Values that have no word are counted under {@link OTHER}. */
const WORDS_MAX = 500_000
/** Number of the values that are not told apart. */
export const OTHER = 0
/** Values of a facet in one minute, hour or day; further ones are counted under {@link OTHER}. */
const VALUES_MAX = 20_000

/** A shard that changes: the cells to be added, by word. */
interface Change {
  readonly key: RollupKey
  readonly cells: Map<number, Cell>
}

/** Counts blocks for a store. One use at a time, in turn with all other uses of the store. */
export class RollupKeeper {
  readonly #store: RecordStore
  readonly #now: () => number
  /** Null until it is read. */
  #words: Map<string, number> | null = null

  /** @param now milliseconds since the epoch */
  constructor(store: RecordStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Counts some of the blocks that are not counted yet. True when none are left. Rejects when the store refuses. */
  async step(): Promise<boolean> {
    const blocks = await this.#store.rollups.uncounted(STEP_BLOCKS)
    if (blocks.length === 0) return true
    await this.#saving(async () => {
      const change = await this.#changeOf((tally) => {
        for (const block of blocks) addSound(tally, block)
      })
      await this.#store.rollups.save(
        change,
        blocks.map(({ id }) => id),
      )
    })
    return blocks.length < STEP_BLOCKS
  }

  /** Erases rows of a block, and what rollups count of them. @param fits the rows that are erased */
  async erase(
    id: number,
    block: RecordBlock,
    left: RecordBlock | null,
    fits: (rows: Rows) => ((row: number) => boolean) | null,
  ): Promise<void> {
    const isCounted = await this.#store.rollups.isCounted(id)
    if (!isCounted) return this.#store.erase(id, left, null)
    await this.#saving(async () => {
      const change = await this.#changeOf((tally) => tally.add(block, -1, fits))
      await this.#store.erase(id, left, change)
    })
  }

  /** Deletes rollups that are too old, or too large. @param bytesMax of the whole store */
  async prune(bytesMax: number): Promise<void> {
    await this.#store.rollups.prune(forgottenBefore(this.#now()), bytesMax * ROLLUP_BYTES)
  }

  /** Another file is there now. */
  forgetWords(): void {
    this.#words = null
  }

  /** What is not stored is not known either: numbers of new words are given again. */
  async #saving(save: () => Promise<void>): Promise<void> {
    try {
      await save()
    } catch (error) {
      this.#words = null
      throw error
    }
  }

  async #changeOf(count: (tally: Tally) => void): Promise<RollupChange> {
    this.#words ??= new Map(await this.#store.rollups.words())
    const known = this.#words
    const words: [number, string][] = []
    const wordId = (text: string): number => {
      const id = known.get(text)
      if (id !== undefined) return id
      if (known.size >= WORDS_MAX) return OTHER
      const next = known.size + 1
      known.set(text, next)
      words.push([next, text])
      return next
    }
    const tally = new Tally(wordId)
    count(tally)
    const changes = this.#changesOf(tally, wordId)
    const stored = await this.#store.rollups.read(changes.map(({ key }) => key))
    const rows = changes.map(({ key, cells }, at) => ({
      ...key,
      data: merged(key, stored[at] ?? null, cells),
    }))
    return { rows, words }
  }

  #changesOf(tally: Tally, wordId: (text: string) => number): Change[] {
    const changes = new Map<string, Change>()
    const now = this.#now()
    for (const [minute, byFacet] of tally.minutes)
      for (const [at, facet] of FACETS.entries())
        for (const [value, cell] of byFacet[at]!) {
          const word = wordId(value)
          const shard = shardOf(facet, value)
          for (const { widthMs, keptMs } of TIERS) {
            const startMs = startOf(minute, widthMs)
            if (startMs < now - keptMs) continue
            const place = `${widthMs} ${startMs} ${facet.id} ${shard}`
            let change = changes.get(place)
            if (change === undefined) {
              change = { key: { widthMs, startMs, facet: facet.id, shard }, cells: new Map() }
              changes.set(place, change)
            }
            mergeInto(change.cells, word, cell)
          }
        }
    return [...changes.values()]
  }
}

/** Without a damaged block: it would stop the counting of all that come after it. Questions about its records name the damage. */
function addSound(tally: Tally, block: RecordBlock): void {
  try {
    readBlock(block)
  } catch {
    return
  }
  tally.add(block)
}

function mergeInto(cells: Map<number, Cell>, word: number, cell: Cell): void {
  let target = cells.get(word)
  if (target === undefined) {
    target = new Map()
    cells.set(word, target)
  }
  mergeCell(target, cell)
}

/** A shard with more cells added to it. */
function merged(
  { facet }: RollupKey,
  stored: Uint8Array | null,
  added: ReadonlyMap<number, Cell>,
): Uint8Array {
  const cells = stored === null ? new Map<number, Cell>() : decodeShard(stored)
  const max = VALUES_MAX / FACETS.find(({ id }) => id === facet)!.shards
  for (const [word, cell] of added) mergeInto(cells, cells.has(word) || cells.size < max ? word : OTHER, cell)
  return encodeShard(cells)
}
