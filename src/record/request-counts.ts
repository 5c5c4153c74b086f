/**
 * Counts for the metrics page, in memory that all threads share. Each gateway thread adds to its own cells; the thread that
 * answers adds the cells up. Invariants:
 *
 * 1. Counting takes no lock and allocates nothing. Only the first request under a slug takes a lock, to claim a row.
 * 2. Rows are bounded. Slugs beyond {@link COLLECTIONS_MAX}, {@link VIRTUAL_MCPS_MAX} and {@link GUARDRAILS_MAX} are counted
 *    together, and so are models beyond {@link MODELS_MAX}.
 * 3. Cells only grow, and survive the thread that wrote them. A row keeps its slug. After a renaming, counts go to another
 *    row, so no series ever falls.
 */

import { getHeapStatistics } from 'node:v8'
import { PROBLEMS } from '../base/refusal.ts'
import { RECORD_SURFACES } from '../model/resource-types.ts'
import type { RecordFields } from './fields.ts'

/** Slugs of collections that have a row of their own. */
export const COLLECTIONS_MAX = 64
/** Slugs of virtual MCPs that have a row of their own. */
export const VIRTUAL_MCPS_MAX = 16
/** Slugs of guardrails that have a row of their own. */
const GUARDRAILS_MAX = 32
/** Models of workflows that have a row of their own. */
export const MODELS_MAX = 16
/** Stands in the place of the slug of all further ones. No slug begins so. */
export const OTHERS = '_other'

/** The row of requests that met no collection, after those of collections and the one of further collections. */
const NONE_ROW = COLLECTIONS_MAX + 1
const ROWS = COLLECTIONS_MAX + 2

/** Where guardrails look, and what became of what they found. */
export const LEG_LABELS: readonly string[] = ['request', 'response', 'list']
export const HIT_LABELS = ['blocked', 'changed', 'logged', 'observed', 'failed'] as const
export type HitLabel = (typeof HIT_LABELS)[number]
const HIT_CELLS = LEG_LABELS.length * HIT_LABELS.length

/** Tokens of a model. */
export const TOKEN_LABELS: readonly string[] = ['prompt', 'completion']

export const SURFACE_LABELS = RECORD_SURFACES
/** By the first digit of the status; the first for callers who left before an answer. */
export const CLASS_LABELS = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const
const STATUS_CELLS = SURFACE_LABELS.length * CLASS_LABELS.length

/** Upper bounds of the buckets, seconds. */
export const GATEWAY_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10,
] as const
export const UPSTREAM_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const
/** Of one histogram: a cell for each bucket, one for what is above, and the sum. */
const HISTOGRAM_CELLS = GATEWAY_BUCKETS.length + 2
const ROW_CELLS = STATUS_CELLS + 2 * HISTOGRAM_CELLS

const CODES = Object.keys(PROBLEMS)
const CODE_INDEXES = new Map(CODES.map((code, index) => [code, index]))
/** Names of checks that are told apart; further ones are counted as the last. */
const CHECKS_MAX = 32

/** What a thread says of itself, after its counts. */
export const THREAD_CELLS = {
  heapUsedBytes: 0,
  heapTotalBytes: 1,
  lagSeconds: 2,
  revision: 3,
  parkedCalls: 4,
} as const
const THREAD_CELL_COUNT = 5

/** Where the rows of virtual MCPs begin: the classes of each, and of further ones together. */
const VIRTUAL_MCPS_AT = ROWS * ROW_CELLS + CHECKS_MAX * CODES.length
/** Where the rows of guardrails begin, in the same way. */
const GUARDRAILS_AT = VIRTUAL_MCPS_AT + (VIRTUAL_MCPS_MAX + 1) * CLASS_LABELS.length
/** Where the rows of models begin: their prompt and completion tokens. */
const MODELS_AT = GUARDRAILS_AT + (GUARDRAILS_MAX + 1) * HIT_CELLS
const SLOT_CELLS = MODELS_AT + (MODELS_MAX + 1) * TOKEN_LABELS.length + THREAD_CELL_COUNT

