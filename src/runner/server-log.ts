/**
 * Writes the stderr of a server to the log of the runner.
 *
 * 1. The length of a line is bounded, and so is the number of lines. Lines beyond are counted, and the count is logged.
 * 2. Secret values of the environment are replaced, and so is any text that looks like a secret.
 */
import { StringDecoder } from 'node:string_decoder'
import type { Clock } from '../base/clock.ts'
import { MASKED, maskText } from '../base/text/mask.ts'
import { printable } from '../base/text/visible.ts'

const LINE_BYTES_MAX = 4096
/** Lines that may come at once, and that come back in a second. */
const LINES_MAX = 100
const LINES_PER_SECOND = 10

export interface ServerLog {
  /** Takes bytes of stderr. */
  push(piece: Buffer): void
  /** A sentence about the output of the server, under the same bound as its lines. */
  note(text: string): void
  /** Logs what is left. */
  close(): void
}

export type Log = (level: 'info' | 'warn' | 'error', message: string) => void

/** @param name of the entry and process, before each line */
export function createServerLog(name: string, secrets: readonly string[], log: Log, clock: Clock): ServerLog {
  const decoder = new StringDecoder('utf8')
  let kept = ''
  let isCut = false
  let tokens = LINES_MAX
  let filledAt = clock.monotonic()
  let dropped = 0
  const longest = secrets[0]?.length ?? 0

  function take(): boolean {
    const now = clock.monotonic()
    tokens = Math.min(LINES_MAX, tokens + ((now - filledAt) / 1000) * LINES_PER_SECOND)
    filledAt = now
    if (tokens < 1) {
      dropped++
      return false
    }
    tokens--
    if (dropped > 0) log('warn', `${name}: ${dropped} lines of its output are not logged: it writes too many`)
    dropped = 0
    return true
  }

  function line(): void {
    let text = kept
    for (const secret of secrets) text = text.replaceAll(secret, MASKED)
    // A secret that the cut parts in two is not found; its first part goes with the end
    if (isCut) text = `${text.slice(0, Math.max(0, text.length - longest))} [line cut]`
    if (text.trim() !== '' && take()) log('info', `${name}: ${printable(maskText(text.trimEnd()))}`)
    kept = ''
    isCut = false
  }

  return {
    push(piece) {
      // A character that is cut apart would hide a secret that has it
      const text = decoder.write(piece)
      let from = 0
      for (;;) {
        const at = text.indexOf('\n', from)
        const end = at === -1 ? text.length : at
        const room = LINE_BYTES_MAX - kept.length
        if (end - from > room) isCut = true
        if (room > 0) kept += text.slice(from, Math.min(end, from + room))
        if (at === -1) return
        line()
        from = at + 1
      }
    },
    note(text) {
      if (take()) log('warn', `${name}: ${text}`)
    },
    close() {
      kept += decoder.end()
      line()
      if (dropped > 0)
        log('warn', `${name}: ${dropped} lines of its output are not logged: it writes too many`)
    },
  }
}
