import type { WireLimits } from '../port.ts'

/** Bounds of a listener unless the engine is made with others. What happens at each is said in {@link WireLimits}. */
export const DEFAULT_LIMITS: WireLimits = {
  headBytesMax: 32_768,
  targetBytesMax: 8192,
  fieldsMax: 128,
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  idleTimeoutMs: 65_000,
  sendTimeoutMs: 30_000,
  connectionsMax: 20_000,
  pipelineBytesMax: 65_536,
}

/** Largest request body when the handler does not lower it: 4 GiB. 413. */
export const BODY_BYTES_MAX = 4 * 1024 ** 3

/** Messages up to this size leave as one latin1 string; larger ones as one buffer. */
export const STRING_BYTES_MAX = 8192

/** Rest of a request body that is read and dropped after an early answer so that the connection lives on; more closes it. */
export const DROP_BYTES_MAX = 65_536

/** Bytes that are read and dropped on a closing connection, so that a reset does not destroy the answer; more resets it. */
export const LINGER_BYTES_MAX = 1_048_576

/** Time a closing connection is given to take its answer and close. Then it is destroyed. */
export const LINGER_MS = 2000

/** Chunk extensions of one body; they are dropped. More is a framing fault. */
export const EXTENSION_BYTES_MAX = 4096

/** Trailer section of one body; it is checked and dropped. More is a framing fault. */
export const TRAILER_BYTES_MAX = 8192

/** Head of an upstream's answer: more is invalid_response. */
export const ANSWER_HEAD_BYTES_MAX = 65_536
export const ANSWER_FIELDS_MAX = 256

/** Interim answers (1xx) before the final one; more is invalid_response. */
export const INTERIM_MAX = 32

/** Life of an unused upstream connection in the pool; then it is closed. */
export const POOLED_MS = 30_000

/** Upstream sockets are read into one buffer of this size, shared by all of an engine. */
export const READ_BYTES = 65_536

/** Unsent bytes of one caller's socket before its upstream is paused. */
export const UNSENT_BYTES_MAX = 131_072

/** How long a resolved upstream name is used, how long a failure is remembered, and how many names are held. */
export const RESOLVED_MS = 10_000
export const UNRESOLVED_MS = 1000
export const RESOLVED_NAMES_MAX = 1000

/** How often deadlines are looked at: a timeout fires up to this much late. */
export const SWEEP_MS = 200

/** Requests under way on one HTTP/2 connection; the caller is told (SETTINGS_MAX_CONCURRENT_STREAMS). */
export const STREAMS_MAX = 100

/** Requests that end without their answer, PINGs and SETTINGS on one HTTP/2 connection in {@link DISTURBANCES_MS}; more ends it (ENHANCE_YOUR_CALM). */
export const DISTURBANCES_MAX = 300
export const DISTURBANCES_MS = 10_000
