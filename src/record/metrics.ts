/**
 * Computes metrics from the blocks of records, in the query thread. Rows and time are bounded; the answer says if a bound was
 * reached.
 */
import { type Clock, toTime } from '../base/clock.ts'
import type { RecordBlock, RecordReader } from '../store/ports/records.ts'
import { type Rows, readBlock } from './block.ts'
import { compileFilter } from './block-filter.ts'
import type { WordColumn } from './fields.ts'
import type { RecordSelection } from './record-selection.ts'

/** What records are gathered by. */
export type MetricsGrouping =
  | 'all'
  | 'status'
  | 'method'
  | 'endpoint'
  | 'time'
  | 'collection'
  | 'proxy'
  | 'client'
  | 'profile'
  | 'agent'
  | 'virtual_mcp'
  | 'origin'

export interface MetricsQuestion {
  readonly by: MetricsGrouping
  /** With `from` and `to`. */
  readonly selection: RecordSelection
  /** Width of a group by time. */
  readonly bucketMs: number
  /** Which groups come first: those with the most requests, errors, or the largest part of errors, or in the order of their keys. */
  readonly order: 'requests' | 'errors' | 'error_rate' | 'key'
  /** Groups that are answered. */
  readonly limit: number
}

interface Percentiles {
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

export interface MetricsGroup {
  /** The status, the method, the start of the time in milliseconds, or method and route. */
  readonly key: readonly (string | number)[]
  readonly requests: number
  /** Answered with 4xx. */
  readonly clientErrors: number
  /** Answered with 5xx. */
  readonly serverErrors: number
  /** The caller left before the end. */
  readonly aborted: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly agents: number
  /** Distinct; 0 unless gathered by nothing, null where it is not known. */
  readonly clients: number | null
  readonly duration: Percentiles
  /** Of requests that reached an upstream; null unless gathered by nothing. */
  readonly upstream: Percentiles | null
  readonly gateway: Percentiles | null
  /** Most frequent problem codes, of endpoints alone. */
  readonly codes: readonly (readonly [code: string, count: number])[]
}

export interface MetricsAnswer {
  readonly groups: readonly MetricsGroup[]
  /** Groups that there are, answered or not. */
  readonly total: number
  /** Requests that belong to no group: those that matched no endpoint. */
  readonly ungrouped: number
  /** Records that were read. */
  readonly read: number
  /** Requests of further groups than are told apart. */
  readonly omitted: number
  /** The time that was counted, if rollups have answered: they begin and end with full minutes, hours or days. Otherwise null. */
  readonly rolled: { readonly fromMs: number; readonly toMs: number } | null
  /** Not null when something is missing: everything from here on was counted, and of what is before only a part. */
  readonly completeFrom: string | null
}

/** How long one question may read, and how much. */
const READ_MS = 2000
const READ_ROWS_MAX = 5_000_000
/** Callers choose methods, and endpoints are made by people: far more than either makes on purpose. */
export const GROUPS_MAX = 5000
const CODES_SHOWN = 5

/** Counts the records that fit, newest first; where that takes too long the answer says from when on it is whole. */
export async function measure(
  reader: RecordReader,
  clock: Clock,
  question: MetricsQuestion,
): Promise<MetricsAnswer> {
  const match = compileFilter(question.selection)
  const keyOf = KEYS[question.by]
  const deadline = clock.monotonic() + READ_MS
  const tallies = new Map<string | number, Tally>()
  let ungrouped = 0
  let omitted = 0
  let read = 0
  let completeFrom: string | null = null

  const visit = (block: RecordBlock): boolean => {
    if (read > 0 && (read >= READ_ROWS_MAX || clock.monotonic() > deadline)) {
      completeFrom = toTime(block.maxTimeMs + 1)
      return false
    }
    read += block.rows
    const rows = readBlock(block)
    const fits = match.on(rows)
    if (fits === null) return true
    for (let row = 0; row < rows.count; row++) {
      if (!fits(row)) continue
      const key = keyOf(rows, row, question.bucketMs)
      let tally = key === null ? undefined : tallies.get(key)
      if (key !== null && tally === undefined && tallies.size < GROUPS_MAX) {
        tally = new Tally(key, question.by)
        tallies.set(key, tally)
      }
      if (key === null) ungrouped += rows.requests(row)
      else if (tally === undefined) omitted += rows.requests(row)
      else tally.add(rows, row)
    }
    return true
  }
  await reader.scan(match.range, visit)
  const removedUntil = await reader.removedUntil()
  if (completeFrom === null && removedUntil !== null && removedUntil >= match.range.fromMs)
    completeFrom = toTime(removedUntil + 1)

  const ordered = [...tallies.values()].sort(ORDERS[question.order])
  return {
    groups: ordered.slice(0, question.limit).map((tally) => tally.group()),
    total: ordered.length,
    ungrouped,
    omitted,
    read,
    rolled: null,
    completeFrom,
  }
}

/** Between the method and the route of an endpoint: neither holds one. */
export const ENDPOINT_SEPARATOR = ' '

/** The group of a row; null for none. */
export type KeyOf = (rows: Rows, row: number, bucketMs: number) => string | number | null

export const KEYS: Readonly<Record<MetricsGrouping, KeyOf>> = {
  all: () => '',
  status: (rows, row) => rows.status(row),
  method: (rows, row) => rows.method(row),
  endpoint: (rows, row) => {
    const route = rows.words[rows.word(row, 'route')] ?? ''
    return route === '' ? null : rows.method(row) + ENDPOINT_SEPARATOR + route
  },
  collection: (rows, row) => wordOf(rows, row, 'collection'),
  proxy: (rows, row) => wordOf(rows, row, 'proxy'),
  client: (rows, row) => wordOf(rows, row, 'client'),
  profile: (rows, row) => wordOf(rows, row, 'profile'),
  virtual_mcp: (rows, row) => wordOf(rows, row, 'virtualMcp'),
  origin: (rows, row) => wordOf(rows, row, 'origin'),
  agent: (rows, row) => rows.agent(row)?.name || null,
  time: (rows, row, bucketMs) => Math.floor(rows.timeMs(row) / bucketMs) * bucketMs,
}

function wordOf(rows: Rows, row: number, column: WordColumn): string | null {
  return rows.words[rows.word(row, column)] || null
}

/** What groups are put in order by. */
interface Ordered {
  readonly key: string | number
  readonly requests: number
  readonly errors: number
  readonly errorRate: number
}

export const ORDERS: Readonly<Record<MetricsQuestion['order'], (a: Ordered, b: Ordered) => number>> = {
  requests: (a, b) => b.requests - a.requests || compareKeys(a, b),
  errors: (a, b) => b.errors - a.errors || b.errorRate - a.errorRate || compareKeys(a, b),
  error_rate: (a, b) => b.errorRate - a.errorRate || b.errors - a.errors || compareKeys(a, b),
  key: (a, b) => compareKeys(a, b),
}

function compareKeys({ key: a }: Ordered, { key: b }: Ordered): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A tunnel lasts as long as both ends like, and who left was not answered: neither says how fast answers are. */
function isAnswer(status: number): boolean {
  return status >= 200
}

class Tally {
  readonly key: string | number
  readonly #by: MetricsGrouping
  requests = 0
  #clientErrors = 0
  #serverErrors = 0
  #aborted = 0
  #bytesIn = 0
  #bytesOut = 0
  #agents = 0
  readonly #duration = new Latency()
  readonly #upstream: Latency | null
  readonly #gateway: Latency | null
  readonly #clients = new Set<string>()
  readonly #codes = new Map<string, number>()

