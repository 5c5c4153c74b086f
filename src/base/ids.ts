import { randomBytes } from 'node:crypto'
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
