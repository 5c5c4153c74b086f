/** Splits a response of an origin into messages while it arrives. */
import { ByteBuffer } from '../../base/memory/bytes.ts'
import { readJson, withoutMark } from '../protocol/json.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { SseReader } from '../protocol/sse-reader.ts'

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