  constructor(key: string | number, by: MetricsGrouping) {
    this.key = key
    this.#by = by
    this.#upstream = by === 'all' ? new Latency() : null
    this.#gateway = by === 'all' ? new Latency() : null
  }

  get errors(): number {
    return this.#clientErrors + this.#serverErrors
  }

  get errorRate(): number {
    return this.errors / this.requests
  }

  add(rows: Rows, row: number): void {
    const status = rows.status(row)
    const requests = rows.requests(row)
    this.requests += requests
    if (status >= 500) this.#serverErrors += requests
    else if (status >= 400) this.#clientErrors += requests
    if (rows.isAborted(row)) this.#aborted += requests
    if (rows.surface(row) !== 0) this.#agents += requests
    this.#bytesIn += Math.max(0, rows.bytesIn(row))
    this.#bytesOut += Math.max(0, rows.bytesOut(row))
    if (isAnswer(status) && !rows.isStream(row))
      this.#time(rows.durationMs(row), rows.upstreamMs(row), requests)
    if (this.#by === 'all') this.#clients.add(rows.words[rows.word(row, 'client')] ?? '')
    if (this.#by === 'endpoint') {
      const code = rows.words[rows.word(row, 'code')] ?? ''
      if (code !== '') this.#codes.set(code, (this.#codes.get(code) ?? 0) + requests)
    }
  }

  #time(durationMs: number, upstreamMs: number, requests: number): void {
    this.#duration.add(durationMs, requests)
    if (upstreamMs >= 0) this.#upstream?.add(upstreamMs, requests)
    this.#gateway?.add(upstreamMs < 0 ? durationMs : Math.max(0, durationMs - upstreamMs), requests)
  }

