import type { ResponseHead } from '../native/response-head.ts'
import type { CallHandle, CallRequest, CallResult, ForwardRequest, UpstreamFailure } from '../port.ts'
import type { NodePool } from './pool.ts'
import { type Receiver, Sending } from './sending.ts'

/** One request from within the process: its body is at hand, its answer is gathered up to a bound. */
export class NodeCall implements Receiver, CallHandle {
  readonly #pool: NodePool
  readonly #request: CallRequest
  readonly #done: (result: CallResult) => void
  #sending: Sending
  #again: ForwardRequest['again']
  #isOver = false
  #status = 0
  #fields = ''
  #pieces: Buffer[] = []
  #kept = 0
  #bodyBytes = 0
  #upstreamAt = 0
  #upstreamHeadAt = 0

  constructor(pool: NodePool, request: CallRequest, done: (result: CallResult) => void) {
    this.#pool = pool
    this.#request = request
    this.#done = done
    this.#sending = new Sending(pool, this, request, request.body?.length ?? 0, request.body)
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

  started(now: number): void {
    this.#upstreamAt = now
  }

  interim(): void {}

  writable(): void {}

  answered(head: ResponseHead, now: number): void {
    if (this.#again !== null && this.#goesAgain(head.status)) return
    this.#status = head.status
    this.#fields = head.pass + this.#request.responseFields
    this.#upstreamHeadAt = now
  }

  /** See the exchange of a listener: its own request goes again in the same way. */
  #goesAgain(status: number): boolean {
    const next = this.#again!(status)
    this.#again = null
    if (next === null) return false
    this.#sending.abandon()
    void next.then((request) => {
      if (this.#isOver) return
      if ('inner' in request) {
        this.failed('credential', request.inner)
        return
      }
      const { body } = this.#request
      this.#sending = new Sending(this.#pool, this, request, body?.length ?? 0, body)
      this.#pool.submit(this.#sending)
    })
    return true
  }

  data(bytes: Buffer): boolean {
    if (this.#isOver) return true
    const keep = Math.min(bytes.length, this.#request.keepBytesMax - this.#kept)
    if (keep > 0) {
      this.#pieces.push(bytes.subarray(0, keep))
      this.#kept += keep
    }
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes > this.#request.readBytesMax) {
      this.#sending.abandon()
      this.#finish(true)
    }
    return true
  }

  ended(): void {
    if (!this.#isOver) this.#finish(false)
  }

  failed(failure: UpstreamFailure, inner: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#tell({ ok: false, failure, inner, upstreamAt: this.#upstreamAt })
  }

  #finish(isCut: boolean): void {
    this.#isOver = true
    this.#tell({
      ok: true,
      status: this.#status,
      fields: this.#fields,
      body: Buffer.concat(this.#pieces),
      bodyBytes: this.#bodyBytes,
      truncated: isCut || this.#bodyBytes > this.#kept,
      upstreamAt: this.#upstreamAt,
      upstreamHeadAt: this.#upstreamHeadAt,
    })
  }

  #tell(result: CallResult): void {
    try {
      this.#done(result)
    } catch (error) {
      this.#pool.shared.fault(error)
    }
  }
}
