/** The messages between threads about records. A port keeps the order of its messages. */

import type { MessagePort } from 'node:worker_threads'
import type { ClockCell } from '../base/clock.ts'
import type { DatabaseAddress } from '../base/net/database-url.ts'
import type { RefusalCode } from '../base/refusal.ts'
import type { RequestRecord, WholeRecord } from '../model/record.ts'
import type { StoreFault } from '../store/ports/unavailable.ts'
import type { RecordBatch } from './batch.ts'
import type { ContractAnswer, ContractQuestion } from './contract-report.ts'
import type { MetricsAnswer, MetricsQuestion } from './metrics.ts'
import type { RecordFilter, RecordSelection } from './record-selection.ts'

/** Gateway thread to recorder, on the port between the two. */
export type ToRecorder =
  | { readonly kind: 'batch'; readonly batch: RecordBatch }
  /** Everything added before the question was asked has been posted. */
  | { readonly kind: 'flushed'; readonly id: number }

/** Recorder to gateway thread. */
export type FromRecorder =
  | { readonly kind: 'taken'; readonly proved: boolean }
  | { readonly kind: 'flush'; readonly id: number }

/** `workerData` of the recorder thread. */
export interface RecorderSetup {
  /** The file, where there is no database. */
  readonly path: string
  /** Where records are kept; null for the file. */
  readonly database: DatabaseAddress | null
  /** Why the data directory may not be written, for the log; null when it may. */
  readonly readOnly: string | null
  readonly retentionMs: number
  /** Bytes that records may take in the file; the oldest make room. */
  readonly bytesMax: number
  /** Of the instance; stands in what is recorded. */
  readonly environment: string | null
  readonly clockCell: ClockCell | null
  /** Shared memory of the limit counters, whose quotas the recorder keeps; null leaves them alone. */
  readonly counters: SharedArrayBuffer | null
  /** Nodes that count quotas together; null where this process has the store alone. */
  readonly nodes: NodeGroup | null
}

/** Ids of nodes on one database. */
export interface NodeGroup {
  /** This node. */
  readonly self: string
  /** The nodes that are counted, this one included. */
  readonly live: readonly string[]
}

/** Main thread to recorder. */
export type ToRecorderThread =
  | { readonly kind: 'connect'; readonly port: MessagePort }
  | { readonly kind: 'flush'; readonly id: number }
  | {
      readonly kind: 'remove'
      readonly id: number
      readonly selection: RecordSelection
      readonly onlyCount: boolean
    }
  | {
      readonly kind: 'follow'
      readonly id: number
      readonly filter: RecordFilter
      /** Milliseconds. */
      readonly waitMs: number
    }
  | { readonly kind: 'nodes'; readonly nodes: NodeGroup }
  | { readonly kind: 'stop' }

/** Recorder to main thread. `ready` is first: the store is open and the quotas are loaded. */
export type FromRecorderThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'flushed'; readonly id: number }
  | { readonly kind: 'removed'; readonly id: number; readonly removal: Removal }
  | { readonly kind: 'not_removed'; readonly id: number; readonly error: string }
  | { readonly kind: 'followed'; readonly id: number; readonly records: FollowedRecords }
  | { readonly kind: 'state'; readonly state: RecorderState }
  | { readonly kind: 'stopped' }

/** What deleting records has come to. */
export interface Removal {
  /** Records that are gone, or would be. */
  readonly removed: number
  /** There are others, for which there was no time. */
  readonly more: boolean
}

export interface RecorderState {
  /** Rows received and not stored yet. */
  readonly queued: number
  /** Rows that the store refused for good. Rows that gateway threads drop are counted in shared memory. */
  readonly dropped: number
  /** Why the store did not take rows the last time; null once it does. */
  readonly lastError: string | null
  /** Why the store cannot be used, with words for the log; null while it can. */
  readonly fault: { readonly fault: StoreFault; readonly inner: string } | null
}

/** `workerData` of the query thread. */
export interface QuerySetup extends Pick<RecorderSetup, 'path' | 'database'> {
  readonly clockCell: ClockCell | null
}

/** Main thread to query thread. */
export type ToQueryThread =
  | { readonly kind: 'list'; readonly id: number; readonly filter: RecordFilter }
  | { readonly kind: 'get'; readonly id: number; readonly record: string }
  | { readonly kind: 'metrics'; readonly id: number; readonly question: MetricsQuestion }
  | { readonly kind: 'contract'; readonly id: number; readonly question: ContractQuestion }

/** Query thread to main thread, once: it has started, and answers from now on. */
export interface QueryThreadReady {
  readonly kind: 'ready'
}

/** Query thread to main thread; one answer per question. */
export type FromQueryThread =
  | { readonly kind: 'list'; readonly id: number; readonly page: RecordPage }
  | { readonly kind: 'get'; readonly id: number; readonly record: WholeRecord | undefined }
  | { readonly kind: 'metrics'; readonly id: number; readonly answer: MetricsAnswer }
  | { readonly kind: 'contract'; readonly id: number; readonly answer: ContractAnswer }
  | { readonly kind: 'refused'; readonly id: number; readonly code: RefusalCode; readonly detail: string }
  | { readonly kind: 'failed'; readonly id: number; readonly error: string }

/** Records in the order in which they were stored. */
export interface FollowedRecords {
  items: RequestRecord[]
  next_cursor: string
  /** Some came after the cursor that are not kept any more, or nobody knows the cursor. */
  missed: boolean
}

export interface RecordPage {
  items: RequestRecord[]
  next_cursor: string | null
}
