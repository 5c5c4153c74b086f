/**
 * Text that people do not see and models read: tags (U+E0000 to U+E007F), changes of direction, runs of characters without
 * width, runs of variation selectors.
 */
import { codeAt, type Found } from '../chars.ts'

const TAG_LEAD = 0xdb40
/** One before a letter or an ideograph is honest; a message needs several. */
const RUN_MIN = 3
/** Runs that are longer go on as another span. */
const RUN_MAX = 1000

const TAG = 1
const SELECTOR = 2
const NO_WIDTH = 3
const OVERRIDE = 4
const ISOLATE = 5

/** All that {@link hiddenAt} may find something at, as members of a class of a regular expression. */
export const INVISIBLE =
  '\\u00ad\\u180e\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2064\\u2066-\\u2069\\ufe00-\\ufe0f\\ufeff\\udb40'

/** What kind of invisible character begins at a place; 0 for any other. Those of two code units begin with U+DB40. */
function invisibleAt(text: string, at: number): number {
  const code = codeAt(text, at)
  if (code === TAG_LEAD) {
    const low = codeAt(text, at + 1)
    if (low >= 0xdc00 && low <= 0xdc7f) return TAG
    return low >= 0xdd00 && low <= 0xddef ? SELECTOR : 0
  }
  if (code >= 0xfe00 && code <= 0xfe0f) return SELECTOR
  if (code === 0x202d || code === 0x202e) return OVERRIDE
  if ((code >= 0x202a && code <= 0x202c) || (code >= 0x2066 && code <= 0x2069)) return ISOLATE
  const hasNoWidth =
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2060 && code <= 0x2064) ||
    code === 0xfeff ||
    code === 0x180e
  return hasNoWidth || code === 0xad ? NO_WIDTH : 0
}

/** The hidden text that begins at `start`, or null. `start` is behind ASCII and begins no surrogate pair's second half. */
export function hiddenAt(text: string, start: number): Found | null {
  const first = invisibleAt(text, start)
  if (first === 0 || (first === TAG && isFlag(text, start))) return null
  let end = start
  let length = 0
  let strongest = first
  for (let kind = first; kind !== 0 && length < RUN_MAX; kind = invisibleAt(text, end)) {
    if (kind === TAG || kind === OVERRIDE) strongest = kind
    end += codeAt(text, end) === TAG_LEAD ? 2 : 1
    length++
  }
  const confidence = confidenceOf(text, start, end, strongest, length)
  return confidence === 0 ? null : { start, end, kind: 'hidden_text', confidence }
}

function confidenceOf(text: string, start: number, end: number, kind: number, length: number): number {
  if (kind === TAG) return 0.95
  if (kind === OVERRIDE) return 0.9
  if (length >= RUN_MIN) return kind === ISOLATE ? 0.6 : 0.9
  // Text from right to left is honest in isolates
  if (kind === ISOLATE) return isRightToLeft(text, start) ? 0 : 0.6
  if (kind === SELECTOR) return length > 1 ? 0.7 : 0
  // What splits a word of ASCII hides it from filters; a soft hyphen is where it may break
  const isSplit = isLetter(codeAt(text, start - 1)) && isLetter(codeAt(text, end))
  return isSplit && codeAt(text, start) !== 0xad ? 0.6 : 0
}

function isLetter(code: number): boolean {
  const lower = code | 32
  return lower >= 97 && lower <= 122
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/

function isRightToLeft(text: string, start: number): boolean {
  return RIGHT_TO_LEFT.test(text.slice(Math.max(0, start - 32), start + 64))
}

/**
 * True within the flags of England, Scotland and Wales: a black flag, a region as tags, and U+E007F (Unicode TR51 section 1.4.6).
 */
function isFlag(text: string, start: number): boolean {
  for (let first = start; first > start - FLAG_CHARS; first -= 2)
    if (codeAt(text, first - 2) === 0xd83c && codeAt(text, first - 1) === 0xdff4)
      return FLAGS.some((flag) => text.startsWith(flag, first))
  return false
}

/** UTF-16 code units of the tags of a flag. */
const FLAG_CHARS = 12
const FLAGS = ['gbeng', 'gbsct', 'gbwls'].map((region) =>
  String.fromCodePoint(...[...region].map((char) => 0xe0000 + char.charCodeAt(0)), 0xe007f),
)
