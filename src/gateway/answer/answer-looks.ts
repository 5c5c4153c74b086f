import type { Clock } from '../../base/clock.ts'

/** How many answers of one endpoint `report` looks at in a second. */
const LOOKS_PER_SECOND = 10
/** Bytes of answers that `report` looks at in a second. */
const LOOKED_BYTES_PER_SECOND = 1024 * 1024

/**
 * Bounds what `report` costs a thread: it looks at some answers of each endpoint in a second, and at so many bytes of all. What is wrong
 * with an endpoint shows in any second, and a thread that is busy does not parse each answer that it forwards.
 */
export class AnswerLooks {
  readonly #clock: Clock
  #second = -1
  #bytes = 0
  readonly #counts = new Map<object, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one look at an answer of an endpoint; false where it has had its looks in this second. */
  mayLook(endpoint: object): boolean {
    const second = Math.floor(this.#clock.monotonic() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#bytes = 0
      this.#counts.clear()
    }
    if (this.#bytes >= LOOKED_BYTES_PER_SECOND) return false
    const count = this.#counts.get(endpoint) ?? 0
    if (count >= LOOKS_PER_SECOND) return false
    this.#counts.set(endpoint, count + 1)
    return true
  }

  /** Counts the bytes of an answer that has come; false where there is no room in this second. */
  mayRead(bytes: number): boolean {
    if (this.#bytes >= LOOKED_BYTES_PER_SECOND) return false
    this.#bytes += bytes
    return true
  }
}
