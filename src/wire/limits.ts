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
