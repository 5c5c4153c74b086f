/** Messages up to this size leave as one latin1 string; larger ones as one buffer. */
export const STRING_BYTES_MAX = 8192

/** Bytes that are read and dropped on a closing connection, so that a reset does not destroy the answer; more resets it. */
export const LINGER_BYTES_MAX = 1_048_576

/** Chunk extensions of one body; they are dropped. More is a framing fault. */
export const EXTENSION_BYTES_MAX = 4096

/** Trailer section of one body; it is checked and dropped. More is a framing fault. */
export const TRAILER_BYTES_MAX = 8192

/** Fields of an upstream's answer: more is invalid_response. */
export const ANSWER_FIELDS_MAX = 256

/** Upstream sockets are read into one buffer of this size, shared by all of an engine. */
export const READ_BYTES = 65_536

/** How long a resolved upstream name is used, how long a failure is remembered, and how many names are held. */
export const RESOLVED_MS = 10_000
export const UNRESOLVED_MS = 1000
export const RESOLVED_NAMES_MAX = 1000

/** Requests under way on one HTTP/2 connection; the caller is told (SETTINGS_MAX_CONCURRENT_STREAMS). */
export const STREAMS_MAX = 100

/** Requests that end without their answer, PINGs and SETTINGS on one HTTP/2 connection in {@link DISTURBANCES_MS}; more ends it (ENHANCE_YOUR_CALM). */
export const DISTURBANCES_MAX = 300
export const DISTURBANCES_MS = 10_000
