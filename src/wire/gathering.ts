import { ByteBuffer } from '../base/byte-buffer.ts'
import type { CallRequest, CallResult, UpstreamFailure } from './port.ts'

/** The answer to a call from within, up to the bounds of its request. */
export class Gathering {
  upstreamAt = 0
  readonly #request: CallRequest
  readonly #kept: ByteBuffer
  #status = 0
  #fields = ''
  #upstreamHeadAt = 0
  #bodyBytes = 0
  #isUnheld = false

  constructor(request: CallRequest) {
    this.#request = request
    this.#kept = new ByteBuffer(request.budget ?? null)
  }

  /** The head has come; `fields` as the upstream sent them. */
  head(status: number, fields: string, now: number): void {
    this.#status = status
    this.#fields = fields + this.#request.responseFields
    this.#upstreamHeadAt = now
  }

  /** Copies as much of a piece as is kept. False when no more may be read. */
  add(bytes: Buffer, from: number, to: number): boolean {
    const keep = Math.min(to - from, this.#request.keepBytesMax - this.#kept.length)
    this.#bodyBytes += to - from
    if (keep > 0 && !this.#kept.add(bytes, from, from + keep)) {
      this.#isUnheld = true
      return false
    }
    return this.#bodyBytes <= this.#request.readBytesMax
  }

  /** @param isCut the answer went on when reading it was given up. */
  result(isCut: boolean): CallResult {
    return {
      ok: true,
      status: this.#status,
      fields: this.#fields,
      body: this.#kept.whole(),
      bodyBytes: this.#bodyBytes,
      truncated: isCut || this.#bodyBytes > this.#kept.length,
      isUnheld: this.#isUnheld,
      upstreamAt: this.upstreamAt,
      upstreamHeadAt: this.#upstreamHeadAt,
    }
  }

  failure(failure: UpstreamFailure, inner: string): CallResult {
    return { ok: false, failure, inner, upstreamAt: this.upstreamAt }
  }
}
