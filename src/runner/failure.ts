import { RUNNER_ERROR } from '../base/net/address.ts'
import { errorText } from '../mcp/protocol/answer.ts'
import type { RpcId } from '../mcp/protocol/message.ts'

/** Reasons of the runner, with the HTTP status of each. A caller tells errors apart by the reason. */
const STATUS = {
  credential_invalid: 401,
  origin_not_allowed: 403,
  entry_unknown: 403,
  path_unknown: 404,
  session_unknown: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  message_too_large: 413,
  media_type_unsupported: 415,
  message_invalid: 400,
  parameters_invalid: 400,
  instance_required: 400,
  legacy_only: 400,
  start_failed: 502,
  process_ended: 502,
  memory_exceeded: 502,
  processes_exceeded: 502,
  output_invalid: 502,
  start_timeout: 504,
  call_timeout: 504,
  backoff: 503,
  instances_full: 503,
  sessions_full: 503,
  calls_full: 503,
  input_full: 503,
  stopped: 503,
} as const

export type FailureReason = keyof typeof STATUS

/** Why the runner answers in the place of a server. */
export interface Failure {
  readonly reason: FailureReason
  /** One sentence for the operator of Postern. Never output of the server, which may have secrets. */
  readonly message: string
  /** `no`: the server never got the message. `unknown`: it got the message, so that it may have been executed. */
  readonly executed: 'no' | 'unknown'
  readonly retryAfterMs?: number
  /** Places that are wrong, for `parameters_invalid`. */
  readonly errors?: readonly { readonly pointer: string; readonly reason: string }[]
}

/** A failure of a message that the server never got. */
export function failure(reason: FailureReason, message: string, more: Partial<Failure> = {}): Failure {
  return { reason, message, executed: 'no', ...more }
}

/** HTTP status of a failure. */
export function statusOf({ reason }: Failure): number {
  return STATUS[reason]
}

/** The JSON-RPC error of a failure. @param id undefined where no request is known */
export function failureText(id: RpcId | undefined, one: Failure): string {
  const retry = one.retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(one.retryAfterMs) }
  const errors = one.errors === undefined ? {} : { errors: one.errors }
  return errorText(id, RUNNER_ERROR, one.message, {
    reason: one.reason,
    executed: one.executed,
    ...retry,
    ...errors,
  })
}
