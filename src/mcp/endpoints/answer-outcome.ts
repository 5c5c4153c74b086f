/**
 * Turns the response to a call into what an agent gets: the response of the upstream, or the problem object of the gateway.
 * For `execute_call` it is the outcome of the tool. For a tool, prompt or resource that stands for an endpoint it is the
 * result.
 */

import { isUtf8 } from 'node:buffer'
import { PROBLEMS } from '../../base/refusal.ts'
import type { InnerAnswer } from '../../gateway/port.ts'
import { shownHeaders } from '../../gateway/shown-headers.ts'
import { RESOURCE_NOT_FOUND, resultOf, type ToolResult, toolAnswer } from '../http/answers.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { fitResult } from './fit-result.ts'
import { argumentPointer, type CalledOffer } from './offered-request.ts'

const NO_FIELDS: readonly string[] = []
const NO_MEMBERS: Members = Object.freeze({})
/** Refusals of what the caller wrote as `params`. */
const ABOUT_ARGUMENTS: ReadonlySet<string> = new Set(['body_invalid', 'parameter_invalid'])

/** How a door speaks of the arguments of a call. */
export interface ArgumentsOf {
  /** The pointer to an argument, by a pointer into the request: `/body/…`, `/path/id`, `/query/limit` or `/headers/x-name`. */
  readonly pointer: (pointer: string) => string
  /** A call that would be right; null where the list of tools shows it. */
  readonly example: () => Members | null
  /** What to do about a request that the upstream calls wrong. */
  readonly adviceOnWrong: string | null
}

/**
 * @param wanted paths of members that are kept of a JSON body; empty for all. @param bytesMax of the body as it is shown.
 * @param dropped headers of the agent that were not sent
 */
export function answerOutcome(
  answer: InnerAnswer,
  wanted: readonly string[],
  bytesMax: number,
  dropped: readonly string[],
  given: ArgumentsOf,
): ToolResult {
  const { status, code, body, bodyBytes, truncated, requestId, durationMs } = answer
  const headers = shownHeaders(answer.fields)
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
  const raw = { body, bodyBytes, truncated, requestId, mediaType }
  const fitted = fitResult(raw, code === null ? wanted : NO_FIELDS, bytesMax)
  const members = {
    status,
    headers,
    request_id: requestId,
    duration_ms: Math.round(durationMs * 1000) / 1000,
    truncated: fitted.truncated,
    total_bytes: bodyBytes,
    hint: hintOf(fitted.hint, dropped, status, given),
  }
  const first = code === null ? retryMembers(headers) : refusalMembers(code, body, headers, given)
  const all = first === NO_MEMBERS ? members : { ...first, ...members }
  const head = JSON.stringify(all).slice(0, -1)
  return {
    kind: 'result',
    json: `${head},"body":${fitted.json}}`,
    // A body that is quoted already is joined as it is: quoting costs a pass over all of it
    quoted: `${quoted(head)},\\"body\\":${fitted.quoted ?? quoted(fitted.json)}}`,
    isError: code !== null || status >= 400,
    blocks: fitted.blocks,
  }
}

/** A text as it stands between the quotes of a JSON string. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function hintOf(
  fitted: string | null,
  dropped: readonly string[],
  status: number,
  { adviceOnWrong }: ArgumentsOf,
): string | null {
  const hints = fitted === null ? [] : [fitted]
  if (dropped.length > 0) hints.push(`Not sent, because the gateway sets them: ${dropped.join(', ')}.`)
  if ((status === 400 || status === 422) && adviceOnWrong !== null) hints.push(adviceOnWrong)
  return hints.length === 0 ? null : hints.join(' ')
}

/** Of a refusal by the gateway, what its problem object says. */
function refusalMembers(code: string, body: Uint8Array, headers: Members, given: ArgumentsOf): Members {
  const problem = problemIn(body)
  const isAboutArguments = ABOUT_ARGUMENTS.has(code)
  const example = isAboutArguments ? given.example() : null
  const { title, detail, retry_after_ms } = problem
  return {
    code,
    title,
    detail,
    ...(isAboutArguments ? { errors: errorsIn(problem, code === 'body_invalid', given) } : {}),
    ...(example === null ? {} : { example }),
    ...(typeof retry_after_ms === 'number' ? { retry_after_ms } : retryMembers(headers)),
  }
}

