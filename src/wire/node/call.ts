import { Gathering } from '../gathering.ts'
import type { ResponseHead } from '../native/response-head.ts'
import type { CallHandle, CallRequest, CallResult, ForwardRequest, UpstreamFailure } from '../port.ts'
import { type Receiver, Sending, type SendingPool } from './sending.ts'

/** One request from within the process: its body is at hand, its answer is gathered up to a bound. */
export class NodeCall implements Receiver, CallHandle {
  readonly #pool: SendingPool
  readonly #request: CallRequest
  readonly #gathering: Gathering
  readonly #done: (result: CallResult) => void
  #sending: Sending
  #again: ForwardRequest['again']
  #isOver = false

  constructor(pool: SendingPool, request: CallRequest, done: (result: CallResult) => void) {
    this.#pool = pool
    this.#request = request
    this.#gathering = new Gathering(request)
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
    this.#gathering.upstreamAt = now
  }

  interim(): void {}

  writable(): void {}

  answered(head: ResponseHead, now: number): void {
    this.#request.began?.(head.status)
    if (this.#again !== null && this.#goesAgain(head.status)) return
    this.#gathering.head(head.status, head.pass, now)
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
    if (!this.#gathering.add(bytes, 0, bytes.length)) {
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
    this.#tell(this.#gathering.failure(failure, inner))
  }

  #finish(isCut: boolean): void {
    this.#isOver = true
    this.#tell(this.#gathering.result(isCut))
  }

  #tell(result: CallResult): void {
    try {
      this.#done(result)
    } catch (error) {
      this.#pool.shared.fault(error)
    }
  }
}
