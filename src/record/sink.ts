import { createBatchWriter, type RecordBatch } from './batch.ts'
import type { RecordFields, RecordSink } from './fields.ts'
import { BLOCK_ROWS_MAX } from './row.ts'

/** Between the first record of a batch and its hand-over: how old the newest record in a query may be. */
const FLUSH_MS = 200

/** UTF-16 units of text after which a batch is handed over though rows are left: long paths do not pile up. */
const TEXT_MAX = 512 * 1024

export interface SinkOptions {
  /** Rows of a batch; at most 8192. */
  readonly batchRows?: number
  /** Batches handed over and not yet taken. At the bound one more is gathered; then records are dropped. */
  readonly batchesMax?: number
  /** Told of records when they are dropped. */
  readonly dropped?: (rows: number) => void
}

export interface BatchedSink extends RecordSink {
  /** Where batches go from now on. Null while there is no recorder. */
  attach(post: ((batch: RecordBatch) => void) | null): void
  /** The receiver took `batches` more, in order. */
  taken(batches: number): void
}

/**
 * The gateway thread's end. Invariants:
 * 1. `add` copies, never waits and never throws.
 * 2. Every record added is either handed over once or counted in `dropped`. What was handed over to a receiver
 *    that went away before taking it counts as dropped.
 * 3. Nothing that was handed over is used again.
 */
export function createRecordSink(options: SinkOptions = {}): BatchedSink {
  const batchRows = Math.min(options.batchRows ?? 1024, BLOCK_ROWS_MAX)
  const batchesMax = options.batchesMax ?? 64
  const writer = createBatchWriter(batchRows)
  /** Rows of each batch that is on its way. */
  const underway: number[] = []
  let dropped = 0
  let post: ((batch: RecordBatch) => void) | null = null
  let timer: NodeJS.Timeout | undefined

  const drop = (rows: number): void => {
    dropped += rows
    options.dropped?.(rows)
  }
  const isFull = (): boolean => writer.rows === batchRows || writer.textLength > TEXT_MAX
  const flush = (): void => {
    if (timer !== undefined) clearTimeout(timer)
    timer = undefined
    if (writer.rows === 0 || post === null || underway.length >= batchesMax) return
    const batch = writer.take()
    underway.push(batch.rows)
    post(batch)
  }
  return {
    get dropped(): number {
      return dropped
    },
    add(fields: RecordFields): void {
      if (isFull()) {
        flush()
        if (isFull()) {
          drop(1)
          return
        }
      }
      writer.add(fields)
      if (isFull()) flush()
      else if (timer === undefined) timer = setTimeout(flush, FLUSH_MS).unref()
    },
    flush,
    attach(next): void {
      for (const rows of underway.splice(0)) drop(rows)
      post = next
      flush()
    },
    taken(batches: number): void {
      underway.splice(0, batches)
      if (isFull() || timer === undefined) flush()
    },
  }
}
