import type { RefusalFacts } from '../../base/refusal.ts'
import type { Stop } from '../../guardrails/apply.ts'
import { Tally } from '../../guardrails/tally.ts'
import type { PlacedGuardrails } from '../../snapshot/linked-types/guardrail.ts'

/** The guardrails of one exchange. */
export class ExchangeGuard {
  readonly rules: PlacedGuardrails
  readonly tally = new Tally()
  /** A rule has changed the body of the request: what was received is not what is sent. */
  isBodyChanged = false
  /** SHA-256 of the body as it was received, where a rule has changed it. */
  receivedDigest = ''
  /** The path for the record, where a rule has blocked the call for what it has found in it; null for the path itself. */
  recordedPath: string | null = null

  /** The query as it was received. */
  readonly receivedQuery: string

  constructor(rules: PlacedGuardrails, receivedQuery: string) {
    this.rules = rules
    this.receivedQuery = receivedQuery
  }
}

/** What a caller is told of a content that a rule does not let pass. It names the rule, and never the content. */
export function stopFacts(stop: Stop, what: 'request' | 'response'): RefusalFacts {
  const { rule, cause, reason } = stop
  const why = cause === 'failed' ? `cannot check the ${what}: ${reason}` : `blocks the ${what}`
  return { detail: `The guardrail "${rule.slug}" ${why}.`, members: { guardrail: rule.slug } }
}

/** The same for the record. */
export function stopReason({ rule, cause, reason }: Stop): string {
  return `guardrail ${rule.slug}: ${cause === 'failed' ? reason : `found by ${rule.detector}`}`
}
