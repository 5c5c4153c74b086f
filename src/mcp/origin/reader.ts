/** Reads the response of an origin to one request while it arrives. */
import { type ByteBudget, ByteBuffer } from '../../base/memory/bytes.ts'
import { readJson, withoutMark } from '../protocol/json.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import { SseReader } from '../protocol/sse-reader.ts'
import { type OriginReply, plainReplyIn, readReply, replyIn } from './answer.ts'

/** Messages of one stream that are read; a stream of more is given up. */
const MESSAGES_MAX = 100_000

/** What is read of an answer before its response. */
export interface ReaderBounds {
  /** Of one message, or of the whole answer where it is one JSON object. */
  readonly bytesMax: number
  readonly budget: ByteBudget
}

/**
 * Reads the response of an origin to one request while it arrives: one JSON object, or a stream of events with other messages
 * before the response. Events without a JSON-RPC message, and responses to other requests, are ignored.
 */
export class OriginReader {
  readonly #id: RpcId
  readonly #hasSession: boolean
  readonly #bounds: ReaderBounds
  readonly #onMessage: (message: Members) => void
  #status = 0
  #type = ''
  #events: SseReader | null = null
  /** Of an answer that is no stream. */
  readonly #body: ByteBuffer
  #messages = 0
  #responseBytes = 0
  #reply: OriginReply | null = null

  /** @param onMessage gets notifications and requests of the origin, in their order */
  constructor(id: RpcId, hasSession: boolean, bounds: ReaderBounds, onMessage: (message: Members) => void) {
    this.#id = id
    this.#hasSession = hasSession
    this.#bounds = bounds
    this.#onMessage = onMessage
    this.#body = new ByteBuffer(bounds.budget)
  }

  /** @param contentType empty where there is none */
  head(status: number, contentType: string): void {
    this.#status = status
    this.#type = contentType
    if (!/^text\/event-stream\b/i.test(contentType)) return
    const { bytesMax, budget } = this.#bounds
    this.#events = new SseReader({ eventBytesMax: bytesMax, budget }, ({ data }) => this.#read(data))
  }

  /** False when nothing more is wanted: the response is there, or it is too long. */
  piece(bytes: Buffer, from: number, to: number): boolean {
    const events = this.#events
    if (events !== null) {
      const isGood = events.add(bytes, from, to)
      if (!isGood) this.#reply ??= this.#none('one of its messages is too long')
      return this.#reply === null
    }
    const body = this.#body
    if (body.length + to - from <= this.#bounds.bytesMax && body.add(bytes, from, to)) return true
    this.#reply = this.#none('the answer is too long')
    return false
  }

  /** Where the stream can be taken up again; null for one that told no id, and for an answer that is no stream. */
  get cursor(): StreamCursor | null {
    const events = this.#events
    return events === null || events.lastId === '' ? null : { lastId: events.lastId, retryMs: events.retry }
  }

  /** Bytes of the response in UTF-8, without what frames it in a stream; of one JSON object all that came. */
  get responseBytes(): number {
    return this.#events === null ? this.#body.length : this.#responseBytes
  }

  /** What the answer came to, once it has ended or nothing more was wanted. It is read once, however often it is asked for. */
  end(): OriginReply {
    this.#events?.close()
    this.#reply ??= this.#events === null ? this.#whole() : this.#none('its stream ended without a response')
    return this.#reply
  }

  #whole(): OriginReply {
    const body = this.#body.whole()
    const header = (name: string) => (name === 'content-type' ? this.#type : undefined)
    const answer = { ok: true, status: this.#status, header, body, truncated: false } as const
    return readReply(answer, this.#id, this.#hasSession)
  }

  #read(data: string): void {
    if (this.#reply !== null) return
    if (++this.#messages > MESSAGES_MAX) {
      this.#reply = this.#none('it sends too many messages')
      return
    }
    const message = withoutMark(Buffer.from(data))
    this.#reply = plainReplyIn(message, this.#id, this.#status)
    if (this.#reply !== null) {
      this.#responseBytes = message.length
      return
    }
    const read = readJson(message)
    if (!read.ok || !isMembers(read.value)) return
    if (typeof read.value['method'] === 'string') this.#onMessage(read.value)
    else {
      this.#reply = replyIn(read, this.#id, this.#status)
      if (this.#reply !== null) this.#responseBytes = message.length
    }
  }

  #none(reason: string): OriginReply {
    return { kind: 'none', status: this.#status, reason }
  }
}

/**
 * When a broken stream of an origin is taken up again (2025-11-25, transports: resumability and redelivery). Only a stream that has
 * told an id can be; the origin says after which time.
 */

/** Where a stream has ended. */
export interface StreamCursor {
  /** Id of the last event. */
  readonly lastId: string
  /** Milliseconds that the origin wants its clients to wait; null where it has not said. */
  readonly retryMs: number | null
}

/** Attempts in a row that bring nothing, and of all for one request. */
const IN_VAIN_MAX = 5
const ALL_MAX = 100
const WAIT_MS = { least: 10, usual: 1000, most: 30_000 }
/** An id is sent back in a header. */
const ID = /^[!-~]{1,1024}$/

export class Resumption {
  #cursor: StreamCursor | null = null
  #inVain = 0
  #all = 0

  /**
   * What the next attempt sends, and how long it waits; null for the end of attempts.
   * @param cursor of the stream that has broken; null where it told no id
   */
  next(cursor: StreamCursor | null): { readonly lastId: string; readonly waitMs: number } | null {
    const isNew = cursor !== null && cursor.lastId !== this.#cursor?.lastId
    if (isNew) this.#inVain = 0
    const last = cursor ?? this.#cursor
    this.#cursor = last
    if (last === null || !ID.test(last.lastId) || ++this.#inVain > IN_VAIN_MAX || ++this.#all > ALL_MAX)
      return null
    const { least, usual, most } = WAIT_MS
    return { lastId: last.lastId, waitMs: Math.min(most, Math.max(least, last.retryMs ?? usual)) }
  }
}
