import type { UpstreamFailure } from './port.ts'

/** How an answer goes on: at once, after a pause, or not at all. */
export const MORE = 0
export const PAUSE = 1
export const CUT = 2
export type Verdict = typeof MORE | typeof PAUSE | typeof CUT

/** Takes the answer to a call from within: gathers it, or hands it over as it comes. */
export interface CallAnswer {
  /** When the request was handed to a connection, monotonic milliseconds; 0 for never. The call's to set. */
  upstreamAt: number
  /** The head has come; `fields` as the upstream sent them. */
  head(status: number, fields: string, now: number): Verdict
  /** A piece of the body, never empty, on loan; `last` when nothing follows it. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): Verdict
  /** The answer is complete. */
  end(): void
  /** The answer went on when it was given up. */
  cut(): void
  /** Nothing more comes. */
  failed(failure: UpstreamFailure, inner: string): void
}
