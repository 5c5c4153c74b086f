import type { WireLimits } from './port.ts'

/** Bounds of a listener unless the engine is made with others. What happens at each is said in {@link WireLimits}. */
export const DEFAULT_LIMITS: WireLimits = {
  headBytesMax: 32_768,
  targetBytesMax: 8192,
  fieldsMax: 128,
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  bodyBytesMin: 7200,
  idleTimeoutMs: 65_000,
  sendTimeoutMs: 30_000,
  connectionsMax: 20_000,
  pipelineBytesMax: 65_536,
}

/** Largest request body when the handler does not lower it: 4 GiB. 413. */
export const BODY_BYTES_MAX = 4 * 1024 ** 3

/** Rest of a request body that is read and dropped after an early answer so that the connection lives on; more closes it. */
export const DROP_BYTES_MAX = 65_536

/** Time a closing connection is given to take its answer and close. Then it is destroyed. */
export const LINGER_MS = 2000

/** While an engine drains, a new connection has so much longer for its first request than a kept one for its next. */
export const FIRST_REQUEST_MS = 750

/** Head of an upstream's answer: more is invalid_response. */
export const ANSWER_HEAD_BYTES_MAX = 65_536

/** Interim answers (1xx) before the final one; more is invalid_response. */
export const INTERIM_MAX = 32

/** Life of an unused upstream connection in the pool; then it is closed. */
export const POOLED_MS = 30_000

/**
 * An unused upstream connection is closed so long before its server would (`Keep-Alive: timeout`, RFC 2068 19.7.1.1). A request that is
 * sent while the server closes gets no answer, and is repeated only if its method is idempotent.
 */
export const POOLED_MARGIN_MS = 1000

/** Unsent bytes of one caller's socket before its upstream is paused. */
export const UNSENT_BYTES_MAX = 131_072

/** An answer that is at hand leaves in pieces of so many bytes, as its caller takes them. */
export const PIECE_BYTES_MAX = 65_536

/** How often deadlines are looked at: a timeout fires up to this much late. */
export const SWEEP_MS = 200

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
