/**
 * Detectors on a text that comes in pieces of UTF-8. A window holds back the end of what has come, so that a value which is split over
 * pieces is found.
 *
 * 1. Any splitting gives the same output as the whole text, for values of at most `bytesMax` bytes.
 * 2. At most `bytesMax` bytes and 385 characters, counted as they read, are held back, but while a value goes on, which it may up to
 *    twice that. A value that is spelt in escapes may take up to 24 times as many.
 * 3. A value that is longer is acted on as far as the window reaches, and the characters with which it goes on are dropped.
 */
import { type Act, countHits, type Hits, merged } from './act.ts'
import { codeAt, isBase64Url, type Span } from './chars.ts'
import type { Detectors } from './compile.ts'
import { placeBefore } from './folded.ts'
import { BEHIND_MAX } from './scan.ts'
import { isOfKey, keyEnd } from './secrets/tokens.ts'

/** Below this, what no value is could not be told from a long one. */
export const WINDOW_BYTES_MIN = 2048
/** Characters behind a value that decide whether it is one. */
const AHEAD = 64
/** Characters before a place that are looked at: names, words for context. */
const CONTEXT = 256
/** Characters that have to come before it is worth a look: models write few at a time. */
const STEP = 256
/** Characters that are held back beside the longest value, but for what is spelt in escapes. */
const MARGIN = AHEAD + BEHIND_MAX + CONTEXT + STEP
/** Characters of one value that are dropped. More than any value has. */
const DROPPED_MAX = 16_384

export interface Window {
  /** Takes the next piece and gives what may be passed on. */
  push(piece: Uint8Array): string
  /** The same for a piece of text, which ends within no character. One window takes either bytes or texts. */
  pushText(piece: string): string
  /** Gives the rest, at the end of the text. */
  end(): string
  /** What was found so far. */
  readonly hits: Hits
}

/**
 * @param hits Where the window counts what it finds.
 * @param bytesMax Bytes of UTF-8 of the longest value that is found for sure: 2048 or more.
 * @throws RangeError for a smaller window, and for limits of size, which judge whole texts alone.
 */
export function createWindow(detectors: Detectors, act: Act, bytesMax: number, hits: Hits = {}): Window {
  if (!(bytesMax >= WINDOW_BYTES_MIN))
    throw new RangeError(`a window has at least ${WINDOW_BYTES_MIN} bytes; ${bytesMax} are too few`)
  if (detectors.hasSize) throw new RangeError('limits of size judge whole texts, not pieces of a stream')
  return new PieceWindow(detectors, act, bytesMax, hits)
}

class PieceWindow implements Window {
  readonly hits: Hits
  readonly #detectors: Detectors
  readonly #act: Act
  readonly #bytesMax: number
  // A byte order mark is passed on; bytes that are no UTF-8 become U+FFFD
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #cursor
  /** Context, and behind it what is held back. */
  #text = ''
  /** Where in the stream `#text` begins. */
  #offset = 0
  /** How much of `#text` was there when it was looked at. */
  #looked = 0
  /** Where in `#text` the context ends. */
  #passed = 0
  /** What was found and begins behind the context. */
  #spans: Span[] = []
  /** The kind of a value that is longer than the window and goes on. */
  #dropping: string | null = null
  /** How many of its characters were dropped. */
  #dropped = 0

  constructor(detectors: Detectors, act: Act, bytesMax: number, hits: Hits) {
    this.hits = hits
    this.#detectors = detectors
    this.#act = act
    this.#bytesMax = bytesMax
    this.#cursor = detectors.cursor()
  }

  push(piece: Uint8Array): string {
    return this.#take(this.#decoder.decode(piece, { stream: true }), false)
  }

  pushText(piece: string): string {
    return this.#take(piece, false)
  }

  end(): string {
    return this.#take(this.#decoder.decode(), true)
  }

