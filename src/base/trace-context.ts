import { randomFillSync } from 'node:crypto'

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
