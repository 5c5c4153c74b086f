import { type DiffEntry, ProblemError, WaitsForApproval } from './client.ts'

/** A failure as a page shows it. */
export interface Fault {
  readonly title: string
  readonly detail: string
  /** Code of the problem, or null if no answer of Postern came. */
  readonly code: string | null
  readonly requestId: string | null
  readonly status: number | null
  /** Faults of single members, by JSON pointer into the input. */
  readonly fields: readonly { readonly pointer: string; readonly reason: string }[]
}

/** Any error of a call as a {@link Fault}. */
export function faultOf(error: unknown): Fault {
  if (error instanceof ProblemError) {
    const { title, detail, code, request_id: requestId, status, errors } = error.problem
    return { title, detail, code, requestId, status, fields: errors }
  }
  const detail = error instanceof Error ? error.message : String(error)
  return { title: 'No answer', detail, code: null, requestId: null, status: null, fields: [] }
}

/** True if two failures say the same, such as of a filter that two questions of a page have. */
export function isSameFault(one: Fault, other: Fault): boolean {
  return (
    one.code === other.code &&
    one.detail === other.detail &&
    JSON.stringify(one.fields) === JSON.stringify(other.fields)
  )
}

/** The change request that a write has become, as the server answers it. */
export interface WaitingChange {
  readonly id: string
  /** Names of the approval rules that apply. */
  readonly rules: readonly string[]
  /** The first entries of the difference. */
  readonly diff: readonly DiffEntry[]
  /** Entries of the whole difference. */
  readonly diff_entries: number
}

/** The change request that a write has become, if it waits for another person; otherwise null. */
export function waitingChange(error: unknown): WaitingChange | null {
  // Management REST answers the request as `change_requests.get` does
  return error instanceof WaitsForApproval ? (error.body['change_request'] as WaitingChange) : null
}
