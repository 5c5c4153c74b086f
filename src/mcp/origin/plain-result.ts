/**
 * Recognizes results of tools that are passed unchanged. Most results are, and Postern needs to know little about their
 * content. Scanning such a result costs less than half of parsing it. A result that may need more than a scan is left to
 * JSON.parse.
 */
import { flags, hasHexDigits, IS_ESCAPE, literalEnd } from '../../base/json/quoted.ts'
import { JSON_DEPTH_MAX } from '../protocol/json.ts'
import type { Members, RpcId } from '../protocol/message.ts'

/** A result of a tool that is complete, no failure, names no resource, and has texts and images alone as content. */
export interface PlainResult {
  /** As its origin wrote it, on one line. */
  readonly bytes: Buffer
  /** It says itself that it is complete. */
  readonly hasType: boolean
}

/**
 * The result of a response; null for one that must be read as a whole. What is given is what JSON.parse accepts (RFC 8259) within the bounds
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
