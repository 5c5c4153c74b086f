/** What streams of both eras that stay open at an origin have in common. */
import type { Clock } from '../../base/clock.ts'
import { ByteBuffer } from '../../base/memory/bytes.ts'
import { readJson, withoutMark } from '../protocol/json.ts'
import { isMembers, type Members, rpcIdIn, writableId } from '../protocol/message.ts'
import { SseReader } from '../protocol/sse-reader.ts'
import { type OwnName, originResponse, type ReadFromOrigin, type SendToOrigin } from './envelope.ts'
import type { SseTools } from './sse-session.ts'

/** What is to be heard of. */
export interface Wanted {
  /** Changes of the lists that the server says to tell of. */
  readonly lists: boolean
  /** Changes of these resources, by their URIs at the origin. */
  readonly uris: ReadonlySet<string>
  /** What becomes of these tasks, by their ids at an origin of 2026-07-28; absent for none. */
  readonly tasks?: ReadonlySet<string>
}

/** How an opening, or a stream that stood, has ended. */
export type StreamEnd =
  /** It may be opened again. @see retryMs what the server wants its clients to wait; null where it says nothing */
  | { readonly kind: 'ended'; readonly retryMs: number | null }
  /** The server cannot be reached, or fails. */
  | { readonly kind: 'failed' }
  /** The server has no such streams. */
  | { readonly kind: 'refused' }

export interface EraEvents {
  /** It stands. @param isNew the origin knows nothing of an earlier one, so that something may have been missed */
  stands(isNew: boolean): void
  /** A message. False: the stream is to end. @param method null for what is no notification */
  heard(method: string | null, params: Members): boolean
  /** Told once for each opening, unless it was closed. */
  over(end: StreamEnd): void
}

/** A stream to an origin of one era, which is opened any number of times. */
export interface EraStream {
  /** Nothing is open when this is called. */
  open(wanted: Wanted): void
  /** Something else is wanted of a stream that stands. */
  want(wanted: Wanted): void
  /** Ends it, and what stands for it at the origin. It can be opened again. */
  close(): void
}

export interface EraStreamTools {
  readonly send: SendToOrigin
  readonly read: ReadFromOrigin
  readonly own: OwnName
  readonly requestIds: () => string
  readonly clock: Clock
  /** Revision that the origin speaks. */
  readonly version: string
  /** As the origin declares them. */
  readonly capabilities: Members
  /** How an origin of HTTP+SSE is reached; null for any other. */
  readonly sse: Omit<SseTools, 'read'> | null
}

/** What became of a request by the status of its answer; null where none came. */
export function endBy(status: number | null): StreamEnd {
  if (status === null || status >= 500) return { kind: status === 501 ? 'refused' : 'failed' }
  return { kind: 'ended', retryMs: null }
}

/** Of one message, and of an answer that is no stream. */
const MESSAGE_BYTES_MAX = 256 * 1024

/**
 * Reads the messages of an answer: a stream of events, or one JSON object. Anything that is not a JSON object is left out. Memory is bounded by
 * one message.
 */
export class MessageStream {
  readonly #onMessage: (message: Members) => boolean
  #events: SseReader | null = null
  readonly #body = new ByteBuffer(null)
  #isGood = true

  /** @param onMessage False: nothing more is wanted */
  constructor(onMessage: (message: Members) => boolean) {
    this.#onMessage = onMessage
  }

  /** Id of the last event; empty for none. */
  get lastId(): string {
    return this.#events?.lastId ?? ''
  }

  /** How long the server wants its clients to wait before they come back, milliseconds; null where it says nothing. */
  get retry(): number | null {
    return this.#events?.retry ?? null
  }

  /** True for a stream of events. @param contentType empty where there is none */
  head(contentType: string): boolean {
    if (!/^text\/event-stream\b/i.test(contentType)) return false
    this.#events = new SseReader({ eventBytesMax: MESSAGE_BYTES_MAX, budget: null }, ({ data }) =>
      this.#read(Buffer.from(data)),
    )
    return true
  }

  /** False when nothing more is wanted. */
  piece(bytes: Buffer, from: number, to: number): boolean {
    if (this.#events !== null) return this.#events.add(bytes, from, to) && this.#isGood
    if (this.#body.length + to - from <= MESSAGE_BYTES_MAX) return this.#body.add(bytes, from, to)
    this.#body.drop()
    return false
  }

  /** The answer is over, or given up. */
  end(): void {
    this.#events?.close()
    if (this.#events === null) this.#read(this.#body.whole())
  }

  #read(bytes: Buffer): void {
    if (!this.#isGood || bytes.length === 0) return
    const read = readJson(withoutMark(bytes))
    if (read.ok && isMembers(read.value)) this.#isGood = this.#onMessage(read.value)
  }
}

/** The resources that one session at an origin of an earlier revision subscribes to, each once. */
export class Subscribed {
  readonly #uris = new Set<string>()

  /** The next step towards what is wanted, which counts as done; null when there is none. */
  next(wanted: ReadonlySet<string>): { readonly method: string; readonly uri: string } | null {
    for (const uri of this.#uris)
      if (!wanted.has(uri)) {
        this.#uris.delete(uri)
        return { method: 'resources/unsubscribe', uri }
      }
    for (const uri of wanted)
      if (!this.#uris.has(uri)) {
        this.#uris.add(uri)
        return { method: 'resources/subscribe', uri }
      }
    return null
  }
}

/** Requests of a server that get an answer in {@link WINDOW_MS}: each answer is a request to it. */
const ANSWERS_MAX = 50
const WINDOW_MS = 60_000
const METHOD_NOT_FOUND = -32601

/** Answers what a server asks on a stream that stands. No client stands behind it: only a sign of life is given. */
export class StandingAnswers {
  readonly #version: string
  readonly #send: SendToOrigin
  readonly #now: () => number
  #since: number
  #answers = 0

  /** @param version revision that the server speaks @param now monotonic, milliseconds */
  constructor(version: string, send: SendToOrigin, now: () => number) {
    this.#version = version
    this.#send = send
    this.#now = now
    this.#since = now()
  }

  /** @param session of the server; null for one without ids */
  answer(asked: Members, session: string | null): void {
    const id = rpcIdIn(asked, 'id')
    if (id === undefined) return
    if (this.#now() - this.#since >= WINDOW_MS) {
      this.#since = this.#now()
      this.#answers = 0
    }
    if (++this.#answers > ANSWERS_MAX) return
    const error = { code: METHOD_NOT_FOUND, message: 'Requests are not supported on this stream' }
    const content = asked['method'] === 'ping' ? { result: {} } : { error }
    void this.#send(
      originResponse(this.#version, session, { jsonrpc: '2.0', id: writableId(id), ...content }),
    )
  }
}
