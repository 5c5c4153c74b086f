/**
 * A session over HTTP+SSE (2024-11-05, basic/transports): a GET whose response is a stream of events. The first event,
 * `endpoint`, names the URL to which requests are posted. Everything that the server sends arrives on the stream.
 *
 * 1. The endpoint must have the scheme, host and port of the origin. Otherwise the session is given up.
 * 2. One listener at a time receives messages, so that all of them belong to one call. Messages without a listener are
 *    dropped.
 * 3. A session ends once, and its listener learns the reason. Memory is bounded by one event.
 */

import { timerMs } from '../../base/clock.ts'
import type { ByteBudget } from '../../base/memory/bytes.ts'
import { readJson, withoutMark } from '../protocol/json.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import { SseReader } from '../protocol/sse-reader.ts'
import { type OriginReply, replyIn } from './answer.ts'
import {
  initializeRequest,
  type OriginPlace,
  type OriginRequest,
  type OwnName,
  type ReadFromOrigin,
  type SendToOrigin,
} from './envelope.ts'

/** Of one event. */
const EVENT_BYTES_MAX = 16 * 1024 * 1024
/** Of what comes while nobody listens; a server that says more is given up. */
const IDLE_BYTES_MAX = 256 * 1024
/** Messages that one listener hears; a server that says more is given up. */
const MESSAGES_MAX = 100_000
const ENDPOINT_CHARS_MAX = 4096
/** One request at a time is under way for Postern itself, and an event has a bound. */
const NO_BOUND: ByteBudget = { take: () => true, give() {} }

const OPENING: OriginRequest = { method: 'GET', fields: 'Accept: text/event-stream\r\n', body: null }

/** What one call hears of a session. */
export interface SseListener {
  /** Id of the request whose response it waits for. */
  readonly id: RpcId
  /** Gets notifications and requests of the server, in their order. */
  heard(message: Members): void
  /** The response. Nothing comes after it. @param bytes of its text, in UTF-8 */
  replied(reply: OriginReply, bytes: number): void
  /** The session is over, before the response. @param reason as the end of a sentence about the origin */
  broke(reason: string): void
}

export interface SseTools {
  readonly read: ReadFromOrigin
  /** URL of the origin. */
  readonly url: string
  /** How long the server may take to name its endpoint, and to answer what Postern itself asks, milliseconds. */
  readonly waitMs: number
}

/** Why there is no session. */
export interface NoSse {
  /** As the end of a sentence about the origin. */
  readonly reason: string
  /** The server began a stream of events: it speaks HTTP+SSE, and not well. */
  readonly isStream: boolean
  /** Of the answer to GET; null for none. */
  readonly status: number | null
}

export class SseSession {
  /** Where requests are posted. */
  at: OriginPlace = { path: '', query: '' }
  readonly #url: string
  readonly #budget = new LentBudget()
  readonly #events: SseReader
  #opened: ((end: NoSse | null) => void) | null
  #handle: { abort(): void } | null = null
  #timer: NodeJS.Timeout | undefined
  #status: number | null = null
  #isStream = false
  #listener: SseListener | null = null
  #messages = 0
  /** Since the last listener has left. */
  #idleBytes = 0
  #isOver = false
  #whenOver: () => void = () => {}

