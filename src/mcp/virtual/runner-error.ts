/**
 * Errors that the runner of stdio servers makes itself, as refusals of a call. Their message is a sentence of the runner, and never output
 * of a server. A server could send such an error too: what comes of it is text about this one call, and a wait that is bounded.
 */
import type { RefusalCode } from '../../base/refusal.ts'
import { RUNNER_ERROR } from '../../base/runner-error.ts'
import type { RpcError } from '../origin/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'

export interface RunnerFailure {
  readonly code: RefusalCode
  /** Sentences for the caller. */
  readonly reason: string
  /** Further members of the problem object. */
  readonly members: Members
}

/** Reasons of the runner that say more than that it cannot serve the call now. */
const CODES: Readonly<Record<string, RefusalCode>> = {
  start_failed: 'upstream_unreachable',
  process_ended: 'upstream_unreachable',
  memory_exceeded: 'upstream_unreachable',
  processes_exceeded: 'upstream_unreachable',
  output_invalid: 'upstream_invalid_response',
  start_timeout: 'upstream_timeout',
  call_timeout: 'upstream_timeout',
  credential_invalid: 'credential_unavailable',
}
const RETRY_MS_MAX = 24 * 3_600_000
const MESSAGE_CHARS_MAX = 500

/**
 * What an error of the runner comes to; null for an error of the server itself.
 * @param wasSent false when the call had not been sent: then what the runner says is about a request before it
 */
export function runnerFailureIn({ code, message, data }: RpcError, wasSent: boolean): RunnerFailure | null {
  if (code !== RUNNER_ERROR || !isMembers(data)) return null
  const { reason, executed, retry_after_ms: retryMs } = data
  if (typeof reason !== 'string' || !/^[a-z_]{1,64}$/.test(reason)) return null
  const isWaitKnown = typeof retryMs === 'number' && retryMs >= 0 && retryMs <= RETRY_MS_MAX
  const mayHaveRun = wasSent && executed === 'unknown'
  const text = message.slice(0, MESSAGE_CHARS_MAX).replace(/\.?$/, '.')
  return {
    code: Object.hasOwn(CODES, reason) ? CODES[reason]! : 'upstream_unavailable',
    reason: `${text} ${mayHaveRun ? 'The server may have executed the call.' : 'The server has not executed the call.'}`,
    members: {
      runner_reason: reason,
      executed: mayHaveRun ? 'unknown' : 'no',
      ...(isWaitKnown ? { retry_after_ms: Math.ceil(retryMs) } : {}),
    },
  }
}
