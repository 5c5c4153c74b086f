import type { AnswerTap, Substitute } from '../port.ts'

/** Copies an answer for its tap while it passes. */
export class Tapped {
  readonly #tap: AnswerTap
  #status = 0
  #fields = ''
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(tap: AnswerTap) {
    this.#tap = tap
  }

  begin(status: number, fields: string): Substitute | null {
    this.#status = status
    this.#fields = fields
    return this.#tap.head(status, fields)
  }

  /** The bytes are on loan. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): void {
    this.#bytes += to - from
    const fits = this.#bytes <= this.#tap.keepBytesMax
    if (!fits) this.#pieces = []
    else if (to > from) this.#pieces.push(Buffer.from(bytes.subarray(from, to)))
    if (last) this.#tap.end(this.#status, this.#fields, fits ? Buffer.concat(this.#pieces) : null)
  }
}
