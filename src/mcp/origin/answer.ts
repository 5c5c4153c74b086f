/** Reads a whole response of an origin: one JSON object, or a stream of events that contains it. */
import { isUtf8 } from 'node:buffer'
import { parseKeepingDigits } from '../../base/json/exact.ts'
import { flags, hasHexDigits, IS_ESCAPE, literalEnd } from '../../base/json/quoted.ts'
import { bufferOf, JSON_DEPTH_MAX, type ReadJson, readJson, withoutMark } from '../protocol/json.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import type { OriginAnswer } from './envelope.ts'

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
  return none(
    status === 200 ? 'the response contains no JSON-RPC response to the request' : `it answered ${status}`,
  )
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

// Recognizes results of tools that are passed unchanged. Most results are, and Postern needs to know little about their
// content. Scanning such a result costs less than half of parsing it. A result that may need more than a scan is left to
// JSON.parse.

/** A result of a tool that is complete, no failure, names no resource, and has texts and images alone as content. */
export interface PlainResult {
  /** As its origin wrote it, on one line. */
  readonly bytes: Buffer
  /** It says itself that it is complete. */
  readonly hasType: boolean
}

/**
 * The result of a response; null for one that must be read as a whole. It accepts what JSON.parse accepts (RFC 8259) within the bounds
 * of `readJson`.
 * @param json a whole response in UTF-8
 */
export function plainResultIn(json: Buffer, id: RpcId): PlainResult | null {
  const from = resultStart(json, id)
  if (from === -1) return null
  isDoubtful = false
  hasType = false
  hasContent = false
  const end = endOfMembers(json, from, JSON_DEPTH_MAX - 2, RESULT)
  if (end === -1 || isDoubtful || !hasContent) return null
  const last = afterSpace(json, end)
  if (json[last] !== CLOSE_OBJECT || afterSpace(json, last + 1) !== json.length) return null
  return { bytes: json.subarray(from, end), hasType }
}

const EQUALS = 0x3d
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** The result may be another than a plain one. */
let isDoubtful = false
let hasType = false
let hasContent = false

/** What an object is, as far as its members count. */
const ANY = 0
const RESULT = 1
const META = 2
const BLOCK = 3
type Place = typeof ANY | typeof RESULT | typeof META | typeof BLOCK

/**
 * Index behind the object that begins at `at`, or -1 where none does.
 * @param levels containers that may stand inside each other in its members
 */
function endOfMembers(json: Uint8Array, at: number, levels: number, place: Place): number {
  if (json[at] !== OPEN_OBJECT) return -1
  let next = afterSpace(json, at + 1)
  if (json[next] === CLOSE_OBJECT) {
    if (place === BLOCK) isDoubtful = true
    return next + 1
  }
  let seen = 0
  for (;;) {
    if (json[next] !== QUOTE) return -1
    const name = next
    const nameEnd = endOfString(json, name)
    if (nameEnd === -1) return -1
    next = afterSpace(json, nameEnd)
    if (json[next] !== COLON) return -1
    const value = afterSpace(json, next + 1)
    const valueEnd = endOfValue(json, value, levels, place === RESULT ? placeOf(json, name, nameEnd) : ANY)
    if (valueEnd === -1) return -1
    if (place === RESULT) judge(json, name, nameEnd, value, valueEnd)
    else if (place === BLOCK) seen |= partOf(json, name, nameEnd, value, valueEnd)
    else if (place === META) isDoubtful ||= NOT_ANY.some((one) => says(json, name, nameEnd, one))
    next = afterSpace(json, valueEnd)
    if (json[next] === CLOSE_OBJECT) {
      if (place === BLOCK) isDoubtful ||= seen !== TEXT_BLOCK && seen !== IMAGE_BLOCK
      return next + 1
    }
    if (json[next] !== COMMA) return -1
    next = afterSpace(json, next + 1)
  }
}

