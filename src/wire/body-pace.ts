import type { WireLimits } from './port.ts'

/**
 * How fast a request body must come: no pause as long as `bodyTimeoutMs`, and in each span of that length at least
 * `bodyBytesMin`. Bytes are looked at when a deadline is over alone. Time in which the body is not wanted does not count.
 * A body with a deadline of its own must be whole by then.
 */
export class BodyPace {
  readonly #limits: WireLimits
  #pieceUntil = 0
  #spanUntil = 0
  #before = 0
  #wholeUntil = Infinity

  constructor(limits: WireLimits) {
    this.#limits = limits
  }

  /**
   * The body is wanted from now on.
   * @param received bytes of it so far.
   * @param wholeUntil when all of it must have come.
   * @returns the deadline, as all of these do.
   */
  begin(now: number, received: number, wholeUntil = Infinity): number {
    this.#before = received
    this.#wholeUntil = wholeUntil
    this.#spanUntil = now + this.#limits.bodyTimeoutMs
    return this.piece(now)
  }

  piece(now: number): number {
    this.#pieceUntil = now + this.#limits.bodyTimeoutMs
    return Math.min(this.#pieceUntil, this.#spanUntil, this.#wholeUntil)
  }

  /** The deadline is over. Null when the body was too slow. */
  expired(now: number, received: number): number | null {
    if (now >= this.#pieceUntil || now >= this.#wholeUntil) return null
    if (received - this.#before < this.#limits.bodyBytesMin) return null
    this.#before = received
    this.#spanUntil = now + this.#limits.bodyTimeoutMs
    return Math.min(this.#pieceUntil, this.#wholeUntil)
  }
}
