import { CR, LF } from './grammar.ts'

/**
 * True when the beginning of a head can become no valid head whatever follows: a bare LF or CR, or NUL, in
 * `bytes[from, to)`, where `from` is `start` or the last byte looked at before. Such a head would otherwise keep
 * its connection until the timeout.
 */
export function isBroken(bytes: Buffer, start: number, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const byte = bytes[i]
    if (byte === 0) return true
    if (byte === LF && (i === start || bytes[i - 1] !== CR)) return true
    if (byte === CR && i + 1 < to && bytes[i + 1] !== LF) return true
  }
  return false
}
