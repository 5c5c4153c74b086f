/**
 * Stops an engine. Requests in progress end. Listeners and idle connections close later than `/readyz` fails, so that callers
 * that still connect are not reset.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Emptiness } from './emptiness.ts'

/** How long a connection without a request stays open while its engine drains: more than a round trip of most callers. */
const IDLE_MS = 250
/** A caller that asks regularly gets twice the pause between its last requests, but no more than this. */
const HOLD_MS_MAX = 1500
/** Idle connections that close in one turn of the event loop, so that little time passes since their last bytes were read. */
const CLOSED_MAX = 16
/** Listeners close after so long without a new connection, but no later than {@link LISTENING_MS_MAX} after the drain begins. */
const QUIET_MS = 100
const LISTENING_MS_MAX = 3000
const STEP_MS = 10
/** While a turn of the event loop takes no longer, few connections can arrive in it. */
const SHORT_TURN_MS = 0.05
const SHORT_TURN_WAIT_MS = 500

/** What an engine does while it drains. From the beginning each of its answers says that the connection closes. */
export interface Draining {
  /** True when no connection is open and no handshake is in progress. */
  isEmpty(): boolean
  closeListeners(): void
  /**
   * Closes connections that have waited for a request, and handshakes that have lasted, for as long as {@link IdleBounds} say, at
   * most `count` of them. True when more may be left.
   */
  closeIdle(bounds: IdleBounds, count: number): boolean
  /** Tells the writers of streamed answers to end them. */
  drainStreams(): void
}

/** How long a connection without a request stays open, milliseconds. */
export interface IdleBounds {
  readonly idleMs: number
  /** For a caller that asks regularly; at least `idleMs`. */
  readonly holdMs: number
}

/**
 * Since when (monotonic milliseconds) a connection must have waited so that it closes.
 * @param pauseMs between the last two requests; Infinity without two
 */
export function idleSince(now: number, { idleMs, holdMs }: IdleBounds, pauseMs: number): number {
  return now - (pauseMs * 2 <= holdMs ? Math.max(idleMs, pauseMs * 2) : idleMs)
}

/**
 * The order in which an engine ends, so that no connection is reset:
 *
 * 1. Listeners stay open, and idle connections too. Callers learn from `Connection: close` that they need another one, and
 *    load balancers learn from `/readyz` that they need another instance.
 * 2. Listeners close after a moment without new connections. The system resets connections that it has accepted and the process
 *    has not. Therefore listeners close right after a turn of the event loop that found none.
 * 3. Writers of streamed answers are told to end them: a caller that asks again then finds another instance.
 * 4. Idle connections close, others with their next answer. A request that crosses the close gets no answer: therefore few
 *    connections close at once, right after the event loop has read what had arrived.
 */
export class Drain {
  readonly #emptiness = new Emptiness()
  #accepted = 0
  #acceptedAt = -Infinity

  /** A listener has a new connection. */
  accepted(): void {
    this.#accepted++
    this.#acceptedAt = performance.now()
  }

  /** {@link Draining.isEmpty} has become true. */
  emptied(): void {
    this.#emptiness.reached()
  }

  /** Resolves when the engine is empty, or after `deadlineMs`. */
  async run(draining: Draining, deadlineMs: number): Promise<void> {
    const began = performance.now()
    const idleMs = Math.min(IDLE_MS, deadlineMs / 2)
    const bounds = { idleMs, holdMs: Math.min(HOLD_MS_MAX, deadlineMs / 2) }
    const idleUntil = draining.isEmpty() ? began : began + idleMs
    const until = began + Math.min(LISTENING_MS_MAX, deadlineMs / 2)
    for (;;) {
      const now = performance.now()
      if (now >= until || (now >= idleUntil && now - this.#acceptedAt >= QUIET_MS)) break
      if (now >= idleUntil) await closeIdle(draining, bounds)
      await setTimeout(STEP_MS)
      // After a pause of the process, what has arrived meanwhile is read first
      await setImmediate()
    }
    await this.#untilNoneWaits()
    draining.closeListeners()
    const leftMs = Math.max(0, began + deadlineMs - performance.now())
    let isOver = false
    const over = this.#emptiness.wait(draining.isEmpty(), leftMs).then(() => {
      isOver = true
    })
    const closing = async (): Promise<void> => {
      while (!isOver) {
        draining.drainStreams()
        await closeIdle(draining, bounds)
        await setTimeout(STEP_MS * 5, undefined, { ref: false })
      }
    }
    void closing()
    await over
  }

  /** Resolves after a short turn of the event loop without a new connection. */
  async #untilNoneWaits(): Promise<void> {
    const until = performance.now() + SHORT_TURN_WAIT_MS
    await setImmediate()
    for (;;) {
      const before = this.#accepted
      const began = performance.now()
      await setImmediate()
      const now = performance.now()
      if (now >= until || (this.#accepted === before && now - began <= SHORT_TURN_MS)) return
    }
  }
}

/** Closes idle connections, each few right after the event loop has read what had arrived. */
async function closeIdle(draining: Draining, bounds: IdleBounds): Promise<void> {
  do await setImmediate()
  while (draining.closeIdle(bounds, CLOSED_MAX))
}
