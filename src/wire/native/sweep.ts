import type { Clock } from '../../base/clock.ts'

/** Something that may take only so long. */
export interface Timed {
  /** Monotonic milliseconds; Infinity for none. */
  deadline: number
  /** The deadline is over. Must move it, or end the thing and remove it from the sweep. */
  expired(): void
}

/**
 * All deadlines of an engine, looked at by one timer: setting one is a store, and a timeout is up to one period
 * late. Times come from the clock, so a test that moves it waits for no more than one period.
 *
 * After a turn that held the thread for long, timers run before the events of sockets. So deadlines are looked at once these events
 * were handled: a connection that was made, or an answer that came, in time does not end as late.
 */
export class Sweep {
  readonly #timed = new Set<Timed>()
  readonly #timer: NodeJS.Timeout
  #next: NodeJS.Immediate | undefined

  constructor(clock: Clock, periodMs: number, eachTime: () => void) {
    this.#timer = setInterval(() => {
      eachTime()
      const now = clock.monotonic()
      this.#next = setImmediate(() => this.#look(now))
    }, periodMs)
    this.#timer.unref()
  }

  add(timed: Timed): void {
    this.#timed.add(timed)
  }

  delete(timed: Timed): void {
    this.#timed.delete(timed)
  }

  stop(): void {
    clearInterval(this.#timer)
    clearImmediate(this.#next)
  }

  #look(now: number): void {
    for (const timed of this.#timed) if (timed.deadline <= now) timed.expired()
  }
}
