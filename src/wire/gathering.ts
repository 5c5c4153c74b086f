import { ByteBuffer } from '../base/memory/bytes.ts'
import { type CallAnswer, CUT, MORE, type Verdict } from './call-answer.ts'
import type { CallRequest, CallResult, UpstreamFailure } from './port.ts'

/** Gathers the answer to a call from within, up to the bounds of its request. */
export class Gathering implements CallAnswer {
  upstreamAt = 0
  readonly #request: CallRequest
  readonly #done: (result: CallResult) => void
  readonly #fault: (error: unknown) => void
  readonly #kept: ByteBuffer
  #status = 0
  #fields = ''
  #upstreamHeadAt = 0
  #bodyBytes = 0
  #isUnheld = false

  constructor(request: CallRequest, done: (result: CallResult) => void, fault: (error: unknown) => void) {
    this.#request = request
    this.#done = done
    this.#fault = fault
    this.#kept = new ByteBuffer(request.budget ?? null)
  }

  head(status: number, fields: string, now: number): Verdict {
    this.#status = status
    this.#fields = fields + this.#request.responseFields
    this.#upstreamHeadAt = now
    return MORE
  }

  /** Copies as much of a piece as is kept. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): Verdict {
    const keep = Math.min(to - from, this.#request.keepBytesMax - this.#kept.length)
    this.#bodyBytes += to - from
    if (keep > 0 && !this.#kept.add(bytes, from, from + keep)) {
      this.#isUnheld = true
      return last ? MORE : CUT
    }
    return last || this.#bodyBytes <= this.#request.readBytesMax ? MORE : CUT
  }

  end(): void {
    this.#finish(false)
  }

  cut(): void {
    this.#finish(true)
  }

  failed(failure: UpstreamFailure, inner: string): void {
    this.#tell({ ok: false, failure, inner, upstreamAt: this.upstreamAt })
  }

  #finish(isCut: boolean): void {
    this.#tell({
      ok: true,
      status: this.#status,
      fields: this.#fields,
      body: this.#kept.whole(),
      bodyBytes: this.#bodyBytes,
      truncated: isCut || this.#bodyBytes > this.#kept.length,
      isUnheld: this.#isUnheld,
      upstreamAt: this.upstreamAt,
      upstreamHeadAt: this.#upstreamHeadAt,
    })
  }

  #tell(result: CallResult): void {
    try {
      this.#done(result)
    } catch (error) {
      this.#fault(error)
    }
  }
}
