import { type ByteBudget, ByteBuffer } from '../base/memory/bytes.ts'
import type { Outcome } from './port.ts'

/** An outcome to be filled in. A class, because copying a literal with fractions in it is a call into the runtime for every request. */
export class Progress implements Outcome {
  startedAt: number
  status = 0
  bytesIn = 0
  bytesOut = 0
  upstreamAt = 0
  upstreamHeadAt = 0
  upstreamStatus = 0
  isStream = false
  endedAt = 0
  aborted = false
  truncated = false

  constructor(now: number) {
    this.startedAt = now
  }
}

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
