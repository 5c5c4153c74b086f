import { parseRetryAfter } from '../../base/http/fields.ts'
import { jsonWithin } from '../../base/json/canonical.ts'
import { withLongNumbersAsTexts } from '../../base/json/exact.ts'
import { parseStrictJson } from '../../base/json/scan.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createSchemaJudges, type Judge } from '../../snapshot/schema/judge.ts'
import { type FailureTold, NodeFailure, type NodeRun } from '../run.ts'

/** What the definition has parsed, with its defaults. */
interface Config {
  readonly model: string
  readonly max_tokens: number
  readonly max_tokens_name: string
  readonly temperature: number | null
  readonly schema: JsonSchema | null
  readonly strict: boolean
  readonly max_body: number
}

/** Levels of lists and objects in an answer. */
const DEPTH_MAX = 128
/** How the server knows the schema. */
const SCHEMA_NAME = 'answer'

export const llmRun: NodeRun = {
  name: 'llm_node',
  inTrial: {
    outputs: {
      text: '',
      json: null,
      errors: [],
      usage: { prompt_tokens: null, completion_tokens: null, total_tokens: null },
      model: '',
      finish_reason: 'stop',
    },
  },
  link(config) {
    // The definition beside this file has parsed it
    const given = config as unknown as Config
    const { model, schema } = given
    const fixed = { method: 'POST', path: '/chat/completions', bytesMax: given.max_body }
    const request = requestOf(given)
    // The definition has compiled it before
    const judge = schema === null ? null : createSchemaJudges({}, true).of(schema, 'request')
    return async ({ messages }, { callServer, countTokens, ambient }) => {
      const body = { ...request, messages: readMessages(messages) }
      const { status, headers, body: answer } = await callServer({ ...fixed, body })
      if (!isSuccess(status)) throw statusFailure(Number(status), headers, answer, ambient.now())
      const completion = readCompletion(answer)
      // Also of an answer that cannot be used: the server counts it
      countTokens({ model, ...completion.usage })
      return { handle: 'success', outputs: outputsOf(completion, judge) }
    }
  },
}

function isSuccess(status: unknown): boolean {
  return typeof status === 'number' && status >= 200 && status < 300
}

/** All of the request but its messages. */
function requestOf({ model, max_tokens, max_tokens_name, temperature, schema, strict }: Config): Plain {
  return {
    model,
    [max_tokens_name]: max_tokens,
    ...(temperature === null ? {} : { temperature }),
    ...(schema === null
      ? {}
      : {
          response_format: { type: 'json_schema', json_schema: { name: SCHEMA_NAME, schema, strict } },
        }),
  }
}

/** @throws NodeFailure for an answer that cannot be used, with outputs for the handle `error` */
function outputsOf(completion: Completion, judge: Judge | null): Plain {
  const { text, finish_reason, model, usage, isRefused, fault } = completion
  const outputs = { text, json: null, errors: [], usage, model, finish_reason }
  const failure = (kind: string, message: string, more: Plain = {}): NodeFailure =>
    new NodeFailure(kind, message, 'upstream_invalid_response', { outputs: { ...outputs, ...more } })
  if (fault !== null) throw failure('malformed', `the answer is no chat completion: ${fault}`)
  if (isRefused) throw failure('refused', 'the model refused to answer')
  if (judge === null) return outputs
  if (finish_reason === 'length') throw failure('length', 'the answer was cut off at max_tokens')
  const json = parseStrictJson(text, DEPTH_MAX, withLongNumbersAsTexts)
  const errors = json === undefined ? [{ pointer: '', reason: 'must be JSON' }] : (judge(json) ?? [])
  if (errors.length === 0) return { ...outputs, json }
  // Pointers may hold names that the model has chosen
  throw failure('schema', `the answer does not conform to the schema (faults: ${errors.length})`, { errors })
}

// Answers of `POST /chat/completions`. They come from a server that may send anything: members of another type are left out, and what
// is missing is a fault. No fault and no failure has a part of the answer, which may repeat the question or the credential.

/** Characters of names that the server chooses. */
const NAME_CHARS_MAX = 128
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
  const at = parseRetryAfter(given, now)
  if (at === null || at <= now) return undefined
  return { retryAfterMs: Math.min(at - now, DAY_MS) }
}

// Messages to a model: roles and texts. Nothing else of a message is sent, so that no value of a caller adds a member.

export const ROLES = ['system', 'developer', 'user', 'assistant'] as const
type Role = (typeof ROLES)[number]

export const MESSAGES_MAX = 256
/** Characters of all contents together. */
const CHARS_MAX = 1024 * 1024

interface Message {
  readonly role: Role
  readonly content: string
}

export function isRole(value: unknown): value is Role {
  return (ROLES as readonly unknown[]).includes(value)
}

/** The messages of one call, from the value of the input. @throws NodeFailure for what are no messages */
function readMessages(value: unknown): readonly Message[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MESSAGES_MAX)
    throw failure(`messages is no list of 1 to ${MESSAGES_MAX} messages`)
  let left = CHARS_MAX
  return value.map((message: unknown, index) => {
    if (!isPlain(message)) throw failure(`message ${index} is no object`)
    const { role, content } = message
    if (!isRole(role)) throw failure(`the role of message ${index} is none of ${ROLES.join(', ')}`)
    const text = textOf(content, index, left)
    left -= text.length
    return { role, content: text }
  })
}

/** Values other than texts are sent as JSON. */
function textOf(content: unknown, index: number, charsMax: number): string {
  if (content === undefined || content === null || content instanceof Uint8Array)
    throw failure(`the content of message ${index} is neither text nor JSON`)
  const text = typeof content === 'string' ? content : jsonWithin(content, charsMax)
  if (text === null || text.length > charsMax)
    throw failure(`the messages are longer than ${CHARS_MAX} characters`)
  return text
}

function failure(message: string): NodeFailure {
  return new NodeFailure('messages', message)
}
