import type { UpstreamFailure } from './port.ts'

/** How an answer goes on: at once, after a pause, or not at all. */
export const MORE = 0
export const PAUSE = 1
export const CUT = 2
export type Verdict = typeof MORE | typeof PAUSE | typeof CUT

/** Receives the answer to a request from within the process: gathers it, or hands it over in pieces. */
export interface CallAnswer {
  /** When the request was handed to a connection, monotonic milliseconds; 0 for never. Set by the call. */
  upstreamAt: number
  /** The head has come; `fields` as the upstream sent them. */
  head(status: number, fields: string, now: number): Verdict
  /** `bytes[from, to)` is the next part of the body, at least one byte; the engine reuses `bytes`. `last` when it completes the body. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): Verdict
  /** The answer is complete. */
  end(): void
  /** The call has given the answer up after {@link CUT}. */
  cut(): void
  /** The request failed, or the answer broke off. */
  failed(failure: UpstreamFailure, inner: string): void
}
