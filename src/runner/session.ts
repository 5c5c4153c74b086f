/**
 * A legacy session of one HTTP caller with a process. Messages that belong to no call of it go to its GET stream. They
 * wait a moment for the stream, since clients open it only after `notifications/initialized`.
 */
import { randomBytes } from 'node:crypto'
import type { Peer } from './connection.ts'
import type { Exchange } from './exchange.ts'
import type { Timers } from './timers.ts'

const WAITING_MAX = 32
/** Characters of all messages that wait for one stream. */
const WAITING_CHARS_MAX = 262_144
/** Time for which a message waits for a stream, milliseconds. */
const WAIT_MS = 5000

export interface Session extends Peer {
  /** 192 random bits. */
  readonly id: string
  /** Of the token that opened it, its entry, origin and user: others do not find it. */
  readonly owner: string
  /** Monotonic time of its last request, milliseconds. */
  usedAt: number
  readonly isStreaming: boolean
  /** Takes over a GET stream. The stream of before ends: its connection may be dead without anybody knowing. */
  attach(stream: Exchange): void
  close(): void
}

export function createSession(owner: string, now: number, timers: Timers): Session {
  let stream: Exchange | null = null
  let waiting: { readonly text: string; readonly undelivered: () => void }[] = []
  let stopTimer = (): void => {}

  function giveUp(): void {
    stopTimer()
    const undelivered = waiting
    waiting = []
    for (const one of undelivered) one.undelivered()
  }

  return {
    id: randomBytes(24).toString('base64url'),
    owner,
    usedAt: now,
    get isStreaming() {
      return stream?.isOpen === true
    },
    tell(text, undelivered) {
      if (stream?.message(text)) return
      const chars = waiting.reduce((sum, one) => sum + one.text.length, text.length)
      if (waiting.length >= WAITING_MAX || chars > WAITING_CHARS_MAX) return undelivered()
      if (waiting.push({ text, undelivered }) === 1) stopTimer = timers.after(WAIT_MS, giveUp)
    },
    attach(given) {
      stream?.end()
      stream = given
      given.open()
      const ready = waiting
      waiting = []
      stopTimer()
      for (const one of ready) if (!given.message(one.text)) one.undelivered()
    },
    close() {
      stream?.end()
      giveUp()
    },
  }
}
