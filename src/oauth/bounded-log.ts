/** Logs events that anybody can cause, a bounded number in a minute. */
import type { Clock } from '../base/clock.ts'

/** Sentences in a minute: as many as help whoever reads the log. */
const TOLD_MAX = 30

/**
 * Tells the log what anybody can cause, such as by opening a page or by naming a client. Leaves out what comes beyond a number of
 * sentences in a minute, so that nobody fills the disk or hides the rest of the log.
 */
export function tellFew(
  clock: Pick<Clock, 'monotonic'>,
  warn: (sentence: string) => void,
): (sentence: string) => void {
  let minute = 0
  let count = 0
  return (sentence) => {
    const now = Math.floor(clock.monotonic() / 60_000)
    if (now !== minute) [minute, count] = [now, 0]
    if (++count <= TOLD_MAX) warn(sentence)
  }
}