const TYPE = Buffer.from('"resultType"')
const COMPLETE = Buffer.from('"complete"')
const IS_ERROR = Buffer.from('"isError"')
const FALSE = Buffer.from('false')
const CONTENT = Buffer.from('"content"')
const STRUCTURED = Buffer.from('"structuredContent"')
const META_NAME = Buffer.from('"_meta"')
/** Members of `_meta` that have a form. */
const NOT_ANY = ['"progressToken"', '"io.modelcontextprotocol/related-task"'].map((name) => Buffer.from(name))

/** What the items, or the members, of a member of the result are. */
function placeOf(json: Uint8Array, name: number, nameEnd: number): Place {
  if (says(json, name, nameEnd, CONTENT)) return BLOCK
  return says(json, name, nameEnd, META_NAME) ? META : ANY
}

/** Looks at a member of the result. */
function judge(json: Uint8Array, name: number, nameEnd: number, value: number, valueEnd: number): void {
  if (says(json, name, nameEnd, TYPE)) {
    hasType = true
    isDoubtful ||= !says(json, value, valueEnd, COMPLETE)
  } else if (says(json, name, nameEnd, IS_ERROR)) isDoubtful ||= !says(json, value, valueEnd, FALSE)
  else if (says(json, name, nameEnd, CONTENT)) {
    hasContent = true
    isDoubtful ||= json[value] !== OPEN_ARRAY
  } else if (says(json, name, nameEnd, STRUCTURED) || says(json, name, nameEnd, META_NAME))
    isDoubtful ||= json[value] !== OPEN_OBJECT
  // An escape may stand for any letter of these
  else for (let at = name; at < nameEnd; at++) if (json[at] === BACKSLASH) isDoubtful = true
}

function says(json: Uint8Array, from: number, to: number, text: Uint8Array): boolean {
  if (to - from !== text.length) return false
  for (let at = 0; at < text.length; at++) if (json[from + at] !== text[at]) return false
  return true
}

const TYPE_NAME = Buffer.from('"type"')
const TEXT_NAME = Buffer.from('"text"')
const IMAGE = Buffer.from('"image"')
const DATA_NAME = Buffer.from('"data"')
const MIME_NAME = Buffer.from('"mimeType"')

const IS_TEXT = 1
const IS_IMAGE = 2
const HAS_TEXT = 4
const HAS_DATA = 8
const HAS_MIME = 16
const TEXT_BLOCK = IS_TEXT | HAS_TEXT
const IMAGE_BLOCK = IS_IMAGE | HAS_DATA | HAS_MIME

/** What a member of a content is; any that texts and images do not need is doubtful. */
function partOf(json: Uint8Array, name: number, nameEnd: number, value: number, valueEnd: number): number {
  if (json[value] === QUOTE) {
    if (says(json, name, nameEnd, TEXT_NAME)) return HAS_TEXT
    if (says(json, name, nameEnd, TYPE_NAME)) {
      if (says(json, value, valueEnd, TEXT_NAME)) return IS_TEXT
      if (says(json, value, valueEnd, IMAGE)) return IS_IMAGE
    } else if (says(json, name, nameEnd, MIME_NAME)) return HAS_MIME
    else if (says(json, name, nameEnd, DATA_NAME) && isBase64(json, value + 1, valueEnd - 1)) return HAS_DATA
  }
  isDoubtful = true
  return 0
}

/** As RFC 4648 section 4 has it, with all padding. */
function isBase64(json: Uint8Array, from: number, to: number): boolean {
  if ((to - from) % 4 !== 0) return false
  let end = to
  while (end > from && to - end < 2 && json[end - 1] === EQUALS) end--
  for (let at = from; at < end; at++) if (DIGITS_64[json[at]!] !== 1) return false
  return true
}

function endOfItems(json: Uint8Array, at: number, levels: number, place: Place): number {
  let next = afterSpace(json, at + 1)
  if (json[next] === CLOSE_ARRAY) return next + 1
  for (;;) {
    if (place === BLOCK && json[next] !== OPEN_OBJECT) isDoubtful = true
    const end = endOfValue(json, next, levels, place)
    if (end === -1) return -1
    next = afterSpace(json, end)
    if (json[next] === CLOSE_ARRAY) return next + 1
    if (json[next] !== COMMA) return -1
    next = afterSpace(json, next + 1)
  }
}

