import type { Readable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { Timers } from './timers.ts'

/** Lines per second that are read of a stream, also empty ones: they take the time of this process, not its memory. */
const LINES_PER_SECOND = 16_384
const LINE_FEED = 0x0a

/**
 * Reads a stream. After `bytesPerSecond` bytes or {@link LINES_PER_SECOND} lines it reads no more until the second is over, so the
 * program that writes has to wait. The last piece is taken whole.
 * @param take gets each piece
 */
export function paced(
  stream: Readable,
  bytesPerSecond: number,
  timers: Timers,
  clock: Clock,
  take: (piece: Buffer) => void,
): void {
  let windowAt = clock.monotonic()
  let [bytes, lines] = [0, 0]
  stream.on('data', (piece: Buffer) => {
    const now = clock.monotonic()
    if (now - windowAt >= 1000) {
      windowAt = now
      bytes = 0
      lines = 0
    }
    take(piece)
    bytes += piece.length
    for (let at = -1; lines < LINES_PER_SECOND; lines++) {
      at = piece.indexOf(LINE_FEED, at + 1)
      if (at === -1) break
    }
    if (bytes < bytesPerSecond && lines < LINES_PER_SECOND) return
    stream.pause()
    timers.after(windowAt + 1000 - now, () => stream.resume())
  })
}