  group(): MetricsGroup {
    return {
      key: this.#by === 'endpoint' ? splitOnce(String(this.key)) : [this.key],
      requests: this.requests,
      clientErrors: this.#clientErrors,
      serverErrors: this.#serverErrors,
      aborted: this.#aborted,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      agents: this.#agents,
      clients: this.#clients.has('') ? this.#clients.size - 1 : this.#clients.size,
      duration: percentilesOf(this.#duration),
      upstream: this.#upstream && percentilesOf(this.#upstream),
      gateway: this.#gateway && percentilesOf(this.#gateway),
      codes: mostFrequent(this.#codes),
    }
  }
}

/** The problem codes that are shown, most frequent first. */
export function mostFrequent(codes: ReadonlyMap<string, number>): [string, number][] {
  return [...codes].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1)).slice(0, CODES_SHOWN)
}

export function splitOnce(key: string): [string, string] {
  const at = key.indexOf(ENDPOINT_SEPARATOR)
  return [key.slice(0, at), key.slice(at + 1)]
}

function percentilesOf(latency: Latency): Percentiles {
  return { p50: latency.percentile(0.5), p95: latency.percentile(0.95), p99: latency.percentile(0.99) }
}

// Counts durations in steps of growing width.

/** Widths grow by this factor, so that the middle of a step is within 1 % of whatever fell into it. */
const GROWTH = 1.02
const SMALLEST_MS = 0.01
/** Up to about an hour; what takes longer counts as that. */
const STEPS = 1000

/** Counts durations in steps of growing width: a few kilobytes, however many there are. */
export class Latency {
  readonly #counts = new Uint32Array(STEPS)
  #count = 0

  /** @param times how many took so long */
  add(ms: number, times = 1): void {
    const step = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / Math.log(GROWTH))
    this.#counts[Math.min(STEPS - 1, step)]! += times
    this.#count += times
  }

  /** The duration that this part (0 to 1) does not exceed, milliseconds within 1 %; null when nothing was counted. */
  percentile(part: number): number | null {
    if (this.#count === 0) return null
    const rank = Math.max(1, Math.ceil(part * this.#count))
    let seen = 0
    const step = this.#counts.findIndex((count) => {
      seen += count
      return seen >= rank
    })
    return step === 0 ? SMALLEST_MS : toThreeDigits(SMALLEST_MS * GROWTH ** (step - 0.5))
  }
}

function toThreeDigits(value: number): number {
  return Number(value.toPrecision(3))
}
