import { type CallAnswer, CUT, MORE, PAUSE, type Verdict } from './gathering.ts'
import type { AnswerReader, StreamRequest, UpstreamFailure } from './port.ts'

/** Hands the answer to a request from within the process over to its reader, piece by piece. */
export class HandingOver implements CallAnswer {
  upstreamAt = 0
  readonly #readBytesMax: number
  readonly #responseFields: string
  readonly #reader: AnswerReader
  readonly #fault: (error: unknown) => void
  #bodyBytes = 0
  /** The reader threw an error: it is called no more. */
  #isBroken = false

  constructor(request: StreamRequest, reader: AnswerReader, fault: (error: unknown) => void) {
    this.#readBytesMax = request.readBytesMax
    this.#responseFields = request.responseFields
    this.#reader = reader
    this.#fault = fault
  }

  head(status: number, fields: string, now: number): Verdict {
    const { upstreamAt } = this
    const lines = fields + this.#responseFields
    this.#tell(() => this.#reader.head({ status, fields: lines, upstreamAt, upstreamHeadAt: now }))
    return this.#isBroken ? CUT : MORE
  }

  piece(bytes: Buffer, from: number, to: number): Verdict {
    this.#bodyBytes += to - from
    if (this.#isBroken || this.#bodyBytes > this.#readBytesMax) return CUT
    let verdict: Verdict = CUT
    try {
      verdict = this.#reader.piece(bytes, from, to) ? MORE : PAUSE
    } catch (error) {
      this.#broke(error)
    }
    return verdict
  }

  end(): void {
    this.#tell(() => this.#reader.end())
  }

  cut(): void {
    this.failed('invalid_response', 'the body is too long')
  }

  failed(failure: UpstreamFailure, inner: string): void {
    this.#tell(() => this.#reader.failed(failure, inner, this.upstreamAt))
  }

  #tell(what: () => void): void {
    if (this.#isBroken) return
    try {
      what()
    } catch (error) {
      this.#broke(error)
    }
  }

  #broke(error: unknown): void {
    this.#isBroken = true
    this.#fault(error)
  }
}

/** What each request adds to the budget. */
const SHARE = 1 / 6
/** Repeats that the budget covers when all was well before, also with few connections. */
const IN_A_ROW = 10

/**
 * Decides whether requests to a server may use its kept connections. A kept connection that the server closed costs a
 * repeat, and the repeat is always made, so that no call fails. While too many were needed, requests use new connections,
 * which need no repeat: the server gets at most a sixth more requests, and ten in a row, and those under way at once.
 */
export class ReuseBudget {
  #left = IN_A_ROW

  /** A request is sent. @param open connections to the server */
  earn(open: number): void {
    if (this.#left < Math.max(IN_A_ROW, open)) this.#left += SHARE
  }

  /** A request is repeated because the kept connection that took it was closed. */
  spend(): void {
    this.#left--
  }

  /** False while requests are to use new connections. */
  get mayReuse(): boolean {
    return this.#left >= 1
  }
}
