import { ByteBuffer } from '../../base/memory/bytes.ts'
import type { AnswerTap, Substitute } from '../port.ts'

/** Copies an answer for its tap while it passes. */
export class Tapped {
  readonly #tap: AnswerTap
  #status = 0
  #fields = ''
  readonly #kept: ByteBuffer
  #fits = true

  constructor(tap: AnswerTap) {
    this.#tap = tap
    this.#kept = new ByteBuffer(tap.budget)
  }

  begin(status: number, fields: string): Substitute | null {
    this.#status = status
    this.#fields = fields
    return this.#tap.head(status, fields)
  }

  /** The bytes are on loan. */
  piece(bytes: Buffer, from: number, to: number, last: boolean): void {
    if (this.#fits) {
      this.#fits = this.#kept.length + to - from <= this.#tap.keepBytesMax && this.#kept.add(bytes, from, to)
      if (!this.#fits) this.#kept.drop()
    }
    if (last) this.#tap.end(this.#status, this.#fields, this.#fits ? this.#kept.whole() : null)
  }
}
