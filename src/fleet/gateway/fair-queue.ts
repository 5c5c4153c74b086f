/** Places for requests at the control plane, shared between callers, with a queue for requests that wait for a place. */
import { PoolShare, WaitingLine } from '../../base/memory/pool-share.ts'

/** How long a request waits for a place, milliseconds. */
const WAIT_MS = 10_000
/** Requests that wait in one queue; holders share these places too. */
const WAITING_MAX = 512
/** Of these, requests of one holder at most. */
const WAITING_OF_ONE_MAX = 128

/** One request in a queue. */
export interface Place {
  /** Leaves the queue, or gives the place back. Later calls do nothing. */
  leave(): void
}

interface Waiting {
  readonly holder: string
  readonly begin: () => void
}

/** Places that holders share ({@link PoolShare}), and the line of those who wait for one, each until its deadline. */
export class FairQueue {
  readonly #waitMs: number
  readonly #share: PoolShare
  readonly #waiting = new WaitingLine<Waiting>(WAITING_MAX)

  constructor(places: number, waitMs = WAIT_MS) {
    this.#share = new PoolShare(places)
    this.#waitMs = waitMs
  }

  /**
   * Takes a place, now or later.
   * @param begin called once when the place is taken, possibly before this returns.
   * @param refused called once when the queue is full, or no place became free in time; `begin` is then never called.
   */
  enter(holder: string, begin: () => void, refused: () => void): Place {
    let state: 'waiting' | 'taken' | 'over' = 'waiting'
    let timer: NodeJS.Timeout | undefined
    const one: Waiting = {
      holder,
      begin: () => {
        clearTimeout(timer)
        state = 'taken'
        this.#share.take(holder)
        begin()
      },
    }
    const end = (): void => {
      this.#waiting.delete(one)
      state = 'over'
      refused()
    }
    const own = this.#waiting.sizeOf(holder)
    if (own === 0 && this.#share.mayTake(holder)) one.begin()
    else if (own < WAITING_OF_ONE_MAX && this.#waiting.add(one, Infinity))
      timer = setTimeout(end, this.#waitMs).unref()
    else end()
    return {
      leave: () => {
        const before = state
        state = 'over'
        clearTimeout(timer)
        this.#waiting.delete(one)
        if (before === 'taken') this.#release(holder)
      },
    }
  }

  #release(holder: string): void {
    this.#share.give(holder)
    for (let next = this.#waiting.next(this.#share); next !== null; next = this.#waiting.next(this.#share))
      next.begin()
  }
}
