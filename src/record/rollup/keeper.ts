/** The recorder's side of rollups: adds stored blocks, and subtracts deleted ones. */
import type {
  RecordBlock,
  RecordStore,
  RollupChange,
  RollupKey,
  RollupRow,
} from '../../store/ports/records.ts'
import { type Rows, readBlock } from '../block.ts'
import {
  addRow,
  type Cell,
  countsIn,
  decodeCell,
  type Encodable,
  encodeShard,
  mergeCell,
  Reader,
  readShard,
} from './codec.ts'
import { FACETS, facetValue, shardOf } from './sum.ts'

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

export const MINUTE_MS = 60_000

/** So long after its start, a minute is added to its hour and day. What comes later is added to all three. */
const OPEN_MS = 2 * MINUTE_MS
/** Minutes wait so much longer, so that several are added at once. */
const CARRY_MS = 5 * MINUTE_MS

/** A shard that changes: the cells to be added, by word. */
interface Change {
  readonly key: RollupKey
  readonly cells: Map<number, Cell>
}

/** The change of a shard among several. */
function changeIn(changes: Map<string, Change>, key: RollupKey): Change {
  const place = `${key.widthMs} ${key.startMs} ${key.facet} ${key.shard}`
  let change = changes.get(place)
  if (change === undefined) {
    change = { key, cells: new Map() }
    changes.set(place, change)
  }
  return change
}

/** Counts blocks for a store. One use at a time, in turn with all other uses of the store. */
export class RollupKeeper {
  readonly #store: RecordStore
  readonly #now: () => number
  readonly #aging: () => number
  /** Null until they are read. */
  #words: Map<string, number> | null = null
  #uncarried: Set<number> | null = null

  /** @param now milliseconds since the epoch @param aging as `now`: the time by which rollups are too old */
  constructor(store: RecordStore, now: () => number, aging: () => number = now) {
    this.#store = store
    this.#now = now
    this.#aging = aging
  }