/** @param place what an object is that begins there, or the items of a list */
function endOfValue(json: Uint8Array, at: number, levels: number, place: Place): number {
  const first = json[at]
  if (first === QUOTE) return endOfString(json, at)
  if (first === OPEN_OBJECT) return levels === 0 ? -1 : endOfMembers(json, at, levels - 1, place)
  if (first === OPEN_ARRAY) return levels === 0 ? -1 : endOfItems(json, at, levels - 1, place)
  return literalEnd(json, at)
}

/** How the types of content begin that name a resource: `resource` and `resource_link`. */
const RESOURCE = Buffer.from('resource')

/** Index behind the string that opens at `start`, or -1. */
function endOfString(json: Uint8Array, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    const byte = json[at]!
    if (byte === QUOTE) {
      if (
        json[start + 1] === RESOURCE[0] &&
        says(json, start + 1, Math.min(at, start + 1 + RESOURCE.length), RESOURCE)
      )
        isDoubtful = true
      return at + 1
    }
    if (byte < 0x20) return -1
    if (byte !== BACKSLASH) continue
    at++
    if (IS_ESCAPE[json[at]!] === 1) continue
    // A letter that is written by its number may be one of a name that counts: rare enough to be read as a whole
    isDoubtful = true
    if (json[at] !== 0x75 || !hasHexDigits(json, at + 1)) return -1
    at += 4
  }
  return -1
}

const DIGITS_64 = flags('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')

function afterSpace(json: Uint8Array, at: number): number {
  for (let next = at; ; next++) {
    const byte = json[next]
    // In a stream of events a line break ends the line
    if (byte === 0x0a || byte === 0x0d) isDoubtful = true
    else if (byte !== 0x20 && byte !== 0x09) return next
  }
}

const SPACE = '[ \\t\\r\\n]*'
const VERSION = `"jsonrpc"${SPACE}:${SPACE}"2\\.0"`
const ID = `"id"${SPACE}:${SPACE}("[ !#-[\\]-~]*"|-?\\d+)`
const NEXT = `${SPACE},${SPACE}`
/** The members before the result, as nearly all servers write them: of ASCII, so that bytes and characters are the same. */
const BEFORE = new RegExp(
  `^${SPACE}\\{${SPACE}(?:${VERSION}${NEXT}${ID}|${ID}${NEXT}${VERSION})${NEXT}"result"${SPACE}:${SPACE}`,
)

/** What stands before a result is not longer, in a response that passes. */
const BEFORE_BYTES_MAX = 512

/** Where the result of a response to the request of that id begins; -1 where it is written in another way. */
function resultStart(json: Buffer, id: RpcId): number {
  const usual = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`
  if (startsWith(json, usual)) return usual.length
  const before = BEFORE.exec(json.toString('latin1', 0, BEFORE_BYTES_MAX))
  return before !== null && (before[1] ?? before[2]) === JSON.stringify(id) ? before[0].length : -1
}

/** True only for a text of ASCII. */
function startsWith(bytes: Buffer, text: string): boolean {
  for (let at = 0; at < text.length; at++)
    if (bytes[at] !== text.charCodeAt(at) || bytes[at]! > 0x7f) return false
  return true
}

/**
 * The text of the result of a response, on one line; null where it must be written anew. As the last of three members it reaches to the end
 * of the text.
 * @param json text that readJson has read: no member of the response stands in it twice
 * @param response what was read
 */
export function resultTextIn(json: string, response: Members): string | null {
  if (Object.keys(response).length !== 3) return null
  const before = BEFORE.exec(json)
  if (before === null) return null
  const text = json.slice(before[0].length, json.lastIndexOf('}')).trimEnd()
  // In a stream of events a line break ends the line
  return text.includes('\n') || text.includes('\r') ? null : text
}
