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
 */
export class Sweep {
  readonly #timed = new Set<Timed>()
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout

  constructor(clock: Clock, periodMs: number, eachTime: () => void) {
    this.#clock = clock
    this.#timer = setInterval(() => {
      this.#look()
      eachTime()
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
  }

  #look(): void {
    const now = this.#clock.monotonic()
    for (const timed of this.#timed) if (timed.deadline <= now) timed.expired()
  }
}
