import type { KeptBytes } from './port.ts'

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
