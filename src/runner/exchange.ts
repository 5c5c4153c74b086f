/**
 * The response to one HTTP request of an MCP client.
 *
 * 1. It is one JSON message when nothing comes before it, else a stream of events that ends with it (2025-11-25,
 *    transports: sending messages).
 * 2. A response that takes long becomes a stream with comments, so that proxies and clients do not give it up.
 * 3. A reader that does not read is cut off: at most `pendingBytesMax` wait for it.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
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
