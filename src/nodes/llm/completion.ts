/**
 * Answers of `POST /chat/completions`. They come from a server that may send anything: members of another type are left out, and what
 * is missing is a fault. No fault and no failure has a part of the answer, which may repeat the question or the credential.
 */
import { parseHttpDate } from '../../base/http/fields.ts'
import { isPlain } from '../../base/json/plain.ts'
import { type FailureTold, NodeFailure } from '../run.ts'

/** Characters of names that the server chooses. */
const NAME_CHARS_MAX = 128
const SECONDS = /^\d{1,9}(?:\.\d{1,9})?$/
const DAY_MS = 86_400_000

/** Null for what the server does not say. */
interface TokenUsage {
  readonly prompt_tokens: number | null
  readonly completion_tokens: number | null
  readonly total_tokens: number | null
}

export interface Completion {
  readonly text: string
  /** Such as `stop` and `length`; empty where the server gives none. */
  readonly finish_reason: string
  /** As the server calls it. */
  readonly model: string
  readonly usage: TokenUsage
  /** The model does not answer. */
  readonly isRefused: boolean
  /** Why it is no completion; null for one. */
  readonly fault: string | null
}

/** Reads the body of an answer. Never throws. */
export function readCompletion(body: unknown): Completion {
  const answer = isPlain(body) ? body : {}
  const { choices, model, usage } = answer
  const [choice] = Array.isArray(choices) ? (choices as readonly unknown[]) : []
  const { message, finish_reason } = isPlain(choice) ? choice : {}
  const { content, refusal } = isPlain(message) ? message : {}
  const reason = nameOf(finish_reason)
  const text = typeof content === 'string' ? content : ''
  const isRefused =
    (typeof refusal === 'string' && refusal !== '') || (text === '' && reason === 'content_filter')
  // All tokens may have gone into the reasoning of the model
  const isText = typeof content === 'string' || isRefused || (content === null && reason === 'length')
  let fault: string | null = null
  if (body !== answer) fault = 'it is no JSON object'
  else if (!isPlain(message)) fault = 'it has no choice with a message'
  else if (!isText) fault = 'its message has no text'
  return { text, finish_reason: reason, model: nameOf(model), usage: usageOf(usage), isRefused, fault }
}

function nameOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, NAME_CHARS_MAX) : ''
}

function usageOf(value: unknown): TokenUsage {
  const given = isPlain(value) ? value : {}
  const [prompt, completion, total] = ['prompt_tokens', 'completion_tokens', 'total_tokens'].map((name) =>
    countOf(given[name]),
  ) as [number | null, number | null, number | null]
  const sum = prompt === null || completion === null ? null : prompt + completion
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total ?? sum }
}

/** Tokens that one answer is believed to have used. */
const COUNT_MAX = 100_000_000

function countOf(value: unknown): number | null {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= COUNT_MAX
    ? (value as number)
    : null
}

/** Codes of errors that are told apart. Any other text may hold anything. */
const KNOWN_ERRORS: ReadonlySet<unknown> = new Set([
  'billing_hard_limit_reached',
  'content_filter',
  'content_policy_violation',
  'context_length_exceeded',
  'insufficient_quota',
  'invalid_api_key',
  'invalid_request_error',
  'model_not_found',
  'overloaded_error',
  'rate_limit_exceeded',
  'server_error',
  'unsupported_parameter',
  'unsupported_value',
])

/** The failure of an answer with an error status. @param now milliseconds since the epoch */
export function statusFailure(status: number, headers: unknown, body: unknown, now: number): NodeFailure {
  const error = isPlain(body) && isPlain(body['error']) ? body['error'] : {}
  const known = [error['code'], error['type']].find((text) => KNOWN_ERRORS.has(text))
  const message = `it answered ${status}${known === undefined ? '' : ` (${String(known)})`}`
  const isPassing = status === 429 || status >= 500
  if (!isPassing) return new NodeFailure(String(status), message)
  return new NodeFailure(String(status), message, 'upstream_unavailable', toldOf(headers, now))
}

/** When the server takes another call, as it says itself (RFC 9110 section 10.2.3). */
function toldOf(headers: unknown, now: number): FailureTold | undefined {
  const given = isPlain(headers) ? headers['retry-after'] : undefined
  if (typeof given !== 'string') return undefined
  const at = SECONDS.test(given) ? now + Number(given) * 1000 : parseHttpDate(given, now)
  if (at === null || at <= now) return undefined
  return { retryAfterMs: Math.min(at - now, DAY_MS) }
}
