import { STRING_BYTES_MAX } from './limits.ts'

/**
 * `bytes[from, to)` as latin1. `toString` looks at its arguments and the encoding's name on every call; the method
 * that it ends up in does not.
 */
export function latin1(bytes: Buffer, from: number, to: number): string {
  // Part of every Buffer, though not of its type
  return (bytes as Buffer & { latin1Slice(from: number, to: number): string }).latin1Slice(from, to)
}

/**
 * `before`, `bytes[from, to)` and `after` as one thing to write: one system call per message is what makes this
 * cheap. Small ones become a latin1 string, which the socket writes without a buffer of its own.
 */
export function joined(
  before: string,
  bytes: Buffer,
  from: number,
  to: number,
  after: string,
): string | Buffer {
  const length = to - from
  if (length === 0) return before + after
  if (length <= STRING_BYTES_MAX) return before + latin1(bytes, from, to) + after
  const whole = Buffer.allocUnsafe(before.length + length + after.length)
  whole.write(before, 0, 'latin1')
  bytes.copy(whole, before.length, from, to)
  whole.write(after, before.length + length, 'latin1')
  return whole
}

/** One chunk (RFC 9112 7.1), and the end of the body with `last`. Empty data without `last` gives an empty string. */
export function chunk(
  before: string,
  bytes: Buffer,
  from: number,
  to: number,
  last: boolean,
): string | Buffer {
  const length = to - from
  if (length === 0) return last ? `${before}0\r\n\r\n` : before
  return joined(`${before}${length.toString(16)}\r\n`, bytes, from, to, last ? '\r\n0\r\n\r\n' : '\r\n')
}
