/** Answers questions about metrics from rollups, if too many records would have to be read. */
import { type Clock, toTime } from '../../base/clock.ts'
import { RECORD_SURFACES } from '../../model/resource-types.ts'
import type { RecordReader, RollupView, StartedShard } from '../../store/ports/records.ts'
import { readBlock } from '../block.ts'
import { compileFilter, statusesOf } from '../block-filter.ts'
import {
  ENDPOINT_SEPARATOR,
  GROUPS_MAX,
  KEYS,
  type MetricsAnswer,
  type MetricsGrouping,
  type MetricsQuestion,
  ORDERS,
} from '../metrics.ts'
import type { RecordSelection } from '../record-selection.ts'
import { type Reader, readCell, readShard } from './codec.ts'
import {
  alignedRange,
  DAY_MS,
  keptMs,
  MINUTE_MS,
  OTHER,
  type Piece,
  piecesOf,
  type Range,
  startOf,
} from './keeper.ts'
import { type FacetName, facet, SEPARATOR, Sum, shardOf } from './sum.ts'

/** Questions about fewer rows read them: exactly the time that was asked for, with percentiles within 2 %. */
const READ_ROWS_MAX = 50_000

/**
 * Counts by rollups, and the records that they do not count yet.
 * @returns null where the records are to be read: they are few, or rollups do not tell apart what is asked for
 */
export async function measureRolled(
  reader: RecordReader,
  clock: Pick<Clock, 'now'>,
  question: MetricsQuestion,
): Promise<MetricsAnswer | null> {
  const { selection, by, bucketMs } = question
  const plan = planOf(question)
  if (plan === null || selection.from === undefined || selection.to === undefined) return null
  const asked = { fromMs: Date.parse(selection.from), toMs: Date.parse(selection.to) }
  const removedUntil = await reader.removedUntil()
  const isWhole = removedUntil === null || removedUntil < asked.fromMs
  if (isWhole && (await reader.rowsWithin(asked.fromMs, asked.toMs, READ_ROWS_MAX)) <= READ_ROWS_MAX)
    return null
  const now = clock.now()
  return reader.rollups(async (view) => {
    const kept = await view.keptSince()
    const keptSince = (widthMs: number): number => Math.max(kept.get(widthMs) ?? 0, now - keptMs(widthMs))
    const range = alignedRange(asked, keptSince)
    const pieces = piecesOf(range, keptSince, by === 'time' ? bucketMs : null)
    if (pieces === null) return null
    const count = new Count(view, question, plan)
    await count.addRows(range)
    for (const piece of pieces) await count.addCounts(piece)
    // Of the groups that are answered alone: durations take most of the bytes
    const groups = count.chosen()
    for (const piece of pieces) await count.addTimes(piece, groups)
    return count.answer(groups, range, keptSince(DAY_MS))
  })
}

class Count {
  readonly #view: RollupView
  readonly #question: MetricsQuestion
  readonly #plan: Plan
  readonly #hasStatus: (status: number) => boolean
  readonly #sums = new Map<string | number, Sum>()
  readonly #clients = new Set<string>()
  /** What a word is gathered under; undefined for a value that does not fit, null for one without a group. */
  readonly #groups = new Map<number, string | null | undefined>()
  #ungrouped = 0
  #omitted = 0
  #read = 0
  #total = 0

  constructor(view: RollupView, question: MetricsQuestion, plan: Plan) {
    this.#view = view
    this.#question = question
    this.#plan = plan
    const { status } = question.selection
    const statuses = status === undefined ? null : statusesOf(status)
    this.#hasStatus = statuses === null ? () => true : (one) => statuses.has(one)
  }

