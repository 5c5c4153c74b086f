/**
 * Delivery to sinks: what its thread and the main thread say to each other.
 *
 * 1. The stores are the spool. A sink is a position in each of its streams, kept beside the sink in the configuration store.
 * 2. A position moves after the destination has accepted the events before it. After a fault, events are sent again with the same ids.
 * 3. Each stream of a sink has a sender of its own, so that a slow destination holds up nothing else.
 */
import type { ClockCell } from '../base/clock.ts'
import type { DatabaseAddress } from '../base/net/database-url.ts'
import type { EgressSettings } from '../base/net/egress.ts'
import type { SinkSpec, SinkStream, SinkTest } from '../model/sink.ts'

/** A place in a stream. */
export interface Position {
  /** Events from before are not sent, milliseconds since the epoch. */
  readonly since: number
  /** Of which store of records `after` is a place; undefined until the first look, and for audit entries. */
  readonly store?: string
  /** Place of the last block that was sent, or number of the last audit entry; undefined until the first look. */
  readonly after?: number
  /** Rows of the block after that which were sent. */
  readonly block?: { readonly id: number; readonly rows: number }
  /** Time of the latest record in all blocks before, milliseconds since the epoch. */
  readonly reached?: number
}

/** How one stream of a sink is, as it is kept. Times in milliseconds since the epoch. */
export interface StreamState {
  readonly position: Position
  readonly sent: number
  readonly dropped: number
  readonly missedUntil: number | null
  /** Time of the oldest event that was found and is not accepted yet. */
  readonly waitingSince: number | null
  readonly lastSentAt: number | null
  readonly lastError: string | null
  readonly lastErrorAt: number | null
}

type StreamStates = Readonly<Partial<Record<SinkStream, StreamState>>>

/** What is kept of a sink. @see SINK_STATE */
export interface SinkState {
  /** Rises when positions are set anew, so that a sender that began before does not overwrite them. */
  readonly generation: number
  readonly streams: StreamStates
}

/** The part of the resource state that holds a {@link SinkState}. */
export const SINK_STATE = 'delivery'

export function newStreamState(since: number): StreamState {
  return {
    position: { since },
    sent: 0,
    dropped: 0,
    missedUntil: null,
    waitingSince: null,
    lastSentAt: null,
    lastError: null,
    lastErrorAt: null,
  }
}

/** Reads what is kept of a sink; undefined is that of a new one. */
export function readSinkState(json: string | undefined): SinkState {
  // Written by this program alone
  return json === undefined ? { generation: 0, streams: {} } : (JSON.parse(json) as SinkState)
}

/** Where to send, with the secret. */
export interface SinkTarget extends Pick<SinkSpec, 'destination'> {
  readonly id: string
  /** Null without one. */
  readonly secret: string | null
  /** Why the secret cannot be read; null when it can. */
  readonly fault: string | null
}

/** An active sink. */
export interface SinkOrder extends SinkTarget, Pick<SinkSpec, 'filter'> {
  readonly generation: number
  /** Each stream that it carries. */
  readonly streams: StreamStates
}

/** Data of the thread. */
export interface SinksSetup {
  /** Of the records store. */
  readonly path: string
  readonly database: DatabaseAddress | null
  readonly clockCell: ClockCell | null
  readonly egress: EgressSettings
  /** Null where no sink may write files. */
  readonly directory: string | null
  /** Name of this machine in syslog messages. */
  readonly host: string
  readonly environment: string | null
}

/** Audit entries after a number. */
export interface AuditPage {
  readonly entries: readonly { readonly seq: number; readonly time: number; readonly json: string }[]
  /** The number to go on from. */
  readonly after: number
  /** Entries that retention has removed after the number that was asked for. */
  readonly removed: number
}

/** Main thread to sinks thread. */
export type ToSinks =
  | {
      readonly kind: 'orders'
      /** All active sinks. */
      readonly orders: readonly SinkOrder[]
      /** Until when this process may send, milliseconds since the epoch. */
      readonly until: number
    }
  | { readonly kind: 'audit'; readonly id: number; readonly page: AuditPage | null }
  | { readonly kind: 'test'; readonly id: number; readonly target: SinkTarget }
  | { readonly kind: 'stop' }

/** Sinks thread to main thread. */
export type FromSinks =
  | {
      readonly kind: 'progress'
      readonly sink: string
      readonly generation: number
      readonly stream: SinkStream
      readonly state: StreamState
    }
  | { readonly kind: 'audit'; readonly id: number; readonly position: Position; readonly count: number }
  | { readonly kind: 'tested'; readonly id: number; readonly test: SinkTest }
  | { readonly kind: 'stopped' }