/** A name in the memory: its length, then UTF-8. */
const NAME_BYTES = 64
const NAME_CELL_BYTES = NAME_BYTES + 1
/** Two Int32 cells of each table of slugs at the start: its lock, and how many of its rows are claimed. */
const LOCK = 0
const CLAIMED = 1
const HEAD_BYTES = 8
/** Where the tables have their head and their slugs. */
const COLLECTION_SLUGS = { max: COLLECTIONS_MAX, headAt: 0, slugsAt: 4 * HEAD_BYTES } as const
const VIRTUAL_MCP_SLUGS = {
  max: VIRTUAL_MCPS_MAX,
  headAt: HEAD_BYTES,
  slugsAt: COLLECTION_SLUGS.slugsAt + COLLECTIONS_MAX * NAME_CELL_BYTES,
} as const
const GUARDRAIL_SLUGS = {
  max: GUARDRAILS_MAX,
  headAt: 2 * HEAD_BYTES,
  slugsAt: VIRTUAL_MCP_SLUGS.slugsAt + VIRTUAL_MCPS_MAX * NAME_CELL_BYTES,
} as const
const MODEL_NAMES = {
  max: MODELS_MAX,
  headAt: 3 * HEAD_BYTES,
  slugsAt: GUARDRAIL_SLUGS.slugsAt + GUARDRAILS_MAX * NAME_CELL_BYTES,
} as const
/** Looks at a lock that another thread holds. A thread that died with it leaves new slugs without a row. */
const LOCK_TRIES = 10_000

/** @param slots threads that write, the main thread included */
export function createCountMemory(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(cellsAt() + slots * SLOT_CELLS * Float64Array.BYTES_PER_ELEMENT)
}

/** Where the cells of the slots begin: after heads and slugs. */
function cellsAt(): number {
  return Math.ceil((MODEL_NAMES.slugsAt + MODELS_MAX * NAME_CELL_BYTES) / 8) * 8
}

interface Named {
  readonly fragment: { readonly slug: string }
}

/** What one thread counts. */
export class RequestCounts {
  readonly #cells: Float64Array
  readonly #collections: SlugRows
  readonly #virtualMcps: SlugRows
  readonly #guardrails: SlugRows
  readonly #models: SlugRows
  readonly #checks: ReadonlyMap<string, number>

  /** @param checks names of all checks, the same and in the same order for all threads */
  constructor(memory: SharedArrayBuffer, slot: number, checks: readonly string[]) {
    this.#cells = slotOf(memory, slot)
    this.#collections = new SlugRows(memory, COLLECTION_SLUGS)
    this.#virtualMcps = new SlugRows(memory, VIRTUAL_MCP_SLUGS)
    this.#guardrails = new SlugRows(memory, GUARDRAIL_SLUGS)
    this.#models = new SlugRows(memory, MODEL_NAMES)
    this.#checks = new Map(checks.map((name, index) => [name, Math.min(index, CHECKS_MAX - 1)]))
  }

  /** Counts one request; `collection` or `virtualMcp` is the one that it met. */
  add(fields: RecordFields, collection: Named | null, virtualMcp: Named | null = null): void {
    const cells = this.#cells
    const row = collection === null ? NONE_ROW : this.#collections.rowOf(collection.fragment.slug)
    const at = row * ROW_CELLS
    const { status, upstreamMs, durationMs, code } = fields
    const statusClass = status >= 100 && status < 600 ? Math.floor(status / 100) : 0
    cells[at + fields.surface * CLASS_LABELS.length + statusClass]! += 1
    if (virtualMcp !== null) {
      const virtualRow = this.#virtualMcps.rowOf(virtualMcp.fragment.slug)
      cells[VIRTUAL_MCPS_AT + virtualRow * CLASS_LABELS.length + statusClass]! += 1
    }
    // A tunnel or a stream lasts as long as both ends like
    if (status >= 200 && !fields.isStream) {
      const ofGateway = upstreamMs < 0 ? durationMs : Math.max(0, durationMs - upstreamMs)
      observe(cells, at + STATUS_CELLS, GATEWAY_BUCKETS, ofGateway / 1000)
      if (upstreamMs >= 0)
        observe(cells, at + STATUS_CELLS + HISTOGRAM_CELLS, UPSTREAM_BUCKETS, upstreamMs / 1000)
    }
    if (code === '') return
    const check = this.#checks.get(fields.check) ?? 0
    const index = CODE_INDEXES.get(code)
    if (index !== undefined) cells[ROWS * ROW_CELLS + check * CODES.length + index]! += 1
  }

  /** Counts what a guardrail found on a leg of one call. */
  addHits(guardrail: string, leg: string, hit: HitLabel, count: number): void {
    const row = this.#guardrails.rowOf(guardrail)
    const place = Math.max(0, LEG_LABELS.indexOf(leg)) * HIT_LABELS.length + HIT_LABELS.indexOf(hit)
    this.#cells[GUARDRAILS_AT + row * HIT_CELLS + place]! += count
  }

  /** Counts tokens of a model. @param model ASCII: models with the same first 64 characters are counted together */
  addTokens(model: string, prompt: number, completion: number): void {
    const at = MODELS_AT + this.#models.rowOf(model.slice(0, NAME_BYTES)) * TOKEN_LABELS.length
    this.#cells[at]! += prompt
    this.#cells[at + 1]! += completion
  }

  /** What this thread says of itself; a cell of {@link THREAD_CELLS}. */
  set(cell: number, value: number): void {
    this.#cells[SLOT_CELLS - THREAD_CELL_COUNT + cell] = value
  }
}

