/** The forms of the rows of `stages.ts`. */
import type { RefusalCode } from '../base/refusal.ts'
import type { ForwardRequest } from '../wire/port.ts'
import type { AnswerRow } from './answer/answer-stages.ts'
import type { CheckName } from './check-names.ts'
import type { Exchange, GatheredAnswer, Routed } from './exchange.ts'
import type { Explain } from './explain/judged.ts'
import type { Check } from './verdict.ts'

/**
 * The ways by which requests come: over REST, as a message at `/mcp`, as a call in process, as a replay, as a call of a capability
 * of an origin, as what Postern itself asks an origin, as what a workflow asks the upstream.
 */
export type Ways = Readonly<Record<'rest' | 'mcp' | 'call' | 'replay' | 'tool' | 'own' | 'step', boolean>>

/** A check in the order of all. */
export interface CheckRow {
  readonly name: CheckName
  readonly ways: Ways
  readonly check: Check
  readonly explain: Explain
}

/** How an admitted request gets its answer. The row calls `life` back when an answer or a failure is there. */
export interface SendRow {
  readonly name: CheckName
  readonly send: (exchange: Exchange, life: Life) => void
}

/** Where a row that sends a request on comes back to. */
export interface Life {
  /** The rows that may look at the answer. */
  readonly watching: readonly AnswerRow[]
  /** The upstream's answer is at hand. */
  answered(
    exchange: Routed,
    request: Pick<ForwardRequest, 'tap' | 'responseFields'>,
    answer: GatheredAnswer,
  ): void
  /** No answer came. @param inner for the record alone */
  failed(exchange: Exchange, code: RefusalCode, inner: string): void
  /** Makes a request of its own to the upstream, for an exchange that was admitted. Its end gets the answer. */
  step(exchange: Exchange): void
}

/** Runs when everything about a request is over, also for refused requests and for callers who have left. */
export interface ClosingRow {
  readonly name: string
  readonly end: (exchange: Exchange) => void
}
