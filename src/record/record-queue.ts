/**
 * How a gateway thread hands records over. The queue is bounded, dropped records are counted, and the gateway never waits.
 * Callers without a proven credential have their own share of the queue, so a flood drops no records of other callers.
 */
import type { MessagePort } from 'node:worker_threads'
import { createBatchWriter, type RecordBatch } from './batch.ts'
import { BLOCK_ROWS_MAX, isProved, type RecordFields, type RecordQueue } from './fields.ts'
import type { FromRecorder, ToRecorder } from './messages.ts'

/** Between the first record of a batch and its hand-over: how old the newest record in a query may be. */
const FLUSH_MS = 200

/** At so many batches underway, the recorder stores nothing for now: those that follow are full, so that all their places are used. */
const SMALL_UNDERWAY_MAX = 4

/** UTF-16 units of text after which a batch is handed over though rows are left: long paths do not pile up. */
const TEXT_MAX = 512 * 1024

/** Batches of callers who have proved nothing, for each of the others. */
const UNPROVED_SHARE = 0.25

export interface RecordQueueOptions {
  /** Rows of a batch; at most `BLOCK_ROWS_MAX`. */
  readonly batchRows?: number
  /**
   * Batches handed over and not yet taken. At the bound one more is gathered; then records are dropped. Callers who have
   * proved nothing have a bound of their own, a quarter of this.
   */
  readonly batchesMax?: number
  /** Told of requests whose record was dropped, at that moment. */
  readonly dropped?: (requests: number) => void
  /** Wall clock, milliseconds. */
  readonly now?: () => number
  /** Whom an address stands for. */
  readonly sourceOf?: (ip: string) => string
}

type Post = (batch: RecordBatch) => void

export interface BatchedRecordQueue extends RecordQueue {
  /** Where batches go from now on. Null while there is no recorder. */
  attach(post: Post | null): void
  /** The receiver took the next batch of this share. */
  taken(proved: boolean): void
  /** Hands over everything, also refusals of the minute that is not over. */
  end(): void
}

/**
 * The gateway thread's end. Invariants:
 * 1. `add` copies, never waits and never throws.
 * 2. Every record added is either handed over once, counted in an aggregate, or counted in `dropped`. What was handed
 *    over to a receiver that went away before taking it counts as dropped.
 * 3. Nothing that was handed over is used again.
 * 4. Callers who have proved nothing take no place of those who have: each has batches of its own.
 */
export function createRecordQueue(options: RecordQueueOptions = {}): BatchedRecordQueue {
  const batchRows = Math.min(options.batchRows ?? 1024, BLOCK_ROWS_MAX)
  const batchesMax = options.batchesMax ?? 64
  const now = options.now ?? Date.now
  const refusals = new RefusalCounts(options.sourceOf ?? ((ip) => ip))
  const proved = new Share(true, batchRows, batchesMax, options.dropped)
  const unproved = new Share(false, batchRows, Math.ceil(batchesMax * UNPROVED_SHARE), options.dropped)
  const dropped = (): number => proved.dropped + unproved.dropped
  let post: Post | null = null
  let timer: NodeJS.Timeout | undefined
  let minuteTimer: NodeJS.Timeout | undefined

  const give = (batch: RecordBatch): void => post?.(batch)
  const hand = (share: Share): void => {
    if (post !== null) share.hand(give)
  }
  const put = (share: Share, fields: RecordFields): void => {
    if (share.isFull) {
      hand(share)
      if (share.isFull) {
        share.drop(fields.count)
        return
      }
    }
    share.add(fields)
    if (share.isFull) hand(share)
    else timer ??= setTimeout(flushInTime, FLUSH_MS).unref()
  }
  const drain = (): void => {
    if (minuteTimer !== undefined) clearTimeout(minuteTimer)
    minuteTimer = undefined
    for (const fields of refusals.drain()) put(unproved, fields)
  }
  const flush = (underwayMax = Number.POSITIVE_INFINITY): void => {
    if (refusals.isOver(now())) drain()
    if (timer !== undefined) clearTimeout(timer)
    timer = undefined
    for (const share of [proved, unproved]) if (share.underway.length < underwayMax) hand(share)
  }
  const flushInTime = (): void => flush(SMALL_UNDERWAY_MAX)
  const addUnproved = (fields: RecordFields): void => {
    if (refusals.isOver(fields.timeMs)) drain()
    if (!refusals.takes(fields)) put(unproved, fields)
    else minuteTimer ??= setTimeout(flushMinute, refusals.leftMs(fields.timeMs)).unref()
  }
  const flushMinute = (): void => {
    minuteTimer = undefined
    drain()
  }
  return {
    get dropped(): number {
      return dropped()
    },
    add(fields: RecordFields): void {
      if (isProved(fields)) put(proved, fields)
      else addUnproved(fields)
    },
    flush: () => flush(),
    end() {
      drain()
      flush()
    },
    attach(next): void {
      proved.lose()
      unproved.lose()
      post = next
      flush()
    },
    taken(isOfProved): void {
      const share = isOfProved ? proved : unproved
      share.underway.shift()
      if (share.isFull || timer === undefined) hand(share)
    },
  }
}

/** The batches of one kind of callers. */
class Share {
  readonly writer
  /** Requests of each batch that is on its way. */
  readonly underway: number[] = []
  dropped = 0
  #gathered = 0
  readonly #batchRows: number
  readonly #batchesMax: number
  readonly #onDropped: RecordQueueOptions['dropped']

  constructor(
    proved: boolean,
    batchRows: number,
    batchesMax: number,
    onDropped: RecordQueueOptions['dropped'],
  ) {
    this.#onDropped = onDropped
    this.writer = createBatchWriter(batchRows, proved)
    this.#batchRows = batchRows
    this.#batchesMax = batchesMax
  }

