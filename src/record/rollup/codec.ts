/**
 * The bytes of a shard: the cells of one facet, of one minute, hour or day. All numbers are unsigned LEB128; words stand in a
 * dictionary of the store. Cells and histograms begin with their length, so that a reader passes over those it does not need.
 *
 * shard = version, number of cells, { word (as the difference from the one before), length, cell }
 * cell = number of statuses, { status, requests, aborted, bytes in, bytes out, agents, duration, upstream, gateway, codes }
 * histogram and codes = length, { step or word (difference), count }
 */
import type { Rows } from '../block.ts'
import { stepOf } from './histogram.ts'

const VERSION = 1

class Writer {
  #bytes = new Uint8Array(4096)
  #at = 0

  number(value: number): void {
    if (this.#at + 10 > this.#bytes.length) this.#grow(10)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
  }

  /** What `write` adds, after its length. */
  sized(inner: Writer, write: (inner: Writer) => void): void {
    inner.#at = 0
    write(inner)
    this.sizedBytes(inner.#bytes.subarray(0, inner.#at))
  }

  /** Bytes, after their length. */
  sizedBytes(bytes: Uint8Array): void {
    this.number(bytes.length)
    if (this.#at + bytes.length > this.#bytes.length) this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  #grow(by: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + by))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** Throws when it reads beyond its end: the bytes are damaged. */
export class Reader {
  readonly #bytes: Uint8Array
  #at: number
  readonly #end: number

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  number(): number {
    let value = 0
    let scale = 1
    for (;;) {
      if (this.#at >= this.#end || scale > 2 ** 50) throw new Error('a rollup of records is damaged')
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }

  /** A reader of the next part, which begins with its length. */
  part(): Reader {
    const length = this.number()
    const start = this.#at
    if (start + length > this.#end) throw new Error('a rollup of records is damaged')
    this.#at = start + length
    return new Reader(this.#bytes, start, start + length)
  }

  /** Passes over the next part, which begins with its length. */
  skip(): void {
    const length = this.number()
    if (this.#at + length > this.#end) throw new Error('a rollup of records is damaged')
    this.#at += length
  }

  /** What is left, which is not read by this. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end
  }
}

const SPARSE = ['duration', 'upstream', 'gateway', 'codes'] as const

/** A cell, or its bytes as they were read. */
export type Encodable = Cell | Uint8Array

/** @param cells by word. Counts that are zero, or were taken away more often than added, are left out */
export function encodeShard(cells: ReadonlyMap<number, Encodable>): Uint8Array {
  const writer = new Writer()
  const inner = new Writer()
  const innermost = new Writer()
  const kept = [...cells].filter(([, cell]) => cell instanceof Uint8Array || statusesOf(cell).length > 0)
  kept.sort(([a], [b]) => a - b)
  writer.number(VERSION)
  writer.number(kept.length)
  let before = 0
  for (const [word, cell] of kept) {
    writer.number(word - before)
    before = word
    if (cell instanceof Uint8Array) writer.sizedBytes(cell)
    else writer.sized(inner, () => writeCell(inner, innermost, statusesOf(cell)))
  }
  return writer.take()
}

function statusesOf(cell: Cell): (readonly [number, Counts])[] {
  return [...cell].filter(([, { requests }]) => requests > 0)
}

function writeCell(writer: Writer, inner: Writer, statuses: readonly (readonly [number, Counts])[]): void {
  writer.number(statuses.length)
  for (const [status, counts] of statuses) {
    writer.number(status)
    for (const count of [counts.requests, counts.aborted, counts.bytesIn, counts.bytesOut, counts.agents])
      writer.number(Math.max(0, Math.round(count)))
    for (const name of SPARSE) writer.sized(inner, () => writeSparse(inner, counts[name]))
  }
}

function writeSparse(writer: Writer, counts: Sparse): void {
  let before = 0
  for (const [key, count] of [...counts].filter(([, one]) => one > 0).sort(([a], [b]) => a - b)) {
    writer.number(key - before)
    writer.number(count)
    before = key
  }
}

/**
 * Calls `visit` with each cell of a shard.
 * @param visit reads the cell, or leaves it alone
 */
export function readShard(bytes: Uint8Array, visit: (word: number, cell: Reader) => void): void {
  const reader = new Reader(bytes)
  if (reader.number() !== VERSION) throw new Error('a rollup of records is of another version')
  const cells = reader.number()
  let word = 0
  for (let i = 0; i < cells; i++) {
    word += reader.number()
    visit(word, reader.part())
  }
}

/** What is read of each status of a cell. */
export interface StatusReader {
  /** Null passes over the status. */
  status(status: number): {
    counts(requests: number, aborted: number, bytesIn: number, bytesOut: number, agents: number): void
    /** Null passes over it. */
    readonly duration: ((step: number, count: number) => void) | null
    readonly upstream: ((step: number, count: number) => void) | null
    readonly gateway: ((step: number, count: number) => void) | null
    readonly codes: ((word: number, count: number) => void) | null
  } | null
}

export function readCell(cell: Reader, to: StatusReader): void {
  const statuses = cell.number()
  for (let i = 0; i < statuses; i++) {
    const target = to.status(cell.number())
    const requests = cell.number()
    const aborted = cell.number()
    const bytesIn = cell.number()
    const bytesOut = cell.number()
    const agents = cell.number()
    target?.counts(requests, aborted, bytesIn, bytesOut, agents)
    for (const name of SPARSE) {
      const add = target?.[name] ?? null
      if (add === null) {
        cell.skip()
        continue
      }
      const part = cell.part()
      let key = 0
      while (!part.isAtEnd) {
        key += part.number()
        add(key, part.number())
      }
    }
  }
}

export function decodeCell(reader: Reader): Cell {
  const cell: Cell = new Map()
  readCell(reader, {
    status(status) {
      const counts = countsIn(cell, status)
      const into = (sparse: Sparse) => (key: number, count: number) => void sparse.set(key, count)
      return {
        counts(requests, aborted, bytesIn, bytesOut, agents) {
          Object.assign(counts, { requests, aborted, bytesIn, bytesOut, agents })
        },
        duration: into(counts.duration),
        upstream: into(counts.upstream),
        gateway: into(counts.gateway),
        codes: into(counts.codes),
      }
    },
  })
  return cell
}

/** All cells of a shard, by word. */
export function decodeShard(bytes: Uint8Array): Map<number, Cell> {
  const cells = new Map<number, Cell>()
  readShard(bytes, (word, reader) => cells.set(word, decodeCell(reader)))
  return cells
}

// Counts of one value of a facet, such as one endpoint, by the status of the answers.

/** Counts by step or by word. */
type Sparse = Map<number, number>

export interface Counts {
  requests: number
  /** The caller left before the end. */
  aborted: number
  bytesIn: number
  bytesOut: number
  /** Came over MCP. */
  agents: number
  /** Of answers, by the steps of `histogram.ts`. */
  readonly duration: Sparse
  readonly upstream: Sparse
  readonly gateway: Sparse
  /** By the number of the problem code. */
  readonly codes: Sparse
}

/** Counts by status; 0 if the caller left without an answer. */
export type Cell = Map<number, Counts>

function emptyCounts(): Counts {
  return {
    requests: 0,
    aborted: 0,
    bytesIn: 0,
    bytesOut: 0,
    agents: 0,
    duration: new Map(),
    upstream: new Map(),
    gateway: new Map(),
    codes: new Map(),
  }
}

function bump(counts: Sparse, key: number, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by)
}

export function countsIn(cell: Cell, status: number): Counts {
  let counts = cell.get(status)
  if (counts === undefined) {
    counts = emptyCounts()
    cell.set(status, counts)
  }
  return counts
}

/**
 * Counts a row: a sign of -1 takes it out again, a code of 0 is none, and `isTimed` counts the times at the upstream and in the
 * gateway too.
 */
export function addRow(
  counts: Counts,
  rows: Rows,
  row: number,
  { sign, code, isTimed }: { readonly sign: 1 | -1; readonly code: number; readonly isTimed: boolean },
): void {
  const times = rows.requests(row) * sign
  counts.requests += times
  if (rows.isAborted(row)) counts.aborted += times
  if (rows.surface(row) !== 0) counts.agents += times
  counts.bytesIn += Math.max(0, rows.bytesIn(row)) * sign
  counts.bytesOut += Math.max(0, rows.bytesOut(row)) * sign
  if (code !== 0) bump(counts.codes, code, times)
  // A tunnel or a stream lasts as long as both ends like, and who left was not answered
  if (rows.status(row) < 200 || rows.isStream(row)) return
  const durationMs = rows.durationMs(row)
  const upstreamMs = rows.upstreamMs(row)
  bump(counts.duration, stepOf(durationMs), times)
  if (!isTimed) return
  if (upstreamMs >= 0) bump(counts.upstream, stepOf(upstreamMs), times)
  bump(counts.gateway, stepOf(upstreamMs < 0 ? durationMs : Math.max(0, durationMs - upstreamMs)), times)
}

/** Adds the counts of a cell to those of another. */
export function mergeCell(into: Cell, from: Cell): void {
  for (const [status, counts] of from) {
    const target = countsIn(into, status)
    target.requests += counts.requests
    target.aborted += counts.aborted
    target.bytesIn += counts.bytesIn
    target.bytesOut += counts.bytesOut
    target.agents += counts.agents
    for (const name of ['duration', 'upstream', 'gateway', 'codes'] as const)
      for (const [key, count] of counts[name]) bump(target[name], key, count)
  }
}
