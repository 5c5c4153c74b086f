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
    if (status < 200 || rows.isStream(row)) return
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

// The facets of rollups: what they count by. Each facet counts every row that has a value for it.

export type FacetName =
  | 'all'
  | 'collection'
  | 'endpoint'
  | 'client'
  | 'agent'
  | 'method'
  | 'surface'
  | 'virtual_mcp'
  | 'origin'
  | 'profile'

interface Facet {
  readonly name: FacetName
  /** Stored under this number. */
  readonly id: number
  /** Parts that the values are divided into, so that a question about one value reads one part. */
  readonly shards: number
  /** The times at the upstream and in the gateway are counted too. Facets of many values have no room for them. */
  readonly isTimed: boolean
}

export const FACETS: readonly Facet[] = [
  { name: 'all', id: 0, shards: 1, isTimed: true },
  { name: 'collection', id: 1, shards: 1, isTimed: true },
  { name: 'endpoint', id: 2, shards: 16, isTimed: false },
  { name: 'client', id: 3, shards: 16, isTimed: false },
  { name: 'agent', id: 4, shards: 1, isTimed: true },
  { name: 'method', id: 5, shards: 1, isTimed: true },
  { name: 'surface', id: 6, shards: 1, isTimed: true },
  { name: 'virtual_mcp', id: 7, shards: 1, isTimed: true },
  { name: 'origin', id: 8, shards: 1, isTimed: true },
  { name: 'profile', id: 9, shards: 4, isTimed: false },
]

/** Between the parts of a value. */
export const SEPARATOR = '\0'

/** Methods that are told apart: callers choose methods, and a rollup has no room for invented ones. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'])
const OTHER_METHOD = 'OTHER'
/** Longer names of agents are cut. */
const AGENT_MAX = 100

/** The facet of a name. */
export function facet(name: FacetName): Facet {
  return FACETS.find((one) => one.name === name)!
}

function methodOf(rows: Rows, row: number): string {
  const method = rows.method(row)
  return METHODS.has(method) ? method : OTHER_METHOD
}

function wordOf(rows: Rows, row: number, column: Parameters<Rows['word']>[1]): string {
  return rows.words[rows.word(row, column)] ?? ''
}

/**
 * The value of a row; null if it has none.
 * @param proved the caller has proved who it is; names of agents of other callers are not told apart
 */
export function facetValue(name: FacetName, rows: Rows, row: number, proved: boolean): string | null {
  switch (name) {
    case 'all':
      return ''
    case 'endpoint':
      return [
        wordOf(rows, row, 'proxy'),
        wordOf(rows, row, 'collection'),
        methodOf(rows, row),
        wordOf(rows, row, 'route'),
      ].join(SEPARATOR)
    case 'client': {
      const client = wordOf(rows, row, 'client')
      return client === '' ? null : client + SEPARATOR + wordOf(rows, row, 'collection')
    }
    case 'agent': {
      const agent = proved ? (rows.agent(row)?.name ?? '') : ''
      return agent === '' ? null : agent.slice(0, AGENT_MAX)
    }
    case 'method':
      return methodOf(rows, row)
    case 'surface':
      return String(rows.surface(row))
    case 'collection':
      return wordOf(rows, row, 'collection') || null
    case 'virtual_mcp':
      return wordOf(rows, row, 'virtualMcp') || null
    case 'origin':
      return wordOf(rows, row, 'origin') || null
    case 'profile':
      return wordOf(rows, row, 'profile') || null
  }
}

/** The shard of a value: by its first part, so that all of a proxy or client is in one. */
export function shardOf({ shards }: Facet, value: string): number {
  if (shards === 1) return 0
  const end = value.indexOf(SEPARATOR)
  const length = end === -1 ? value.length : end
  let hash = 0x811c9dc5
  for (let at = 0; at < length; at++) hash = Math.imul(hash ^ value.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % shards
}