  /** Counts some of the blocks that are not counted yet. True when none are left. Rejects when the store refuses. */
  async step(): Promise<boolean> {
    const blocks = await this.#store.rollups.uncounted(STEP_BLOCKS)
    if (blocks.length === 0) return await this.#carry()
    await this.#saving(async () => {
      const change = await this.#changeOf((tally) => {
        for (const block of blocks) addSound(tally, block)
      })
      await this.#store.rollups.save(
        change,
        blocks.map(({ id }) => id),
      )
    })
    return blocks.length < STEP_BLOCKS && (await this.#carry())
  }

  /**
   * Erases rows of a block, and what rollups count of them. False where the block is not there any more.
   * @param fits the rows that are erased
   */
  async erase(
    id: number,
    block: RecordBlock,
    left: RecordBlock | null,
    fits: (rows: Rows) => ((row: number) => boolean) | null,
  ): Promise<boolean> {
    // First: another process would change the same rollups
    await this.#store.takeUpkeep()
    const isCounted = await this.#store.rollups.isCounted(id)
    if (!isCounted) return this.#store.erase(id, left, null)
    return this.#saving(async () => {
      const change = await this.#changeOf((tally) => tally.add(block, -1, fits))
      const isErased = await this.#store.erase(id, left, change)
      // The words of the change were not stored
      if (!isErased) this.forget()
      return isErased
    })
  }

  /** Deletes rollups that are too old, or too large. @param bytesMax of the whole store */
  async prune(bytesMax: number): Promise<void> {
    await this.#store.rollups.prune(forgottenBefore(this.#aging()), bytesMax * ROLLUP_BYTES)
  }

  /** Another file is there now, or another process has changed what was read of it. */
  forget(): void {
    this.#words = null
    this.#uncarried = null
  }

  /** What is not stored is not known either: numbers of new words are given again. */
  async #saving<T>(save: () => Promise<T>): Promise<T> {
    try {
      return await save()
    } catch (error) {
      this.forget()
      throw error
    }
  }

  async #changeOf(count: (tally: Tally) => void): Promise<RollupChange> {
    this.#words ??= new Map(await this.#store.rollups.words())
    this.#uncarried ??= new Set(await this.#store.rollups.uncarried())
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
    const opened = this.#open([...tally.minutes.keys()])
    const changes = this.#changesOf(tally, wordId)
    return { rows: await this.#merged(changes), words, uncarried: opened, carried: [] }
  }

  async #merged(changes: readonly Change[]): Promise<RollupRow[]> {
    const stored = await this.#store.rollups.read(changes.map(({ key }) => key))
    return changes.map(({ key, cells }, at) => ({ ...key, data: merged(key, stored[at] ?? null, cells) }))
  }

  /** The minutes among these that begin to be counted: hours and days count them once they are over. */
  #open(minutes: readonly number[]): number[] {
    const opened = minutes.filter(
      (minute) => minute >= this.#now() - OPEN_MS && !this.#uncarried!.has(minute),
    )
    for (const minute of opened) this.#uncarried!.add(minute)
    return opened
  }

  /** Adds minutes that are over to their hours and days: several at once, as that writes each of those anew. Always true. */
  async #carry(): Promise<true> {
    this.#uncarried ??= new Set(await this.#store.rollups.uncarried())
    const before = this.#now() - OPEN_MS
    const over = [...this.#uncarried].filter((minute) => minute < before)
    if (over.every((minute) => minute >= before - CARRY_MS)) return true
    const changes = new Map<string, Change>()
    for (const minute of over)
      for (const { facet, shard, data } of await this.#store.rollups.startingAt(MINUTE_MS, minute))
        for (const { widthMs } of TIERS.slice(1)) {
          const key = { widthMs, startMs: startOf(minute, widthMs), facet, shard }
          const { cells } = changeIn(changes, key)
          readShard(data, (word, reader) => mergeInto(cells, word, decodeCell(reader), true))
        }
    await this.#saving(async () => {
      const rows = await this.#merged([...changes.values()])
      await this.#store.rollups.save({ rows, words: [], uncarried: [], carried: over }, [])
      for (const minute of over) this.#uncarried?.delete(minute)
    })
    return true
  }

  #changesOf(tally: Tally, wordId: (text: string) => number): Change[] {
    const changes = new Map<string, Change>()
    const now = this.#now()
    for (const [minute, byFacet] of tally.minutes)
      for (const [at, facet] of FACETS.entries())
        for (const [counted, cell] of byFacet[at]!) {
          // A half of a character has no UTF-8: in the store, values that differ in halves alone would be one word
          const value = counted.toWellFormed()
          const word = wordId(value)
          const shard = shardOf(facet, value)
          const tiers = this.#uncarried!.has(minute) ? TIERS.slice(0, 1) : TIERS
          for (const { widthMs, keptMs } of tiers) {
            const startMs = startOf(minute, widthMs)
            if (startMs < now - keptMs) continue
            const { cells } = changeIn(changes, { widthMs, startMs, facet: facet.id, shard })
            mergeInto(cells, word, cell, tiers.length === 1)
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

/** @param isOwn nobody else has the cell, so that it may be kept and changed */
function mergeInto(cells: Map<number, Cell>, word: number, cell: Cell, isOwn: boolean): void {
  const target = cells.get(word)
  if (target !== undefined) mergeCell(target, cell)
  else if (isOwn) cells.set(word, cell)
  else {
    const copy: Cell = new Map()
    mergeCell(copy, cell)
    cells.set(word, copy)
  }
}

/** A shard with more cells added to it. Those that do not change are copied as they are. */
function merged({ facet }: RollupKey, stored: Uint8Array | null, added: Map<number, Cell>): Uint8Array {
  if (stored === null) return encodeShard(added)
  const max = VALUES_MAX / FACETS.find(({ id }) => id === facet)!.shards
  const cells = new Map<number, Encodable>()
  readShard(stored, (word, reader) => {
    const more = added.get(word)
    if (more === undefined) return void cells.set(word, reader.rest())
    const cell = decodeCell(reader)
    mergeCell(cell, more)
    cells.set(word, cell)
    added.delete(word)
  })
  for (const [word, cell] of added) {
    if (cells.size < max) {
      cells.set(word, cell)
      continue
    }
    const others = cells.get(OTHER) ?? new Map()
    const all = others instanceof Uint8Array ? decodeCell(new Reader(others)) : others
    mergeCell(all, cell)
    cells.set(OTHER, all)
  }
  return encodeShard(cells)
}

// Adds the rows of blocks up by minute, facet and value.

/** Cells by value, of each facet in the order of {@link FACETS}. */
type MinuteCells = readonly Map<string, Cell>[]

export class Tally {
  /** By the start of the minute. */
  readonly minutes = new Map<number, MinuteCells>()
  readonly #wordId: (text: string) => number

  /** @param wordId number of a word */
  constructor(wordId: (text: string) => number) {
    this.#wordId = wordId
  }

  /**
   * Counts the rows of a block.
   * @param fits which rows; all when absent
   * @param sign -1 takes them out again
   */
  add(
    block: RecordBlock,
    sign: 1 | -1 = 1,
    fits: ((rows: Rows) => ((row: number) => boolean) | null) | null = null,
  ): void {
    const rows = readBlock(block)
    const chosen = fits === null ? () => true : fits(rows)
    if (chosen === null) return
    for (let row = 0; row < rows.count; row++) if (chosen(row)) this.#addRow(rows, row, sign, block.proved)
  }

  #addRow(rows: Rows, row: number, sign: 1 | -1, proved: boolean): void {
    const minute = startOf(rows.timeMs(row), MINUTE_MS)
    let cells = this.minutes.get(minute)
    if (cells === undefined) {
      cells = FACETS.map(() => new Map())
      this.minutes.set(minute, cells)
    }
    const status = rows.status(row)
    for (const [at, { name, isTimed }] of FACETS.entries()) {
      const value = facetValue(name, rows, row, proved)
      if (value === null) continue
      const byValue = cells[at]!
      let cell = byValue.get(value)
      if (cell === undefined) {
        cell = new Map()
        byValue.set(value, cell)
      }
      addRow(countsIn(cell, status), rows, row, {
        sign,
        isTimed,
        code: name === 'endpoint' ? this.#codeOf(rows, row) : 0,
      })
    }
  }

  #codeOf(rows: Rows, row: number): number {
    const code = rows.words[rows.word(row, 'code')] ?? ''
    return code === '' ? 0 : this.#wordId(code)
  }
}