function observe(cells: Float64Array, at: number, buckets: readonly number[], seconds: number): void {
  let bucket = 0
  while (bucket < buckets.length && seconds > buckets[bucket]!) bucket++
  cells[at + bucket]! += 1
  cells[at + buckets.length + 1]! += seconds
}

function slotOf(memory: SharedArrayBuffer, slot: number): Float64Array {
  const at = cellsAt() + slot * SLOT_CELLS * Float64Array.BYTES_PER_ELEMENT
  return new Float64Array(memory, at, SLOT_CELLS)
}

interface SlugTable {
  readonly max: number
  readonly headAt: number
  readonly slugsAt: number
}

/** The slugs that have a row, the same for all threads. */
class SlugRows {
  readonly #max: number
  readonly #head: Int32Array
  readonly #bytes: Uint8Array
  readonly #rows = new Map<string, number>()
  #lastSlug = ''
  #lastRow = 0

  constructor(memory: SharedArrayBuffer, { max, headAt, slugsAt }: SlugTable) {
    this.#max = max
    this.#head = new Int32Array(memory, headAt, HEAD_BYTES / Int32Array.BYTES_PER_ELEMENT)
    this.#bytes = new Uint8Array(memory, slugsAt, max * NAME_CELL_BYTES)
  }

  /** The row of a slug, which is not empty; the one after all others for further slugs. */
  rowOf(slug: string): number {
    if (slug === this.#lastSlug) return this.#lastRow
    const row = this.#rows.get(slug) ?? this.#claim(slug)
    // A lock that another thread held for too long says nothing about the next time
    if (row === null) return this.#max
    this.#rows.set(slug, row)
    this.#lastSlug = slug
    this.#lastRow = row
    return row
  }

  /** Rows and their slugs, those of further slugs last. */
  all(): readonly (readonly [row: number, slug: string])[] {
    const claimed = Atomics.load(this.#head, CLAIMED)
    const known = Array.from({ length: claimed }, (_, row) => [row, this.#slug(row)] as const)
    return [...known, [this.#max, OTHERS]]
  }

  #claim(slug: string): number | null {
    const head = this.#head
    let tries = 0
    while (Atomics.compareExchange(head, LOCK, 0, 1) !== 0) if (++tries > LOCK_TRIES) return null
    try {
      const claimed = Atomics.load(head, CLAIMED)
      for (let row = 0; row < claimed; row++) if (this.#slug(row) === slug) return row
      if (claimed === this.#max) return this.#max
      this.#setSlug(claimed, slug)
      Atomics.store(head, CLAIMED, claimed + 1)
      return claimed
    } finally {
      Atomics.store(head, LOCK, 0)
    }
  }

  #slug(row: number): string {
    const at = row * NAME_CELL_BYTES
    // A copy: nothing decodes shared memory
    return new TextDecoder().decode(this.#bytes.slice(at + 1, at + 1 + this.#bytes[at]!))
  }

  #setSlug(row: number, slug: string): void {
    const at = row * NAME_CELL_BYTES
    const bytes = new TextEncoder().encode(slug).subarray(0, NAME_BYTES)
    this.#bytes.set(bytes, at + 1)
    this.#bytes[at] = bytes.length
  }
}

/** A histogram: counts of its buckets, not summed up, the last of what is above all bounds. */
export interface HistogramCounts {
  readonly buckets: readonly number[]
  readonly sumSeconds: number
}

interface CollectionCounts {
  /** Empty for requests that met no collection. */
  readonly slug: string
  /** By surface, then by class. */
  readonly requests: readonly (readonly number[])[]
  readonly gateway: HistogramCounts
  readonly upstream: HistogramCounts
}

interface VirtualMcpCounts {
  readonly slug: string
  /** By class. */
  readonly requests: readonly number[]
}

interface GuardrailCounts {
  readonly slug: string
  /** By leg, then by what became of it. */
  readonly hits: readonly (readonly number[])[]
}

interface ModelCounts {
  readonly model: string
  /** By {@link TOKEN_LABELS}. */
  readonly tokens: readonly number[]
}

interface ThreadFigures {
  readonly heapUsedBytes: number
  readonly heapTotalBytes: number
  readonly lagSeconds: number
  readonly revision: number
  /** Calls over MCP that wait for input of their clients. */
  readonly parkedCalls: number
}

/** The counts of all threads together. */
export interface CountTotals {
  readonly collections: readonly CollectionCounts[]
  readonly virtualMcps: readonly VirtualMcpCounts[]
  readonly guardrails: readonly GuardrailCounts[]
  readonly models: readonly ModelCounts[]
  readonly refusals: readonly { readonly check: string; readonly code: string; readonly count: number }[]
  /** By slot. */
  readonly threads: readonly ThreadFigures[]
}

/** Sums up what all threads have counted. Reads shared cells while others write them: each of them is whole. */
export function readCounts(memory: SharedArrayBuffer, slots: number, checks: readonly string[]): CountTotals {
  const sums = new Float64Array(SLOT_CELLS)
  const cells = Array.from({ length: slots }, (_, slot) => slotOf(memory, slot))
  for (const own of cells) for (let i = 0; i < SLOT_CELLS; i++) sums[i]! += own[i]!
  const rows = [...new SlugRows(memory, COLLECTION_SLUGS).all(), [NONE_ROW, ''] as const]
  return {
    collections: rows.map(([row, slug]) => {
      const own = sums.subarray(row * ROW_CELLS, (row + 1) * ROW_CELLS)
      return {
        slug,
        requests: SURFACE_LABELS.map((_, surface) => [
          ...own.subarray(surface * CLASS_LABELS.length, (surface + 1) * CLASS_LABELS.length),
        ]),
        gateway: histogramAt(own, STATUS_CELLS),
        upstream: histogramAt(own, STATUS_CELLS + HISTOGRAM_CELLS),
      }
    }),
    virtualMcps: new SlugRows(memory, VIRTUAL_MCP_SLUGS).all().map(([row, slug]) => {
      const at = VIRTUAL_MCPS_AT + row * CLASS_LABELS.length
      return { slug, requests: [...sums.subarray(at, at + CLASS_LABELS.length)] }
    }),
    guardrails: new SlugRows(memory, GUARDRAIL_SLUGS).all().map(([row, slug]) => {
      const at = GUARDRAILS_AT + row * HIT_CELLS
      const own = sums.subarray(at, at + HIT_CELLS)
      return {
        slug,
        hits: LEG_LABELS.map((_, leg) => [
          ...own.subarray(leg * HIT_LABELS.length, (leg + 1) * HIT_LABELS.length),
        ]),
      }
    }),
    models: new SlugRows(memory, MODEL_NAMES).all().map(([row, model]) => {
      const at = MODELS_AT + row * TOKEN_LABELS.length
      return { model, tokens: [...sums.subarray(at, at + TOKEN_LABELS.length)] }
    }),
    refusals: refusalsIn(sums.subarray(ROWS * ROW_CELLS), checks),
    threads: cells.map((own) => {
      const at = SLOT_CELLS - THREAD_CELL_COUNT
      return {
        heapUsedBytes: own[at + THREAD_CELLS.heapUsedBytes]!,
        heapTotalBytes: own[at + THREAD_CELLS.heapTotalBytes]!,
        lagSeconds: own[at + THREAD_CELLS.lagSeconds]!,
        revision: own[at + THREAD_CELLS.revision]!,
        parkedCalls: own[at + THREAD_CELLS.parkedCalls]!,
      }
    }),
  }
}

function histogramAt(cells: Float64Array, at: number): HistogramCounts {
  const buckets = [...cells.subarray(at, at + HISTOGRAM_CELLS - 1)]
  return { buckets, sumSeconds: cells[at + HISTOGRAM_CELLS - 1]! }
}

function refusalsIn(cells: Float64Array, checks: readonly string[]): CountTotals['refusals'] {
  return checks
    .slice(0, CHECKS_MAX)
    .flatMap((check, index) =>
      CODES.map((code, of) => ({ check, code, count: cells[index * CODES.length + of]! })),
    )
    .filter(({ count }) => count > 0)
}

// Figures of a thread for the metrics page: heap and delay of its event loop.

const TICK_MS = 250
/** Ticks of which the longest delay is shown. */
const TICKS = 20

/**
 * Says every 5 seconds how large the heap of this thread is, and how long its event loop was held up. Does not keep the
 * thread alive. @param revision of the configuration that the thread serves
 */
export function keepThreadFigures(counts: RequestCounts, revision: () => number): void {
  let dueAt = performance.now() + TICK_MS
  let longestMs = 0
  let ticks = 0
  const say = (): void => {
    const { used_heap_size, total_heap_size } = getHeapStatistics()
    counts.set(THREAD_CELLS.heapUsedBytes, used_heap_size)
    counts.set(THREAD_CELLS.heapTotalBytes, total_heap_size)
    counts.set(THREAD_CELLS.lagSeconds, longestMs / 1000)
    counts.set(THREAD_CELLS.revision, revision())
    longestMs = 0
    ticks = 0
  }
  // The thread before in this slot may have ended with some
  counts.set(THREAD_CELLS.parkedCalls, 0)
  say()
  setInterval(() => {
    const now = performance.now()
    longestMs = Math.max(longestMs, now - dueAt)
    dueAt = now + TICK_MS
    if (++ticks === TICKS) say()
  }, TICK_MS).unref()
}
