import { PROBLEMS, type RefusalCode, type RefusalFacts } from '../../base/refusal.ts'
import { messageId } from '../http/account.ts'
import type { Sender } from '../http/caller.ts'
import { refused } from '../http/outcome.ts'
import { RPC } from '../protocol/answer.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import { toolErrorText } from './results.ts'

/** A refusal, which the record of the message names. A model reads that of a tool as its result; other methods have errors alone. */
export function refusal(
  { method, isModern, received }: RelayedRequest,
  { requestId }: Sender,
  code: RefusalCode,
  facts: RefusalFacts,
): RelayedAnswer {
  const outcome = refused(code, messageId(requestId, received.place), facts)
  received.outcome = outcome
  if (method === 'tools/call') return { kind: 'result', text: toolErrorText(outcome.json, isModern) }
  const data: unknown = JSON.parse(outcome.json)
  return { kind: 'error', code: PROBLEMS[code].status, message: facts.detail ?? PROBLEMS[code].title, data }
}

/** The answer to parameters that cannot be used. @param pointer RFC 6901, into the message */
export function invalid(pointer: string, message: string): RelayedAnswer {
  return { kind: 'error', code: RPC.invalidParams, message, data: { pointer } }
}
