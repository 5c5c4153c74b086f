import { ProblemError, WaitsForApproval } from './client.ts'

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

/** Id of the change request that a write has become, if it waits for another person; otherwise null. */
export function waitingRequest(error: unknown): string | null {
  if (!(error instanceof WaitsForApproval)) return null
  const request = error.body['change_request']
  if (typeof request === 'string') return request
  const id = (request as { readonly id?: unknown } | null | undefined)?.id
  return typeof id === 'string' ? id : ''
}