  /** @param url of the origin @param opened told once: null when the session is there */
  constructor(url: string, opened: (end: NoSse | null) => void) {
    this.#url = url
    this.#opened = opened
    this.#events = new SseReader(
      { eventBytesMax: EVENT_BYTES_MAX, budget: this.#budget },
      ({ event, data }) => {
        if (event === 'endpoint') this.#named(data)
        else if (event === 'message') this.#heard(data)
      },
    )
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Asks for the stream. */
  begin({ read, waitMs }: SseTools): void {
    this.#timer = setTimeout(
      () => this.#end('it did not name the endpoint for requests in time'),
      timerMs(waitMs),
    )
    const handle = read(OPENING, {
      head: (status, header) => {
        this.#status = status
        this.#isStream = status === 200 && /^text\/event-stream\b/i.test(header('content-type') ?? '')
      },
      piece: (bytes, from, to) => {
        if (this.#listener === null && this.#opened === null) this.#idleBytes += to - from
        if (this.#idleBytes > IDLE_BYTES_MAX) this.#end('it sends too much data while no request is pending')
        if (this.#isStream && !this.#events.add(bytes, from, to)) this.#end('one of its events is too long')
        return this.#isStream && !this.#isOver
      },
      over: (fault) => {
        if (this.#status !== null && !this.#isStream) this.#end(`it answered ${this.#status} to GET`)
        else if (fault !== null && this.#status === null) this.#end(fault)
        else this.#end(fault === null ? 'its stream has ended' : 'its stream was cut off')
      },
    })
    if (this.#isOver) handle.abort()
    else this.#handle = handle
  }

  /**
   * Has a listener hear what the server says, until the function that it gives is called.
   * @param budget counts the bytes of what has come in part
   */
  listen(listener: SseListener, budget: ByteBudget | null): () => void {
    this.#listener = listener
    this.#messages = 0
    this.#idleBytes = 0
    this.#budget.use(budget)
    return () => {
      if (this.#listener !== listener) return
      this.#listener = null
      this.#budget.use(null)
    }
  }

  /** Calls `listener` when the session is over. */
  whenOver(listener: () => void): void {
    this.#whenOver = listener
  }

  close(): void {
    this.#end('its session was abandoned')
  }

  #named(data: string): void {
    if (this.#opened === null) return
    const url = this.#url
    const named = data.length <= ENDPOINT_CHARS_MAX && URL.canParse(data, url) ? new URL(data, url) : null
    if (named === null) this.#end('it names an endpoint that is not a URL')
    else if (named.origin !== new URL(url).origin || named.username !== '' || named.password !== '')
      this.#end('it names an endpoint at another server, which is refused')
    else {
      this.at = { path: named.pathname, query: named.search.slice(1) }
      clearTimeout(this.#timer)
      this.#opened(null)
      this.#opened = null
    }
  }

  #heard(data: string): void {
    const listener = this.#listener
    if (listener === null) return
    if (++this.#messages > MESSAGES_MAX) {
      this.#end('it sends too many messages')
      return
    }
    const read = readJson(withoutMark(Buffer.from(data)))
    if (!read.ok || !isMembers(read.value)) return
    if (typeof read.value['method'] === 'string') {
      listener.heard(read.value)
      return
    }
    // An error without an id belongs to the one request that is under way
    const reply = replyIn(read, listener.id, 200)
    if (reply !== null) listener.replied(reply, Buffer.byteLength(data))
  }

  #end(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#handle?.abort()
    this.#handle = null
    this.#events.close()
    this.#opened?.({ reason, isStream: this.#isStream, status: this.#status })
    this.#opened = null
    const listener = this.#listener
    this.#listener = null
    this.#budget.use(null)
    listener?.broke(reason)
    this.#whenOver()
  }
}

/** Opens a session, without the handshake. Never rejects. */
export function openSse(tools: SseTools): Promise<SseSession | NoSse> {
  return new Promise((resolve) => {
    const session = new SseSession(tools.url, (end) => resolve(end ?? session))
    session.begin(tools)
  })
}

/** Opens a session and asks for the handshake, after which `notifications/initialized` is due. Never rejects. */
export async function initializeOverSse(
  tools: SseTools,
  send: SendToOrigin,
  version: string,
  own: OwnName,
  capabilities: Members,
): Promise<SseSession | NoSse> {
  const session = await openSse(tools)
  if (!(session instanceof SseSession)) return session
  const id = 'initialize'
  const request = initializeRequest(id, version, own, capabilities)
  const reply = await askOverSse(session, send, request, id, tools.waitMs)
  if (reply.kind === 'result') return session
  session.close()
  const [reason, status] =
    reply.kind === 'none' ? [reply.reason, reply.status] : ['it refused to open a session', 200]
  return { reason, isStream: true, status }
}

/** Asks what Postern itself wants to know over a session that nobody else uses. Never rejects. */
export function askOverSse(
  session: SseSession,
  send: SendToOrigin,
  request: OriginRequest,
  id: RpcId,
  waitMs: number,
): Promise<OriginReply> {
  return new Promise((resolve) => {
    let status: number | null = null
    const end = (reply: OriginReply): void => {
      clearTimeout(timer)
      stop()
      resolve(reply)
    }
    const none = (reason: string): void => end({ kind: 'none', status, reason })
    const timer = setTimeout(() => none('no response came in time'), timerMs(waitMs))
    const stop = session.listen({ id, heard() {}, replied: end, broke: none }, NO_BOUND)
    if (session.isOver) {
      none('its session has ended')
      return
    }
    void send({ ...request, at: session.at }).then((answer) => {
      if (!answer.ok) {
        none(answer.reason)
        return
      }
      ;({ status } = answer)
      if (status < 200 || status > 299) none(`it answered ${status}`)
    })
  })
}

/** Counts bytes in the budget of the one who listens; while nobody does, few are kept. */
class LentBudget implements ByteBudget {
  #of: ByteBudget | null = null
  #lent = 0
  #own = 0

  take(bytes: number): boolean {
    if (this.#of === null) {
      if (this.#own + bytes > IDLE_BYTES_MAX) return false
      this.#own += bytes
      return true
    }
    if (!this.#of.take(bytes)) return false
    this.#lent += bytes
    return true
  }

  give(bytes: number): void {
    const lent = Math.min(bytes, this.#lent)
    this.#lent -= lent
    if (lent > 0) this.#of?.give(lent)
    this.#own -= bytes - lent
  }

  use(budget: ByteBudget | null): void {
    if (this.#lent > 0) this.#of?.give(this.#lent)
    this.#own += this.#lent
    this.#lent = 0
    this.#of = budget
  }
}
