import { type ByteBudget, ByteBuffer } from '../base/memory/bytes.ts'

/** A body that is gathered for a handler. */
export class Collecting extends ByteBuffer {
  readonly bytesMax: number
  readonly done: (body: Uint8Array | null) => void

  constructor(bytesMax: number, budget: ByteBudget, done: (body: Uint8Array | null) => void) {
    super(budget)
    this.bytesMax = bytesMax
    this.done = done
  }
}
