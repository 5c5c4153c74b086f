import { type ByteBudget, ByteBuffer } from '../base/memory/bytes.ts'
import type { KeptBytes, Outcome } from './port.ts'

/** An outcome to be filled in. A class, because copying a literal with fractions in it is a call into the runtime for every request. */
export class Progress implements Outcome {
  startedAt: number
  status = 0
  bytesIn = 0
  bytesOut = 0
  upstreamAt = 0
  upstreamHeadAt = 0
  upstreamStatus = 0
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

export function lengthOf({ before, bytes, after }: KeptBytes): number {
  return before.length + bytes.length + after.length
}

/** A body as bytes; that of bytes is not copied. */
export function wholeBody(body: string | Uint8Array | KeptBytes): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  if (!('before' in body)) return Buffer.from(body.buffer, body.byteOffset, body.length)
  const whole = Buffer.allocUnsafe(lengthOf(body))
  fillAround(whole, body.before, body.bytes, body.after)
  return whole
}

/** Writes texts of latin1 with bytes between them to the beginning of a buffer that has room for them. */
export function fillAround(to: Buffer, before: string, bytes: Buffer, after: string): void {
  to.write(before, 0, 'latin1')
  bytes.copy(to, before.length)
  to.write(after, before.length + bytes.length, 'latin1')
}