/** The problem object that the gateway made; empty when it cannot be read. */
function problemIn(body: Uint8Array): Members {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return isMembers(value) ? value : NO_MEMBERS
  } catch {
    return NO_MEMBERS
  }
}

/** What a contract finds wrong, with pointers into the arguments. */
function errorsIn({ errors }: Members, isBody: boolean, { pointer }: ArgumentsOf): readonly Members[] {
  const found = Array.isArray(errors) ? errors.filter(isMembers) : []
  return found.map((error) => {
    const given = String(error['pointer'])
    const place = isBody ? `/body${given}` : given.replace(/^\/(header|cookie)\//, '/$1s/')
    return { ...error, pointer: pointer(place) }
  })
}

/** Of `Retry-After` in seconds. */
function retryMembers(headers: Members): Members {
  const seconds = headers['retry-after']
  return typeof seconds === 'string' && /^[0-9]{1,9}$/.test(seconds)
    ? { retry_after_ms: Number(seconds) * 1000 }
    : NO_MEMBERS
}

/** Bytes of a body in the result of a tool; more is cut, as `execute_call` does. */
const RESULT_BYTES_MAX = 64 * 1024
/** Bytes of a resource or prompt, which are given whole or not at all. */
const WHOLE_BYTES_MAX = 1024 * 1024

/**
 * The answer of an endpoint as the result of the tool, prompt or resource that stands for it.
 * @param name under which the caller knows it: that of the tool or prompt, or the URI
 * @param dropped headers that were not sent @param meta see `resultOf`
 */
export function offeredAnswer(
  answer: InnerAnswer,
  endpoint: CalledOffer,
  request: RelayedRequest,
  name: string,
  dropped: readonly string[],
  meta?: string,
): RelayedAnswer {
  const outcome = answerOutcome(answer, NO_FIELDS, RESULT_BYTES_MAX, dropped, {
    pointer: argumentPointer(endpoint),
    example: () => null,
    adviceOnWrong: null,
  })
  const { method, isModern } = request
  if (method === 'tools/call') return toolAnswer(request, outcome, meta)
  const { status, code, body, truncated } = answer
  const isTooLarge = truncated || body.length > WHOLE_BYTES_MAX
  if (code !== null || status >= 400 || isTooLarge) {
    const data: unknown = JSON.parse(outcome.json)
    const detail = isMembers(data) && typeof data['detail'] === 'string' ? data['detail'] : null
    const message =
      detail ??
      (status >= 400
        ? `The endpoint answered with status ${status}.`
        : `The answer has more than ${WHOLE_BYTES_MAX} bytes.`)
    const isAbsent = code === null && status === 404 && method === 'resources/read'
    const own = code === null ? RPC.internalError : PROBLEMS[code].status
    const absent = isModern ? RPC.invalidParams : RESOURCE_NOT_FOUND
    return { kind: 'error', code: isAbsent ? absent : own, message, data }
  }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const result =
    method === 'resources/read'
      ? { contents: [{ uri: name, ...typeOf(outcome.json), ...contentOf(bytes) }] }
      : { messages: [{ role: 'user', content: { type: 'text', text: bytes.toString('utf8') } }] }
  const kept = isModern && method === 'resources/read' ? { ttlMs: 0, cacheScope: 'private' } : {}
  return resultOf(JSON.stringify({ ...result, ...kept }).slice(1, -1), isModern, meta)
}

function contentOf(bytes: Buffer): Members {
  return isUtf8(bytes) ? { text: bytes.toString('utf8') } : { blob: bytes.toString('base64') }
}

/** The media type of the answer; none where it has none. */
function typeOf(json: string): Members {
  const { headers } = JSON.parse(json) as { readonly headers: Readonly<Record<string, string>> }
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim()
  return type === '' ? {} : { mimeType: type }
}