  #take(more: string, isEnd: boolean): string {
    this.#text += more
    const text = this.#text
    // A text that is spelt in escapes is held back longer; to look at all of it again and again would take its square
    const step = Math.max(STEP, (text.length - this.#bytesMax - MARGIN) / 2)
    if (!isEnd && text.length - this.#looked < step) return ''
    const to = isEnd ? text.length : decidedTo(text, this.#passed, this.#bytesMax)
    const known = this.#spans.length
    this.#looked = text.length
    this.#detectors.advance(text, this.#offset, this.#cursor, to, this.#spans)
    countHits(this.hits, this.#spans.slice(known))
    return this.#pass(isEnd ? text.length : placeBefore(text, to, BEHIND_MAX))
  }

  /** Passes on what stands before `to`, or before the value that reaches beyond it. */
  #pass(to: number): string {
    const text = this.#text
    let cut = Math.max(to, this.#passed)
    // No piece ends within a pair of surrogates
    if (cut > this.#passed && isSecondHalf(codeAt(text, cut))) cut--
    const spans = merged(this.#spans)
    let out = ''
    let from = this.#passed
    if (this.#dropping !== null) from = this.#drop(from, cut)
    for (const { start, end, kind } of spans) {
      if (start >= cut) break
      if (end > cut && !this.#isToPass(start, end)) {
        cut = Math.max(start, from)
        break
      }
      if (end === text.length && end > to) {
        this.#dropping = kind
        this.#dropped = 0
      }
      if (end <= from) continue
      const begun = Math.max(start, from)
      out += text.slice(from, begun) + this.#act(text.slice(begun, end), kind)
      from = end
      cut = Math.max(cut, end)
    }
    if (from < cut) out += text.slice(from, cut)
    this.#spans = this.#spans.filter(({ start }) => start >= cut)
    this.#forget(Math.max(cut, from))
    return out
  }

  /** True for a value that does not wait to be passed as a whole: it reaches the end of what has come, or is long anyway. */
  #isToPass(start: number, end: number): boolean {
    return end === this.#text.length || end - start > 2 * this.#bytesMax
  }

  /** Skips the characters with which a long value goes on. */
  #drop(from: number, to: number): number {
    const isKey = this.#dropping === 'private_key'
    const isOf = isKey ? isOfKey : isOfToken
    let at = from
    while (at < to && this.#dropped++ < DROPPED_MAX && isOf(codeAt(this.#text, at))) {
      const end = isKey && this.#text.startsWith('-----END', at) ? keyEnd(this.#text, at) : -1
      if (end > 0) {
        this.#dropping = null
        return end
      }
      at++
    }
    if (at < to) this.#dropping = null
    return at
  }

  /** Keeps a context before what is held back. */
  #forget(passed: number): void {
    const patterns = this.#cursor.patterns.map(({ at }) => at)
    const { at, beyondAscii, folded } = this.#cursor
    const from = Math.max(
      0,
      placeBefore(this.#text, Math.min(passed, at, beyondAscii, folded, ...patterns), CONTEXT),
    )
    this.#text = this.#text.slice(from)
    this.#offset += from
    this.#passed = passed - from
    this.#looked -= from
    this.#cursor.at -= from
    this.#cursor.beyondAscii -= from
    this.#cursor.folded -= from
    for (const pattern of this.#cursor.patterns) pattern.at -= from
    if (from > 0)
      this.#spans = this.#spans.map((span) => ({ ...span, start: span.start - from, end: span.end - from }))
  }
}

/** Characters of tokens, and of base64. */
function isOfToken(code: number): boolean {
  return isBase64Url(code) || code === 46 || code === 43 || code === 47 || code === 61
}

function isSecondHalf(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}

/** The place to which enough text has come: behind it are `bytesMax` bytes, and those that decide about a value's end. */
function decidedTo(text: string, from: number, bytesMax: number): number {
  let to = placeBefore(text, text.length, AHEAD)
  let bytes = 0
  while (to > from && bytes < bytesMax) {
    const code = codeAt(text, --to)
    // Each half of a pair of surrogates has two bytes of four
    bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 2 : 3
  }
  return bytes < bytesMax ? from : to
}
