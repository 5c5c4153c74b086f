/**
 * The response to one HTTP request of an MCP client.
 *
 * 1. It is one JSON message when nothing comes before it, else a stream of events that ends with it (2025-11-25,
 *    transports: sending messages).
 * 2. A response that takes long becomes a stream with comments, so that proxies and clients do not give it up.
 * 3. A reader that does not read is cut off: at most `pendingBytesMax` wait for it.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import {
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  endOfString,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  stringOf,
} from '../base/json/scan.ts'
import type { RpcId } from '../mcp/protocol/message.ts'
import { type Failure, failureText, statusOf } from './failure.ts'
import type { Timers } from './timers.ts'

/** Time without an event after which a comment is sent, milliseconds. Proxies give up after 30 to 60 seconds. */
const KEEP_ALIVE_MS = 15_000

const STREAM_HEADERS: OutgoingHttpHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

/** Where messages of a server for one request go. After the end, or when the reader has left, nothing goes anywhere. */
export interface Exchange {
  readonly isOpen: boolean
  /** A message before the response. False when nobody reads it. */
  message(text: string): boolean
  /** The response, with the HTTP status that it has where it comes alone. */
  answer(text: string, status?: number, headers?: OutgoingHttpHeaders): void
  /** The runner's own error in its place. @param id of the request */
  fail(why: Failure, id?: RpcId): void
  /** Ends it without a response. */
  end(status?: number): void
  /** Opens the stream at once, before there is a message. */
  open(): void
}

/** @param left told when the reader has left before the end */
export function createExchange(
  response: ServerResponse,
  timers: Timers,
  pendingBytesMax: number,
  left: () => void,
): Exchange {
  let isDone = false
  let stopWaiting = timers.after(KEEP_ALIVE_MS, keepAlive)

  response.on('error', () => {})
  response.once('close', () => {
    stopWaiting()
    if (isDone) return
    isDone = true
    left()
  })

  function keepAlive(): void {
    write(': waiting\n\n')
  }

  function write(text: string): void {
    if (isDone) return
    if (!response.headersSent) response.writeHead(200, STREAM_HEADERS)
    response.write(text)
    stopWaiting()
    stopWaiting = timers.after(KEEP_ALIVE_MS, keepAlive)
    if (response.writableLength > pendingBytesMax) response.destroy()
  }

  function finish(send: () => void): void {
    if (isDone) return
    isDone = true
    stopWaiting()
    send()
  }

  const exchange: Exchange = {
    get isOpen() {
      return !isDone
    },
    message(text) {
      if (isDone) return false
      write(eventOf(text))
      return true
    },
    answer(text, status = 200, headers = {}) {
      finish(() => {
        if (response.headersSent) response.end(eventOf(text))
        else
          response
            .writeHead(status, {
              'content-type': 'application/json',
              'cache-control': 'no-store',
              'content-length': Buffer.byteLength(text),
              ...headers,
            })
            .end(text)
      })
    },
    fail(why, id) {
      const headers: OutgoingHttpHeaders = {}
      if (why.retryAfterMs !== undefined)
        headers['retry-after'] = String(Math.max(1, Math.ceil(why.retryAfterMs / 1000)))
      if (why.reason === 'credential_invalid') headers['www-authenticate'] = 'Bearer'
      if (why.reason === 'method_not_allowed') headers['allow'] = 'POST, GET, DELETE'
      exchange.answer(failureText(id, why), statusOf(why), headers)
    },
    end(status = 202) {
      finish(() => {
        if (response.headersSent) response.end()
        else response.writeHead(status, { 'content-length': 0 }).end()
      })
    },
    open: () => write(': open\n\n'),
  }
  return exchange
}

function eventOf(text: string): string {
  return `event: message\ndata: ${text}\n\n`
}

// Finds values in the text of JSON and replaces them, so that all other bytes of a message stay as they are: numbers
// beyond 2^53, the order of members, spaces. The text must be valid JSON, which the caller has parsed before.

/** A part of a text: from, and to exclusive. */
export interface Place {
  readonly from: number
  readonly to: number
}

/** Replaces a part of a text. */
export interface Edit extends Place {
  readonly text: string
}

/** The place of the value under these member names; null where there is none. */
export function placeOf(text: string, ...names: readonly string[]): Place | null {
  let place: Place = { from: skipSpace(text, 0), to: text.length }
  for (const name of names) {
    const inner = memberOf(text, place.from, name)
    if (inner === null) return null
    place = inner
  }
  return place
}

/** The text with its edits, which must not overlap. */
export function edited(text: string, edits: readonly Edit[]): string {
  let result = ''
  let at = 0
  for (const edit of edits.toSorted((a, b) => a.from - b.from)) {
    result += text.slice(at, edit.from) + edit.text
    at = edit.to
  }
  return result + text.slice(at)
}

/** The place of one member's value in the object that begins at `from`. */
function memberOf(text: string, from: number, name: string): Place | null {
  if (text.charCodeAt(from) !== OPEN_OBJECT) return null
  let at = skipSpace(text, from + 1)
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at)
    const literal = text.slice(at, nameEnd)
    const valueAt = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const valueEnd = endOfValue(text, valueAt)
    const found = stringOf(literal)
    if (found === name) return { from: valueAt, to: valueEnd }
    at = skipSpace(text, valueEnd)
    if (text.charCodeAt(at) !== COMMA) return null
    at = skipSpace(text, at + 1)
  }
  return null
}

function endOfValue(text: string, from: number): number {
  const first = text.charCodeAt(from)
  if (first === QUOTE) return endOfString(text, from)
  if (first !== OPEN_OBJECT && first !== OPEN_LIST) {
    let end = from
    while (end < text.length && !',]} \t\n\r'.includes(text[end]!)) end++
    return end
  }
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (code === OPEN_OBJECT || code === OPEN_LIST) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      depth--
      if (depth === 0) return at + 1
    }
  }
  return text.length
}
