/** Clocks that tests move by hand, and the connections that `fetch` keeps. */
import { type ClockCell, moveClock as move } from '../../src/base/clock.ts'

/** Where the `fetch` of Node keeps the pool of its connections, from its first call on. */
const POOL = Symbol.for('undici.globalDispatcher.1')

interface Pool {
  close(): Promise<void>
}

/**
 * Has `fetch` open connections of its own from now on. Calls under way end as they would have. After a server closed idle
 * connections, several that `fetch` kept may be closing at a time: the next calls, and their repeats, would fail on them.
 */
export function freshConnections(): void {
  const global = globalThis as { [POOL]?: Pool & { constructor: new () => Pool } }
  const kept = global[POOL]
  if (kept === undefined) return
  global[POOL] = new kept.constructor() as typeof kept
  void kept.close()
}

/** Moves a clock by `ms` milliseconds. Servers close idle connections when it is set forward, so that `fetch` opens its own. */
export function moveClock(cell: ClockCell, ms: number): void {
  move(cell, ms)
  freshConnections()
}
