import { ByteBuffer } from '../base/memory/bytes.ts'
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

/** How an answer goes on: at once, after a pause, or not at all. */
export const MORE = 0
export const PAUSE = 1
export const CUT = 2
export type Verdict = typeof MORE | typeof PAUSE | typeof CUT

/** Receives the answer to a request from within the process: gathers it, or hands it over in pieces. */
export interface CallAnswer {
  /** When the request was handed to a connection, monotonic milliseconds; 0 for never. Set by the call. */
  upstreamAt: number
  /** The head has come; `fields` as the upstream sent them. */
  head(status: number, fields: string, now: number): Verdict
  /** `bytes[from, to)` is the next part of the body, at least one byte; the engine reuses `bytes`. `last` when it completes the body. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): Verdict
  /** The answer is complete. */
  end(): void
  /** The call has given the answer up after {@link CUT}. */
  cut(): void
  /** The request failed, or the answer broke off. */
  failed(failure: UpstreamFailure, inner: string): void
}