  get isFull(): boolean {
    return this.writer.rows === this.#batchRows || this.writer.textLength > TEXT_MAX
  }

  /** Adds a record; there must be room. */
  add(fields: RecordFields): void {
    this.writer.add(fields)
    this.#gathered += fields.count
  }

  /** Gives what is gathered, where there is something and a place for it. */
  hand(give: (batch: RecordBatch) => void): void {
    if (this.writer.rows === 0 || this.underway.length >= this.#batchesMax) return
    this.underway.push(this.#gathered)
    this.#gathered = 0
    give(this.writer.take())
  }

  drop(requests: number): void {
    this.dropped += requests
    this.#onDropped?.(requests)
  }

  /** What is on its way has been lost. */
  lose(): void {
    for (const requests of this.underway.splice(0)) this.drop(requests)
  }
}

/**
 * Joins a queue to a recorder by their port. When the recorder dies the port closes: the queue then gathers and drops
 * until it is joined to the next one.
 */
export function connectRecordQueue(queue: BatchedRecordQueue, port: MessagePort): void {
  let open = true
  const post = (message: ToRecorder, transfer: ArrayBuffer[]): void => port.postMessage(message, transfer)
  port.on('message', (message: FromRecorder) => {
    if (!open) return
    if (message.kind === 'taken') queue.taken(message.proved)
    else {
      queue.flush()
      post({ kind: 'flushed', id: message.id }, [])
    }
  })
  port.once('close', () => {
    // A later connection may already be in place; then the rows were counted when it was attached.
    if (open && queuePorts.get(queue) === port) queue.attach(null)
    open = false
  })
  queuePorts.set(queue, port)
  queue.attach((batch) => post({ kind: 'batch', batch }, [batch.numbers]))
  // A port alone shall not keep a draining thread alive.
  port.unref()
}

const queuePorts = new WeakMap<BatchedRecordQueue, MessagePort>()

// Counts refusals of callers without a proven credential. Beyond the first few of a minute, such refusals share one
// record with a count.

const MINUTE_MS = 60_000

/** Refusals of one source and code in a minute that have a record each. */
const SINGLE_MAX = 10

/** Sources and codes that one thread tells apart in a minute. Further ones share one record for each code. */
const SOURCES_MAX = 1000

/** The last check whose refusals are counted together: later ones see requests that were admitted. */
const LAST_CHECK = 13

interface Counted {
  /** Of the first request that was not recorded alone, with the sums of all. */
  readonly fields: RecordFields
  single: number
}

/**
 * Counts the refusals of callers who have proved nothing: beyond the first {@link SINGLE_MAX} of a source and code in one
 * minute they are one record. So a flood costs a bounded number of records, however many addresses it comes from.
 */
class RefusalCounts {
  readonly #sourceOf: (ip: string) => string
  #counts = new Map<string, Counted>()
  #minute = Number.NEGATIVE_INFINITY

  /** @param sourceOf whom an address stands for: a network of IPv6 is one source. */
  constructor(sourceOf: (ip: string) => string) {
    this.#sourceOf = sourceOf
  }

  /** True when the request was counted, and is not to be recorded alone. */
  takes(fields: RecordFields): boolean {
    if (fields.code === '' || fields.stoppedAt < 1 || fields.stoppedAt > LAST_CHECK || fields.upstreamMs >= 0)
      return false
    this.#minute = Math.floor(fields.timeMs / MINUTE_MS)
    const key = `${this.#sourceOf(fields.ip)} ${fields.code} ${fields.surface} ${fields.client} ${fields.profile}`
    const known = this.#counts.get(key)
    if (known !== undefined) {
      if (known.single < SINGLE_MAX) {
        known.single++
        return false
      }
      add(known.fields, fields)
      return true
    }
    if (this.#counts.size < SOURCES_MAX) {
      this.#counts.set(key, { fields: { ...fields, count: 0 }, single: 1 })
      return false
    }
    this.#takeRest(fields)
    return true
  }

  /** True when refusals of an earlier minute than this one are counted. */
  isOver(now: number): boolean {
    return this.#counts.size > 0 && Math.floor(now / MINUTE_MS) !== this.#minute
  }

  /** Milliseconds until the minute that is counted is over. */
  leftMs(now: number): number {
    return Math.max(0, (this.#minute + 1) * MINUTE_MS - now)
  }

  /** One record for each source and code; all of them are forgotten. */
  drain(): RecordFields[] {
    const records = [...this.#counts.values()].filter(({ fields }) => fields.count > 0)
    this.#counts = new Map()
    return records.map(({ fields }) => ({ ...fields, durationMs: fields.durationMs / fields.count }))
  }

  #takeRest(fields: RecordFields): void {
    const key = `rest ${fields.code} ${fields.surface}`
    const rest = this.#counts.get(key)
    if (rest !== undefined) add(rest.fields, fields)
    else {
      const nobody = {
        ...fields,
        count: 0,
        ip: '',
        path: '',
        client: '',
        profile: '',
        reason: 'many sources',
      }
      add(nobody, fields)
      this.#counts.set(key, { fields: nobody, single: SINGLE_MAX })
    }
  }
}

/** The first that is counted gives its id, time, method and path; of all the sums are kept. */
function add(sum: RecordFields, { count, ...one }: RecordFields): void {
  const { ip, path, client, profile, reason } = sum
  if (sum.count === 0) Object.assign(sum, one, path === '' ? { ip, path, client, profile, reason } : {})
  else {
    sum.durationMs += one.durationMs
    sum.bytesIn += one.bytesIn
    sum.bytesOut += one.bytesOut
  }
  sum.count += count
}
