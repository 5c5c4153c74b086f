import { randomBytes, randomFillSync } from 'node:crypto'
import type { Clock } from './clock.ts'

/** Crockford's base 32, lower case: no `i l o u`, and its order is the order of the numbers. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

function encode(value: number, length: number): string {
  let text = ''
  let rest = value
  for (let i = 0; i < length; i++) {
    text = ALPHABET[rest % 32]! + text
    rest = Math.floor(rest / 32)
  }
  return text
}

/**
 * When an id was made, in milliseconds since the epoch, or undefined when the text is no id of ours. Messages of one
 * batch share an id, numbered from the second on: `req_….2`.
 */
export function idTime(id: string): number | undefined {
  const digits = /^[a-z]{3}_([0-9a-hjkmnp-tv-z]{10})[0-9a-hjkmnp-tv-z]{16}(?:\.[0-9]{1,2})?$/.exec(id)?.[1]
  if (digits === undefined) return undefined
  let time = 0
  for (const digit of digits) time = time * 32 + ALPHABET.indexOf(digit)
  return time
}

function randomChars(length: number): string {
  let text = ''
  for (const byte of randomBytes(length)) text += ALPHABET[byte & 31]!
  return text
}

/** `<prefix>_`, where the prefix is three letters of its kind, and 26 characters that sort by creation time: 10 of milliseconds, 16 of randomness. */
export function newId(prefix: string, clock: Clock): string {
  return `${prefix}_${encode(clock.now(), 10)}${randomChars(16)}`
}

/** The last two characters of a request id, by the low ten bits of its count. */
const PAIRS: readonly string[] = Array.from({ length: 1024 }, (_, value) => encode(value, 2))

/**
 * Request ids for one thread: same shape as {@link newId}, but the random part is drawn once and then counted,
 * so that an id costs no system call and one concatenation. Unique across threads by 40 random bits per thread.
 */
export function createRequestIds(clock: Clock): () => string {
  const thread = randomChars(8)
  let millisecond = -1
  let count = 0
  let stem = ''
  return () => {
    const now = clock.now()
    count = (count + 1) % 2 ** 40
    if (now !== millisecond || (count & 1023) === 0) {
      millisecond = now
      stem = `req_${encode(now, 10)}${thread}${encode(Math.floor(count / 1024), 6)}`
    }
    return stem + PAIRS[count & 1023]!
  }
}

/** Ids of a `traceparent` field (W3C Trace Context, level 1 and 2): of the trace, and of the span within it. */
const TRACE_BYTES = 16
const SPAN_BYTES = 8
const BYTES = TRACE_BYTES + SPAN_BYTES

/** Drawn at once: a call of the system for each would cost more than all the rest. */
const BLOCK = 256

const block = Buffer.alloc(BYTES * BLOCK)
let digits = ''
let at = 0

/**
 * The value of a `traceparent` for a request that came without one. It says that the request is sampled: with the flag
 * off, upstreams that go by their caller (as most do by default) would trace nothing at all any more.
 */
export function newTraceParent(): string {
  if (at === digits.length) {
    digits = randomFillSync(block).toString('hex')
    at = 0
  }
  const span = at + 2 * TRACE_BYTES
  const end = span + 2 * SPAN_BYTES
  const value = `00-${digits.slice(at, span)}-${digits.slice(span, end)}-01`
  at = end
  return value
}

/** The trace id in the value of a `traceparent` that {@link passedTraceParent} or {@link newTraceParent} gave. */
export function traceIdOf(value: string): string {
  return value.slice(3, 3 + 2 * TRACE_BYTES)
}

const KNOWN = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const LATER = /^(?!00|ff)[0-9a-f]{2}(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-)([0-9a-f]{2})(?:-.*)?$/

let lastKnown = ''

/**
 * A caller's `traceparent` as it may go on; null for one that is malformed. Of a later version, which may have more
 * members, what is known goes on as version 00.
 */
export function passedTraceParent(value: string): string | null {
  // A message at /mcp and the call that it leads to have the same
  if (value === lastKnown) return value
  if (KNOWN.test(value)) {
    lastKnown = value
    return value
  }
  const later = LATER.exec(value)
  return later === null ? null : `00${later[1]}0${Number.parseInt(later[2]!, 16) & 1}`
}
