/**
 * Finds gateway threads whose event loop is blocked. After three seconds readiness fails; after ten seconds the thread
 * is ended and replaced. A thread that does not listen within 60 seconds of its start is replaced too.
 */
import { url } from 'node:inspector'

/** How often a gateway thread reports that its event loop runs. */
const HEARTBEAT_MS = 250
/** How often the main thread looks. It counts its own turns, not time: a suspended machine or process makes no thread stall. */
const LOOK_MS = 500
/** Looks without a heartbeat until the instance is not ready: three seconds. */
const UNREADY_LOOKS = 6
/** Looks without a heartbeat until the thread is replaced: ten seconds. */
const REPLACE_LOOKS = 20

/** The cell of the health buffer in which a gateway thread counts its heartbeats. */
export interface HeartbeatCell {
  readonly health: Int32Array
  readonly cell: number
}

/** Counts heartbeats as long as the event loop of this thread runs. */
export function sendHeartbeats({ health, cell }: HeartbeatCell): void {
  setInterval(() => Atomics.add(health, cell, 1), HEARTBEAT_MS).unref()
}

interface Watched {
  readonly heartbeats: number
  readonly looks: number
}

export interface HeartbeatWatch<Thread extends object> {
  /** Looks at once; for tests. */
  look(): void
  stop(): void
  /** Threads without a heartbeat for three seconds. */
  readonly stalled: ReadonlySet<Thread>
}

export interface HeartbeatWatchOptions<Thread extends object> {
  readonly threads: () => readonly Thread[]
  readonly cellOf: (thread: Thread) => HeartbeatCell
  /** Called when the number of stalled threads changes. */
  readonly changed: (stalled: number) => void
  /** Called once for a thread without a heartbeat for ten seconds. */
  readonly hangs: (thread: Thread) => void
  readonly lookMs?: number
  /** True while a debugger may have paused a thread; looks are not counted then. */
  readonly isDebugged?: () => boolean
}

/** Finds gateway threads whose event loop is blocked, for example by an endless loop. */
export function watchHeartbeats<Thread extends object>(
  options: HeartbeatWatchOptions<Thread>,
): HeartbeatWatch<Thread> {
  const { threads, cellOf, changed, hangs, lookMs = LOOK_MS } = options
  const { isDebugged = () => url() !== undefined } = options
  let known = new Map<Thread, Watched>()
  const stalled = new Set<Thread>()

  function look(): void {
    const before = stalled.size
    const seen = new Map<Thread, Watched>()
    const step = isDebugged() ? 0 : 1
    stalled.clear()
    for (const thread of threads()) {
      const { health, cell } = cellOf(thread)
      const heartbeats = Atomics.load(health, cell)
      const last = known.get(thread)
      const looks = last?.heartbeats === heartbeats ? last.looks + step : 0
      seen.set(thread, { heartbeats, looks })
      if (looks >= UNREADY_LOOKS) stalled.add(thread)
      if (looks === REPLACE_LOOKS && step === 1) hangs(thread)
    }
    known = seen
    if (stalled.size !== before) changed(stalled.size)
  }

  const timer = setInterval(look, lookMs)
  timer.unref()
  return { look, stop: () => clearInterval(timer), stalled }
}
