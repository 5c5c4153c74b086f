/** A stream that stays open at an origin with HTTP+SSE. */
import { isMembers, type Members } from '../protocol/message.ts'
import { originNotification, originRequest } from './envelope.ts'
import {
  type EraEvents,
  type EraStream,
  type EraStreamTools,
  endBy,
  StandingAnswers,
  type StreamEnd,
  Subscribed,
  type Wanted,
} from './era-stream.ts'
import type { OriginRequest } from './send.ts'
import { initializeOverSse, SseSession, type SseTools } from './sse-session.ts'

/** What an origin answers to GET that has another transport by now: a probe finds it out. */
const MOVED: ReadonlySet<number | null> = new Set([400, 404, 405])

/**
 * A session of its own at an origin of HTTP+SSE, on whose stream the server says what has changed (2024-11-05, basic/transports).
 *
 * 1. The stream is the session: one that has ended is opened anew, and the origin knows nothing of the earlier one.
 * 2. Each resource is subscribed to once in a session.
 */
export class SseStream implements EraStream {
  readonly #tools: EraStreamTools
  readonly #sse: SseTools
  readonly #events: EraEvents
  #session: SseSession | null = null
  #subscribed = new Subscribed()
  #wanted: Wanted = { lists: false, uris: new Set() }
  #isSyncing = false
  /** Counts openings and closings: what belongs to an earlier one is left alone. */
  #turn = 0

  constructor(tools: EraStreamTools, sse: SseTools, events: EraEvents) {
    this.#tools = tools
    this.#sse = sse
    this.#events = events
  }

  open(wanted: Wanted): void {
    this.#wanted = wanted
    void this.#begin(++this.#turn)
  }

  want(wanted: Wanted): void {
    this.#wanted = wanted
    void this.#sync()
  }

  close(): void {
    this.#turn++
    this.#session?.close()
    this.#session = null
  }

  async #begin(turn: number): Promise<void> {
    const { send, version, own } = this.#tools
    const opened = await initializeOverSse(this.#sse, send, version, own, {})
    const isOpen = opened instanceof SseSession
    if (turn !== this.#turn) {
      if (isOpen) opened.close()
      return
    }
    if (!isOpen) {
      this.#events.over(MOVED.has(opened.status) ? { kind: 'failed' } : endBy(opened.status))
      return
    }
    this.#session = opened
    this.#subscribed = new Subscribed()
    this.#listen(turn, opened)
    await send({ ...originNotification(version, null, 'notifications/initialized', {}), at: opened.at })
    if (turn !== this.#turn || this.#session !== opened) return
    this.#events.stands(true)
    void this.#sync()
  }

  #listen(turn: number, session: SseSession): void {
    const over = (end: StreamEnd): void => {
      if (turn !== this.#turn || this.#session !== session) return
      this.#session = null
      this.#events.over(end)
    }
    const { version, send, clock } = this.#tools
    const answers = new StandingAnswers(
      version,
      (answer) => send({ ...answer, at: session.at }),
      () => clock.monotonic(),
    )
    const heard = (message: Members): void => {
      if (turn !== this.#turn) return
      const { method, params, id } = message
      if (id !== undefined) answers.answer(message, null)
      const told = id === undefined ? String(method) : null
      if (!this.#events.heard(told, isMembers(params) ? params : {})) session.close()
    }
    const broke = (): void => over({ kind: 'ended', retryMs: null })
    // No response is waited for
    session.listen({ id: '', heard, replied() {}, broke }, null)
    if (session.isOver) over({ kind: 'ended', retryMs: null })
  }

  /** Subscribes to what is wanted and unsubscribes from what is not, one after the other. */
  async #sync(): Promise<void> {
    if (this.#isSyncing) return
    this.#isSyncing = true
    for (let next = this.#nextChange(); next !== null; next = this.#nextChange()) await this.#tools.send(next)
    this.#isSyncing = false
  }

  #nextChange(): OriginRequest | null {
    const session = this.#session
    if (session === null) return null
    const change = this.#subscribed.next(this.#wanted.uris)
    if (change === null) return null
    const { version, own, requestIds } = this.#tools
    const speaker = { info: { ...own }, capabilities: {} }
    const { method, uri } = change
    return { ...originRequest(version, null, requestIds(), method, { uri }, speaker), at: session.at }
  }
}
