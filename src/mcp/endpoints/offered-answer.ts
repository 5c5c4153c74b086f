/** The answer of an endpoint as the result of the tool, prompt or resource that stands for it. */
import { isUtf8 } from 'node:buffer'
import { PROBLEMS } from '../../base/refusal.ts'
import type { InnerAnswer } from '../../gateway/port.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { toolResult } from '../protocol/run-tool-call.ts'
import { answerOutcome } from './answer-outcome.ts'
import { argumentPointer, type CalledOffer } from './offered-request.ts'

/** Bytes of a body in the result of a tool; more is cut, as `execute_call` does. */
const RESULT_BYTES_MAX = 64 * 1024
/** Bytes of a resource or prompt, which are given whole or not at all. */
const WHOLE_BYTES_MAX = 1024 * 1024
/** Code of a resource that is not there, before 2026-07-28. */
const RESOURCE_NOT_FOUND = -32002

const NO_FIELDS: readonly string[] = []

/** @param name under which the caller knows it: that of the tool or prompt, or the URI. @param dropped headers that were not sent */
export function offeredAnswer(
  answer: InnerAnswer,
  endpoint: CalledOffer,
  { method, isModern }: Pick<RelayedRequest, 'method' | 'isModern'>,
  name: string,
  dropped: readonly string[],
): RelayedAnswer {
  const outcome = answerOutcome(answer, NO_FIELDS, RESULT_BYTES_MAX, dropped, {
    pointer: argumentPointer(endpoint),
    example: () => null,
    adviceOnWrong: null,
  })
  if (outcome.kind !== 'result') throw new Error('the answer to a call is a result')
  if (method === 'tools/call') {
    const members = toolResult(outcome)
    return { kind: 'result', text: isModern ? `{"resultType":"complete",${members}}` : `{${members}}` }
  }
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
  if (!isModern) return { kind: 'result', text: JSON.stringify(result) }
  const kept = method === 'resources/read' ? { ttlMs: 0, cacheScope: 'private' } : {}
  return { kind: 'result', text: JSON.stringify({ resultType: 'complete', ...result, ...kept }) }
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