  async addCounts(piece: Piece): Promise<void> {
    const { countsClients } = this.#plan
    for await (const shards of this.#shards(piece))
      for (const { startMs, data } of shards) this.#count(startMs, data)
    if (countsClients) await this.#addClients(piece)
  }

  /** Adds durations and problem codes to some of the groups. */
  async addTimes(piece: Piece, groups: readonly Sum[]): Promise<void> {
    const chosen = new Map(groups.map((sum) => [sum.key, sum]))
    for await (const shards of this.#shards(piece))
      for (const { startMs, data } of shards) this.#time(startMs, data, chosen)
  }

  #time(startMs: number, data: Uint8Array, chosen: ReadonlyMap<string | number, Sum>): void {
    const time = this.#timeOf(startMs)
    readShard(data, (word, cell) => {
      const group = this.#groupOf(word)
      if (group === undefined || group === null) return
      const byStatus = this.#question.by === 'status'
      const sum = byStatus ? undefined : chosen.get(time ?? group)
      if (!byStatus && sum === undefined) return
      readCell(cell, {
        status: (status) => (this.#hasStatus(status) ? ((sum ?? chosen.get(status))?.timing ?? null) : null),
      })
    })
  }

  /** The shards of a piece, and those of its minutes that it does not count yet. */
  async *#shards(
    { widthMs, fromMs, toMs }: Piece,
    name = this.#plan.facet,
  ): AsyncIterable<readonly StartedShard[]> {
    const shard = name === this.#plan.facet ? this.#plan.shard : null
    const { id } = facet(name)
    yield* this.#view.shards(widthMs, id, shard, fromMs, toMs)
    if (widthMs === MINUTE_MS) return
    for (const minute of await this.#view.uncarried(fromMs, toMs))
      yield* this.#view.shards(MINUTE_MS, id, shard, minute, minute + MINUTE_MS)
  }

  /** The point that a rollup belongs to; null unless gathered by time. */
  #timeOf(startMs: number): number | null {
    const { by, bucketMs } = this.#question
    return by === 'time' ? startOf(startMs, bucketMs) : null
  }

  #count(startMs: number, data: Uint8Array): void {
    const time = this.#timeOf(startMs)
    const { by } = this.#question
    readShard(data, (word, cell) => {
      const group = this.#groupOf(word)
      if (group === undefined) return
      readCell(cell, {
        status: (status) => {
          if (!this.#hasStatus(status)) return null
          const key = group === null ? null : (time ?? (by === 'status' ? status : group))
          const sum = key === null ? null : this.#sumOf(key)
          if (sum !== null) return sum.counting(status)
          return this.#leftOut(key === null && word !== OTHER)
        },
      })
    })
  }

  #leftOut(isUngrouped: boolean) {
    return {
      counts: (requests: number) => {
        if (isUngrouped) this.#ungrouped += requests
        else this.#omitted += requests
      },
      duration: null,
      upstream: null,
      gateway: null,
      codes: null,
    }
  }

