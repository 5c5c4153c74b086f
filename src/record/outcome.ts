/** Classifies the outcome of a request from its record: how it ended, and where a failure arose. */
import type { RefusalCode } from '../base/refusal.ts'
import type { FailureOrigin, OutcomeClass } from '../model/record.ts'
import { ANSWER_CODES, type RecordFields } from './fields.ts'

/** What says how a request ended. */
export type Outcome = Pick<RecordFields, 'status' | 'code' | 'upstreamStatus'>

/** Refusals by rules that somebody configured. */
const POLICY: ReadonlySet<string> = new Set<RefusalCode>([
  'client_inactive',
  'profile_inactive',
  'ip_not_allowed',
  'auth_throttled',
  'collection_not_assigned',
  'endpoint_not_allowed',
  'method_not_allowed',
  'rate_limit_exceeded',
  'quota_exceeded',
  'concurrency_exceeded',
  'graphql_rejected',
  'guardrail_blocked',
  'response_blocked',
  'insufficient_scope',
  'permission_denied',
])
const GATEWAY: ReadonlySet<string> = new Set<RefusalCode>([
  'identity_unavailable',
  'idempotency_unavailable',
  'route_unavailable',
  'credential_unavailable',
  'workflow_failed',
  'not_ready',
  'overloaded',
  'internal_error',
  'store_unavailable',
  'records_unavailable',
  'key_file_unusable',
])
const UPSTREAM: ReadonlySet<string> = new Set<RefusalCode>([
  'upstream_unreachable',
  'upstream_invalid_response',
  'upstream_unavailable',
  'upstream_timeout',
  'response_invalid',
])

const ANSWERED: ReadonlySet<string> = new Set(ANSWER_CODES)

/** How a request ended; null when its caller left before an answer. Derived, so that it holds for older records too. */
export function outcomeClassOf({ status, code, upstreamStatus }: Outcome): OutcomeClass | null {
  if (ANSWERED.has(code)) return 'application_error'
  if (code !== '') return UPSTREAM.has(code) ? 'upstream_error' : 'gateway_error'
  if (status === 0) return null
  if (status < 400) return 'success'
  return status >= 500 || upstreamStatus >= 500 ? 'upstream_error' : 'application_error'
}

/** Where a failure arose; null for none. */
export function failureOriginOf(outcome: Outcome): FailureOrigin | null {
  const { code } = outcome
  switch (outcomeClassOf(outcome)) {
    case 'success':
      return null
    case 'application_error':
    case 'upstream_error':
      return 'upstream'
    case 'gateway_error':
      return POLICY.has(code) ? 'policy' : GATEWAY.has(code) ? 'gateway' : 'client'
    case null:
      return 'client'
  }
}
