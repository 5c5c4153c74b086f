/** Reads a whole response of an origin: one JSON object, or a stream of events that contains it. */
import { isUtf8 } from 'node:buffer'
import { parseKeepingDigits } from '../../base/json/exact.ts'
import { bufferOf, type ReadJson, readJson, withoutMark } from '../protocol/json.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import { type PlainResult, plainResultIn, resultTextIn } from './plain-result.ts'
import type { OriginAnswer } from './send.ts'

type ReadMessage = Extract<ReadJson, { ok: true }>

/** A JSON-RPC error (JSON-RPC 2.0, section 5.1). */
export interface RpcError {
  readonly code: number
  readonly message: string
  readonly data: unknown
}

export type OriginReply =
  | ResultReply
  | { readonly kind: 'error'; readonly error: RpcError; readonly status: number }
  /** The session is unknown: a new one must be opened (2025-11-25, transports: session management). */
  | { readonly kind: 'session_gone' }
  /** No JSON-RPC response came. `status` is null when no answer came at all. */
  | { readonly kind: 'none'; readonly status: number | null; readonly reason: string }

export interface ResultReply {
  readonly kind: 'result'
  readonly result: Members
  /** Of the result as the origin wrote it; null where it must be written anew. */
  readonly text: string | null
  /** What is known of a plain result, so that `result` need not be asked for; else null. */
  readonly plain: PlainResult | null
}

/** Its result is built when it is asked for. */
class PlainReply implements ResultReply {
  readonly kind = 'result'
  readonly plain: PlainResult
  #result: Members | null = null

  constructor(plain: PlainResult) {
    this.plain = plain
  }

  get text(): string {
    return this.plain.bytes.toString('utf8')
  }

  get result(): Members {
    // The text of an object
    this.#result ??= parseKeepingDigits(this.text) as Members
    return this.#result
  }
}

/** Reads the response to the request of that id. */
export function readReply(answer: OriginAnswer, id: RpcId, hasSession: boolean): OriginReply {
  if (!answer.ok) return { kind: 'none', status: null, reason: answer.reason }
  const { status } = answer
  const none = (reason: string): OriginReply => ({ kind: 'none', status, reason })
  if (hasSession && status === 404) return { kind: 'session_gone' }
  if (answer.truncated) return none('the answer is too long')
  const type = (answer.header('content-type') ?? '').toLowerCase()
  const body = withoutMark(answer.body)
  const messages = type.startsWith('text/event-stream') ? eventMessages(body) : [body]
  if (type !== '' && !type.startsWith('text/event-stream') && !type.includes('json'))
    return none(`it answered ${status} with ${type.slice(0, 64)}`)
  for (const bytes of messages) {
    const plain = plainReplyIn(bytes, id, status)
    if (plain !== null) return plain
    const read = readJson(bytes)
    if (!read.ok) {
      if (messages.length === 1) return none(status === 200 ? read.reason : `it answered ${status}`)
      continue
    }
    const reply = replyIn(read, id, status)
    if (reply !== null) return reply
  }
  return none(status === 200 ? 'the answer holds no response to the request' : `it answered ${status}`)
}

/** The reply that a message is, where that is a plain result; else null. */
export function plainReplyIn(message: Uint8Array, id: RpcId, status: number): OriginReply | null {
  const plain = isGood(status) && isUtf8(message) ? plainResultIn(bufferOf(message), id) : null
  return plain === null ? null : new PlainReply(plain)
}

/** A status of failure with a result says two things at once. */
function isGood(status: number): boolean {
  return status >= 200 && status < 300
}

/** The reply that a message is; null for one that is no response to the request of that id. */
export function replyIn({ value, text }: ReadMessage, id: RpcId, status: number): OriginReply | null {
  if (!isMembers(value) || value['jsonrpc'] !== '2.0') return null
  const { result, error } = value
  // An error about a request whose id could not be read has none, or null
  if (
    isMembers(error) &&
    (value['id'] === id || value['id'] == null) &&
    Number.isSafeInteger(error['code'])
  ) {
    const message = typeof error['message'] === 'string' ? error['message'] : ''
    return { kind: 'error', status, error: { code: error['code'] as number, message, data: error['data'] } }
  }
  return isGood(status) && value['id'] === id && isMembers(result)
    ? { kind: 'result', result, text: resultTextIn(text, value), plain: null }
    : null
}

/** The data of the events of a whole stream (WHATWG HTML, server-sent events). */
function eventMessages(body: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = []
  let data: string[] = []
  for (const line of Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    .toString('utf8')
    .split(/\r\n|\r|\n/)) {
    if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
    else if (line === '' && data.length > 0) {
      found.push(withoutMark(Buffer.from(data.join('\n'))))
      data = []
    }
  }
  return found
}
