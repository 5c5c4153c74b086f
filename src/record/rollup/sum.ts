/** Adds rollups and rows up to one group of an answer. */
import type { Rows } from '../block.ts'
import { type MetricsGroup, type MetricsGrouping, mostFrequent, splitOnce } from '../metrics.ts'
import type { StatusReader } from './codec.ts'
import { percentileOf, STEPS, stepOf } from './histogram.ts'

type StatusTarget = ReturnType<StatusReader['status']>

export class Sum {
  readonly key: string | number
  readonly #by: MetricsGrouping
  requests = 0
  #clientErrors = 0
  #serverErrors = 0
  #aborted = 0
  #bytesIn = 0
  #bytesOut = 0
  #agents = 0
  readonly #duration = new Float64Array(STEPS)
  readonly #upstream: Float64Array | null
  readonly #gateway: Float64Array | null
  readonly #codes = new Map<string, number>()
  readonly #counting: NonNullable<StatusTarget>
  readonly #timing: NonNullable<StatusTarget>
  #status = 0

  /** @param word text of a number of a word */
  constructor(key: string | number, by: MetricsGrouping, word: (id: number) => string) {
    this.key = key
    this.#by = by
    this.#upstream = by === 'all' ? new Float64Array(STEPS) : null
    this.#gateway = by === 'all' ? new Float64Array(STEPS) : null
    const into = (counts: Float64Array | null) =>
      counts &&
      ((step: number, count: number): void => {
        if (step < STEPS) counts[step]! += count
      })
    // One for all statuses: a shard has thousands
    this.#counting = {
      counts: (requests, aborted, bytesIn, bytesOut, agents) =>
        this.#add(this.#status, { requests, aborted, bytesIn, bytesOut, agents }),
      duration: null,
      upstream: null,
      gateway: null,
      codes: null,
    }
    this.#timing = {
      counts: () => {},
      duration: into(this.#duration),
      upstream: into(this.#upstream),
      gateway: into(this.#gateway),
      codes: by === 'endpoint' ? (id, count) => this.#addCode(word(id), count) : null,
    }
  }

  get errors(): number {
    return this.#clientErrors + this.#serverErrors
  }

  get errorRate(): number {
    return this.errors / this.requests
  }

  /** Where the counts of a status are read to. */
  counting(status: number): NonNullable<StatusTarget> {
    this.#status = status
    return this.#counting
  }

  /** Where the durations and problem codes of a status are read to. */
  get timing(): NonNullable<StatusTarget> {
    return this.#timing
  }

  addRow(rows: Rows, row: number): void {
    const status = rows.status(row)
    const requests = rows.requests(row)
    this.#add(status, {
      requests,
      aborted: rows.isAborted(row) ? requests : 0,
      bytesIn: Math.max(0, rows.bytesIn(row)),
      bytesOut: Math.max(0, rows.bytesOut(row)),
      agents: rows.surface(row) !== 0 ? requests : 0,
    })
    const code = rows.words[rows.word(row, 'code')] ?? ''
    if (this.#by === 'endpoint' && code !== '') this.#addCode(code, requests)
    if (status < 200) return
    const durationMs = rows.durationMs(row)
    const upstreamMs = rows.upstreamMs(row)
    this.#duration[stepOf(durationMs)]! += requests
    if (this.#upstream !== null && upstreamMs >= 0) this.#upstream[stepOf(upstreamMs)]! += requests
    const gatewayMs = upstreamMs < 0 ? durationMs : Math.max(0, durationMs - upstreamMs)
    if (this.#gateway !== null) this.#gateway[stepOf(gatewayMs)]! += requests
  }

  #add(
    status: number,
    counts: { requests: number; aborted: number; bytesIn: number; bytesOut: number; agents: number },
  ): void {
    this.requests += counts.requests
    if (status >= 500) this.#serverErrors += counts.requests
    else if (status >= 400) this.#clientErrors += counts.requests
    this.#aborted += counts.aborted
    this.#bytesIn += counts.bytesIn
    this.#bytesOut += counts.bytesOut
    this.#agents += counts.agents
  }

  #addCode(code: string, count: number): void {
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + count)
  }

  /**
   * @param clients distinct ones; null where that is not known
   * @param isTimed the times at the upstream and in the gateway were counted
   */
  group(clients: number | null, isTimed: boolean): MetricsGroup {
    return {
      key: this.#by === 'endpoint' ? splitOnce(String(this.key)) : [this.key],
      requests: this.requests,
      clientErrors: this.#clientErrors,
      serverErrors: this.#serverErrors,
      aborted: this.#aborted,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      agents: this.#agents,
      clients,
      duration: percentilesOf(this.#duration),
      upstream: isTimed && this.#upstream !== null ? percentilesOf(this.#upstream) : null,
      gateway: isTimed && this.#gateway !== null ? percentilesOf(this.#gateway) : null,
      codes: mostFrequent(this.#codes),
    }
  }
}

function percentilesOf(counts: Float64Array) {
  return {
    p50: percentileOf(counts, 0.5),
    p95: percentileOf(counts, 0.95),
    p99: percentileOf(counts, 0.99),
  }
}