  #groupOf(word: number): string | null | undefined {
    if (this.#groups.has(word)) return this.#groups.get(word)
    const parts = partsOf(word === OTHER ? '' : this.#view.word(word))
    // What is not told apart belongs to no group, unless nothing has to be told apart
    const group = word === OTHER && this.#plan.facet !== 'all' ? null : this.#plan.groupOf(parts)
    const fits = word === OTHER || this.#plan.fits(parts) ? group : undefined
    this.#groups.set(word, fits)
    return fits
  }

  async #addClients(piece: Piece): Promise<void> {
    const { selection } = this.#question
    const wanted = selection.collection === undefined ? selection.collections : [selection.collection]
    const add = (word: number, cell: Reader): void => {
      if (word === OTHER) return
      const [client = '', collection = ''] = partsOf(this.#view.word(word))
      if (wanted !== undefined && !wanted.includes(collection)) return
      if (selection.client !== undefined && selection.client !== client) return
      if (this.#clients.has(client)) return
      readCell(cell, {
        status: (status) => {
          if (this.#hasStatus(status)) this.#clients.add(client)
          return null
        },
      })
    }
    for await (const shards of this.#shards(piece, 'client'))
      for (const { data } of shards) readShard(data, add)
  }

  /** The records that no rollup counts yet. */
  async addRows({ fromMs, toMs }: Range): Promise<void> {
    const { by, bucketMs, selection } = this.#question
    const keyOf = KEYS[by]
    const match = compileFilter({
      ...selection,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
    })
    for await (const block of this.#view.uncounted(fromMs, toMs)) {
      this.#read += block.rows
      const rows = readBlock(block)
      const fits = match.on(rows)
      if (fits === null) continue
      for (let row = 0; row < rows.count; row++) {
        if (!fits(row)) continue
        const key = keyOf(rows, row, bucketMs)
        const sum = key === null ? null : this.#sumOf(key)
        if (sum !== null) sum.addRow(rows, row)
        else if (key === null) this.#ungrouped += rows.requests(row)
        else this.#omitted += rows.requests(row)
        const client = rows.words[rows.word(row, 'client')] ?? ''
        if (client !== '') this.#clients.add(client)
      }
    }
  }

  /** Null when there are too many groups. */
  #sumOf(key: string | number): Sum | null {
    let sum = this.#sums.get(key)
    if (sum === undefined) {
      if (this.#sums.size >= GROUPS_MAX) return null
      sum = new Sum(key, this.#question.by, (id) => this.#view.word(id))
      this.#sums.set(key, sum)
    }
    return sum
  }

  /** The groups that are answered, in their order. */
  chosen(): readonly Sum[] {
    const { order, limit } = this.#question
    const groups = [...this.#sums.values()].filter(({ requests }) => requests > 0)
    this.#total = groups.length
    return groups.sort(ORDERS[order]).slice(0, limit)
  }

  /** @param since before it rollups may lack records, milliseconds since the epoch */
  answer(groups: readonly Sum[], range: Range, since: number): MetricsAnswer {
    const clients = this.#question.by !== 'all' ? 0 : this.#plan.countsClients ? this.#clients.size : null
    const { isTimed } = facet(this.#plan.facet)
    return {
      groups: groups.map((sum) => sum.group(clients, isTimed)),
      total: this.#total,
      ungrouped: this.#ungrouped,
      omitted: this.#omitted,
      read: this.#read,
      rolled: range,
      completeFrom: range.fromMs < since ? toTime(since) : null,
    }
  }
}

// Decides which rollups answer a question about metrics.

interface Plan {
  readonly facet: FacetName
  /** Null for all. */
  readonly shard: number | null
  /** True for a value that is asked for. */
  readonly fits: (parts: readonly string[]) => boolean
  /** The group of a value; null for none. The start of the rollup decides where it is gathered by time. */
  readonly groupOf: (parts: readonly string[]) => string | null
  /** Distinct clients are counted by the values of the facet `client`. */
  readonly countsClients: boolean
}

/** What narrows a question besides time and status. */
const DIMENSIONS = [
  'collection',
  'collections',
  'proxy',
  'client',
  'profile',
  'virtual_mcp',
  'origin',
  'method',
  'surface',
  'agent_name',
] as const
type Dimension = (typeof DIMENSIONS)[number]
const KNOWN: readonly string[] = [...DIMENSIONS, 'status', 'from', 'to']

/** Where the parts of the values of a facet stand that questions are narrowed by. */
const PARTS: Readonly<Record<FacetName, Partial<Record<Dimension, number>>>> = {
  all: {},
  collection: { collection: 0, collections: 0 },
  endpoint: { proxy: 0, collection: 1, collections: 1, method: 2 },
  client: { client: 0, collection: 1, collections: 1 },
  agent: { agent_name: 0 },
  method: { method: 0 },
  surface: { surface: 0 },
  virtual_mcp: { virtual_mcp: 0 },
  origin: { origin: 0 },
  profile: { profile: 0 },
}
/** Smallest first. */
const ORDER: readonly FacetName[] = [
  'all',
  'surface',
  'method',
  'collection',
  'agent',
  'virtual_mcp',
  'origin',
  'profile',
  'client',
  'endpoint',
]
/** The part of a value that a question is gathered by; of facets that have it. */
const GROUPS: Readonly<Partial<Record<MetricsGrouping, Partial<Record<FacetName, number>>>>> = {
  method: { method: 0, endpoint: 2 },
  collection: { collection: 0, endpoint: 1, client: 1 },
  proxy: { endpoint: 0 },
  client: { client: 0 },
  profile: { profile: 0 },
  agent: { agent: 0 },
  virtual_mcp: { virtual_mcp: 0 },
  origin: { origin: 0 },
}

/** The rollups that answer a question; null if none do, and the records have to be read. */
function planOf({ selection, by }: Pick<MetricsQuestion, 'selection' | 'by'>): Plan | null {
  const given = Object.entries(selection).filter(([, value]) => value !== undefined)
  if (given.some(([name]) => !KNOWN.includes(name))) return null
  const asked = DIMENSIONS.filter((name) => selection[name] !== undefined)
  const found = ORDER.find(
    (name) => asked.every((one) => PARTS[name][one] !== undefined) && canGather(by, name),
  )
  if (found === undefined) return null
  const tests = asked.map((name) => testOf(found, name, selection))
  if (tests.includes(null)) return null
  const first = asked.find((name) => PARTS[found][name] === 0)
  const value = first === undefined || first === 'collections' ? null : String(selection[first])
  return {
    facet: found,
    shard: value === null || first === 'surface' ? null : shardOf(facet(found), value),
    fits: (parts) => tests.every((test) => test!(parts)),
    groupOf: groupOf(by, found),
    countsClients: by === 'all' && asked.every((name) => PARTS.client[name] !== undefined),
  }
}

function canGather(by: MetricsGrouping, name: FacetName): boolean {
  if (by === 'all' || by === 'status' || by === 'time') return true
  if (by === 'endpoint') return name === 'endpoint'
  return GROUPS[by]?.[name] !== undefined
}

function groupOf(by: MetricsGrouping, name: FacetName): Plan['groupOf'] {
  if (by === 'endpoint')
    return ([, , method, route]) => (route === '' ? null : method + ENDPOINT_SEPARATOR + route)
  const part = GROUPS[by]?.[name]
  return part === undefined ? () => '' : (parts) => parts[part] || null
}

function testOf(
  name: FacetName,
  dimension: Dimension,
  selection: RecordSelection,
): ((parts: readonly string[]) => boolean) | null {
  const part = PARTS[name][dimension]!
  if (dimension === 'collections') {
    const wanted = new Set(selection.collections)
    return (parts) => wanted.has(parts[part] ?? '')
  }
  if (dimension === 'surface') {
    const { surface } = selection
    if (surface === 'agent') return (parts) => parts[part] !== '0'
    const number = String(RECORD_SURFACES.indexOf(surface as (typeof RECORD_SURFACES)[number]))
    return (parts) => parts[part] === number
  }
  const wanted = selection[dimension]
  return (parts) => parts[part] === wanted
}

/** The parts of a value of a facet. */
function partsOf(value: string): readonly string[] {
  return value.split(SEPARATOR)
}
