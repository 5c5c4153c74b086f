/** How long a request waits for a place, milliseconds. */
const WAIT_MS = 10_000
/** Requests that wait in one queue. */
const WAITING_MAX = 512
/** Of these, requests of one holder. */
const WAITING_OF_ONE_MAX = 128

/** One request in a queue. */
export interface Place {
  /** Leaves the queue, or gives the place back. Later calls do nothing. */
  leave(): void
}

interface Waiting {
  readonly begin: () => void
  readonly timer: NodeJS.Timeout
}

/**
 * A fixed number of places that holders share. One holder takes at most as many places as remain free, so that a single
 * holder gets half of them and the next holder always finds one. Holders that wait get their turns one after the other.
 */
export class FairQueue {
  readonly #places: number
  readonly #waitMs: number
  #taken = 0
  #waitingCount = 0
  readonly #takenBy = new Map<string, number>()
  /** By holder; the first holder has waited longest for its turn. */
  readonly #waiting = new Map<string, Set<Waiting>>()

  constructor(places: number, waitMs = WAIT_MS) {
    this.#places = places
    this.#waitMs = waitMs
  }

  /**
   * Takes a place, now or later.
   * @param begin called once when the place is taken, possibly before this returns.
   * @param refused called once when the queue is full, or no place became free in time; `begin` is then never called.
   */
  enter(holder: string, begin: () => void, refused: () => void): Place {
    let state: 'waiting' | 'taken' | 'over' = 'waiting'
    const take = (): void => {
      state = 'taken'
      this.#taken++
      this.#takenBy.set(holder, (this.#takenBy.get(holder) ?? 0) + 1)
      begin()
    }
    const end = (): void => {
      state = 'over'
      refused()
    }
    let waiting: Waiting | null = null
    const place: Place = {
      leave: () => {
        if (state === 'taken') this.#release(holder)
        else if (state === 'waiting' && waiting !== null) this.#forget(holder, waiting)
        state = 'over'
      },
    }
    const own = this.#waiting.get(holder)?.size ?? 0
    if (own === 0 && this.#mayTake(holder)) take()
    else if (own >= WAITING_OF_ONE_MAX || this.#waitingCount >= WAITING_MAX) end()
    else {
      const one: Waiting = {
        begin: take,
        timer: setTimeout(() => {
          this.#forget(holder, one)
          end()
        }, this.#waitMs).unref(),
      }
      waiting = one
      this.#waitingCount++
      const queue = this.#waiting.get(holder)
      if (queue === undefined) this.#waiting.set(holder, new Set([one]))
      else queue.add(one)
    }
    return place
  }

  #mayTake(holder: string): boolean {
    const free = this.#places - this.#taken
    const own = this.#takenBy.get(holder) ?? 0
    return free > 0 && own < Math.max(1, free)
  }

  #release(holder: string): void {
    this.#taken--
    const left = this.#takenBy.get(holder)! - 1
    if (left === 0) this.#takenBy.delete(holder)
    else this.#takenBy.set(holder, left)
    for (const [next, queue] of this.#waiting) {
      if (!this.#mayTake(next)) continue
      const [first] = queue as Iterable<Waiting> as [Waiting]
      this.#forget(next, first)
      // The others of this holder wait until all holders had a turn
      if (this.#waiting.delete(next)) this.#waiting.set(next, queue)
      first.begin()
    }
  }

  #forget(holder: string, one: Waiting): void {
    clearTimeout(one.timer)
    const queue = this.#waiting.get(holder)
    if (queue?.delete(one) !== true) return
    this.#waitingCount--
    if (queue.size === 0) this.#waiting.delete(holder)
  }
}
