import { type CallAnswer, CUT, PAUSE, type Verdict } from '../call-answer.ts'
import type { ResponseHead } from '../native/response-head.ts'
import type { ForwardRequest, StreamHandle, StreamRequest, UpstreamFailure } from '../port.ts'
import { type Receiver, Sending, type SendingPool } from './sending.ts'

/** One request from within the process, whose body is at hand. */
export class NodeCall implements Receiver, StreamHandle {
  readonly #pool: SendingPool
  readonly #idleTimeoutMs: number | undefined
  readonly #answer: CallAnswer
  /** Null once the answer has begun. */
  #body: Uint8Array | null
  #sending: Sending
  readonly #began: ForwardRequest['began']
  #again: ForwardRequest['again']
  #isOver = false

  constructor(pool: SendingPool, request: StreamRequest, answer: CallAnswer) {
    this.#pool = pool
    this.#idleTimeoutMs = request.idleTimeoutMs
    this.#body = request.body
    this.#answer = answer
    this.#sending = this.#sendingOf(request)
    this.#began = request.began
    this.#again = request.again ?? null
    // Never before the caller holds its handle
    process.nextTick(() => {
      if (!this.#isOver) pool.submit(this.#sending)
    })
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sending.abandon()
  }

  resume(): void {
    if (!this.#isOver) this.#sending.resume()
  }

  started(now: number): void {
    this.#answer.upstreamAt = now
  }

  interim(): void {}

  writable(): void {}

  answered(head: ResponseHead, now: number): void {
    this.#began?.(head.status)
    if (this.#isOver || (this.#again !== null && this.#goesAgain(head))) return
    this.#body = null
    this.#goOn(this.#answer.head(head.status, head.pass, now))
  }

  /** See the exchange of a listener: its own request goes again in the same way. */
  #goesAgain({ status, pass }: ResponseHead): boolean {
    const next = this.#again!(status, pass)
    this.#again = null
    if (next === null) return false
    this.#sending.abandon()
    void next.then((request) => {
      if (this.#isOver) return
      if ('inner' in request) {
        this.failed('credential', request.inner)
        return
      }
      this.#again = request.again ?? null
      this.#sending = this.#sendingOf(request)
      this.#pool.submit(this.#sending)
    })
    return true
  }

  data(bytes: Buffer): boolean {
    if (this.#isOver) return true
    return this.#goOn(this.#answer.piece(bytes, 0, bytes.length, false))
  }

  #goOn(verdict: Verdict): boolean {
    if (verdict === CUT && !this.#isOver) {
      this.#isOver = true
      this.#sending.abandon()
      this.#answer.cut()
    }
    return verdict !== PAUSE
  }

  ended(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#answer.end()
  }

  failed(failure: UpstreamFailure, inner: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#answer.failed(failure, inner)
  }

  /** Sends the body with the given head. */
  #sendingOf(request: ForwardRequest): Sending {
    const body = this.#body
    return new Sending(this.#pool, this, request, body?.length ?? 0, body, this.#idleTimeoutMs)
  }
}
