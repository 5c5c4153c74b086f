import { ByteBuffer } from '../base/memory/bytes.ts'

/** Splits a stream of bytes at line feeds. It never keeps more than one line of the longest length. */
export interface LineReader {
  /** False when a line was longer than allowed: nothing is read from then on. */
  push(piece: Buffer): boolean
}

/**
 * @param bytesMax longest line, without its line feed
 * @param line told of each line with its bytes; empty lines are left out
 */
export function createLineReader(bytesMax: number, line: (bytes: Buffer) => void): LineReader {
  const kept = new ByteBuffer(null)
  let isOver = false
  return {
    push(piece) {
      let from = 0
      while (!isOver) {
        const at = piece.indexOf(0x0a, from)
        const end = at === -1 ? piece.length : at
        isOver = kept.length + end - from > bytesMax
        if (isOver) break
        if (at === -1) {
          kept.add(piece, from, end)
          return true
        }
        let whole = piece.subarray(from, end)
        if (kept.length > 0) {
          kept.add(piece, from, end)
          whole = kept.whole()
          kept.drop()
        }
        from = at + 1
        if (whole.length > 0) line(whole)
      }
      kept.drop()
      return false
    },
  }
}
