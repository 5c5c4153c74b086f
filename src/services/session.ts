import type { ServiceWork } from './port.ts'

/** Bytes that a server may send as the answer to one question, and characters of its JSON. */
export const ANSWER_BYTES_MAX = 8 * 1024 * 1024

/** After so long a server ends a statement by itself, also where nobody can tell it to, milliseconds. It is the time of a run. */
export const STATEMENT_MS = 30_000

/** What a statement came to. */
export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** Rows that are given; without any, rows that were changed. */
  readonly count: number
  /** There are more rows. */
  readonly truncated: boolean
}

/** A connection to a server on which somebody has signed in. It has one question at a time. */
export interface Session {
  /** False once it has ended, or must not be used again. */
  readonly isOpen: boolean
  /**
   * Asks the server. What it resolves with can be written as JSON.
   * @throws ServiceFailure
   */
  ask(work: ServiceWork): Promise<unknown>
  /** Has the server end what it does for the question, which then fails, and closes the connection. */
  cancel(): void
  close(): void
}