// The times that rollups count: minutes, hours and days (UTC).

const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export interface Tier {
  readonly widthMs: number
  /** How long after its start such a rollup is kept, milliseconds. */
  readonly keptMs: number
}

/** Narrowest first. */
export const TIERS: readonly Tier[] = [
  { widthMs: MINUTE_MS, keptMs: 48 * HOUR_MS },
  { widthMs: HOUR_MS, keptMs: 35 * DAY_MS },
  { widthMs: DAY_MS, keptMs: 400 * DAY_MS },
]

/** A minute that has just ended its time may still be asked for by a question that was put before. */
const SPARE_MS = HOUR_MS

/** How long rollups of a width are kept, milliseconds. */
export function keptMs(widthMs: number): number {
  return TIERS.find((tier) => tier.widthMs === widthMs)!.keptMs
}

/** Before which start the rollups of each width are deleted. */
function forgottenBefore(nowMs: number): readonly (readonly [widthMs: number, startMs: number])[] {
  return TIERS.map(({ widthMs, keptMs }) => [widthMs, nowMs - keptMs - SPARE_MS])
}

/** The start of the time of a width that holds a moment. */
export function startOf(timeMs: number, widthMs: number): number {
  return Math.floor(timeMs / widthMs) * widthMs
}

export interface Range {
  readonly fromMs: number
  readonly toMs: number
}

/** A time without gaps whose rollups of one width are added up. */
export interface Piece extends Range {
  readonly widthMs: number
}

/** Start of the first rollup of a width that can be read, milliseconds since the epoch. */
export type KeptSince = (widthMs: number) => number

/** The range, extended to full minutes, hours or days: at each end the narrowest width whose rollups lead there without a gap. */
export function alignedRange({ fromMs, toMs }: Range, keptSince: KeptSince): Range {
  const from = TIERS.find(({ widthMs }) => startOf(fromMs, widthMs) >= keptSince(widthMs)) ?? TIERS.at(-1)!
  const startMs = startOf(fromMs, from.widthMs)
  const to = TIERS.find(({ widthMs }, index) => {
    const wider = TIERS[index + 1]
    // Narrow rollups begin where the last wide one has ended, or with the range
    return wider === undefined || Math.max(startMs, startOf(toMs, wider.widthMs)) >= keptSince(widthMs)
  })!
  return { fromMs: startMs, toMs: -startOf(-toMs, to.widthMs) }
}

/**
 * The fewest rollups that add up to a range; null if there are none that do, because narrow ones are not kept so long.
 * Days are taken also where they are not kept any more.
 * @param range aligned by {@link alignedRange}
 * @param unitMs width of the points that are asked for, of which a rollup may not cover two; null for none
 */
export function piecesOf(range: Range, keptSince: KeptSince, unitMs: number | null): readonly Piece[] | null {
  const pieces: { widthMs: number; fromMs: number; toMs: number }[] = []
  for (let at = range.fromMs; at < range.toMs; ) {
    const tier = TIERS.findLast(
      ({ widthMs }) =>
        at % widthMs === 0 &&
        at + widthMs <= range.toMs &&
        (widthMs === DAY_MS || at >= keptSince(widthMs)) &&
        (unitMs === null || unitMs % widthMs === 0),
    )
    if (tier === undefined) return null
    const last = pieces.at(-1)
    if (last?.widthMs === tier.widthMs) last.toMs += tier.widthMs
    else pieces.push({ widthMs: tier.widthMs, fromMs: at, toMs: at + tier.widthMs })
    at += tier.widthMs
  }
  return pieces
}
