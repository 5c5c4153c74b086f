/**
 * A text as readers may come to see it. Characters that stand for ASCII (full width, digits of other scripts, dashes, spaces)
 * become ASCII, characters without width are removed, and escapes of JSON, YAML, URLs and XML are decoded, up to three times.
 * Detectors read this form beside the text itself, so a value is found in any spelling. Linear in the text.
 */
import { codeAt } from './chars.ts'

/** Escapes within escapes. */
const ROUNDS_MAX = 3

const ESCAPES = [
  // \u0034, \x34, with backslashes that are escaped in turn
  '\\\\{1,8}u[0-9a-fA-F]{4}',
  '\\\\{1,8}x[0-9a-fA-F]{2}',
  // %34, %2534
  '%(?:25){0,4}[0-9a-fA-F]{2}',
  // &#52; &#x34; &amp;#52;
  '&(?:amp;){0,4}#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});?',
]

/** Characters beyond ASCII that mean one of ASCII, or nothing. */
const BEYOND = '[[\\p{Nd}\\p{Zs}\\p{Pd}\\u2212\\uff01-\\uff5e\\p{Default_Ignorable_Code_Point}]--[\\0-\\x7f]]'

/** What is folded, and what tells texts that have nothing of it far faster. */
interface Folds {
  readonly all: RegExp
  readonly may: RegExp
}

const FOLDS: Folds = {
  all: new RegExp(`${ESCAPES.join('|')}|${BEYOND}`, 'gv'),
  may: /[^\0-\x7f]|%[0-9a-fA-F]{2}|\\[ux]|&#|&amp;/,
}
const ESCAPES_ALONE: Folds = {
  all: new RegExp(ESCAPES.join('|'), 'gv'),
  may: /%[0-9a-fA-F]{2}|\\[ux]|&#|&amp;/,
}

/** Characters that one character is counted as at most, where characters are counted as they read. Escapes of JSON take 6 to 13. */
const SPELT_MAX = 16

/**
 * The place from which on `count` characters stand before `end`, as readers may come to see them: what is spelt in escapes takes more
 * of the text. At most {@link SPELT_MAX} times as many are looked at.
 */
export function placeBefore(text: string, end: number, count: number): number {
  const from = Math.max(0, end - count * SPELT_MAX)
  const part = text.slice(from, end)
  const folded = foldedOf(part)
  if (folded === null) return end - count
  return folded.text.length <= count ? from : from + folded.startOf(folded.text.length - count)
}

/** A folded text. Its places lead back to those of the text that was folded. */
export class Folded {
  readonly text: string
  readonly #layers: readonly Layer[]

  constructor(text: string, layers: readonly Layer[]) {
    this.text = text
    this.#layers = layers
  }

  /** Where a character of the folded text begins in the text that was folded. */
  startOf(place: number): number {
    return this.#layers.reduceRight((at, layer) => layer.startOf(at), place)
  }

  /** Where a part of the folded text that ends before `place` ends in the text that was folded. Not for its begin. */
  endOf(place: number): number {
    return this.#layers.reduceRight((at, layer) => layer.endOf(at), place)
  }

  /** The first place of the folded text that begins at this place of the text that was folded, or behind it. */
  placeOf(start: number): number {
    return this.#layers.reduce((at, layer) => layer.placeOf(at), start)
  }
}

/** Null for a text that reads as it stands. */
export function foldedOf(text: string): Folded | null {
  return foldedBy(text, FOLDS)
}

/** The text with escapes alone as what they stand for: all other characters stay. Null for a text without any. */
export function unescapedOf(text: string): Folded | null {
  return foldedBy(text, ESCAPES_ALONE)
}

function foldedBy(text: string, { all, may }: Folds): Folded | null {
  const layers: Layer[] = []
  let current = text
  while (layers.length < ROUNDS_MAX && may.test(current)) {
    const layer = new Layer()
    const next = foldedOnce(current, all, layer)
    if (next === null) break
    layers.push(layer)
    current = next
  }
  return layers.length === 0 ? null : new Folded(current, layers)
}

/** Of each change: its place in the folded text, where what it changed begins and ends, and the length of what stands in its place. */
const NUMBERS = 4
const [PLACE, START, END, LENGTH] = [0, 1, 2, 3]

/** The changes of one round. A body may consist of them, so that they are kept in few bytes. */
class Layer {
  #numbers = new Int32Array(16 * NUMBERS)
  #count = 0

  add(place: number, start: number, end: number, length: number): void {
    const at = this.#count++ * NUMBERS
    if (at === this.#numbers.length) {
      const larger = new Int32Array(2 * at)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers.set([place, start, end, length], at)
  }

  startOf(place: number): number {
    const last = this.#lastAt(PLACE, place)
    if (last < 0) return place
    const behind = place - this.#get(last, PLACE) - this.#get(last, LENGTH)
    return behind < 0 ? this.#get(last, START) : this.#get(last, END) + behind
  }

  endOf(place: number): number {
    const last = this.#lastAt(PLACE, place - 1)
    if (last < 0) return place
    const behind = place - this.#get(last, PLACE) - this.#get(last, LENGTH)
    return this.#get(last, END) + Math.max(0, behind)
  }

  placeOf(start: number): number {
    const last = this.#lastAt(START, start)
    if (last < 0) return start
    const place = this.#get(last, PLACE)
    if (start === this.#get(last, START)) return place
    return place + this.#get(last, LENGTH) + Math.max(0, start - this.#get(last, END))
  }

  #get(index: number, number: number): number {
    return this.#numbers[index * NUMBERS + number]!
  }

  /** The last change of which this number is at most `value`; -1 where none is. */
  #lastAt(number: number, value: number): number {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#get(middle, number) <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

function foldedOnce(text: string, folds: RegExp, layer: Layer): string | null {
  let out = ''
  let copied = 0
  folds.lastIndex = 0
  for (let match = folds.exec(text); match !== null; match = folds.exec(text)) {
    const [one] = match
    const start = match.index
    let end = folds.lastIndex
    let value = meaningOf(one)
    if (value === null) {
      // A byte of a character beyond ASCII goes on in the escapes that follow
      const character = encodedAt(text, start)
      if (character === null) continue
      value = character.value
      end = character.end
      folds.lastIndex = end
    }
    out += text.slice(copied, start)
    layer.add(out.length, start, end, value.length)
    out += value
    copied = end
  }
  return copied === 0 ? null : out + text.slice(copied)
}

/** What a character or an escape stands for; null for a byte that is a part of a character. */
function meaningOf(one: string): string | null {
  switch (codeAt(one, 0)) {
    case 92:
      return String.fromCharCode(Number.parseInt(one.slice(one.search(/[ux]/) + 1), 16))
    case 37: {
      const byte = Number.parseInt(one.slice(-2), 16)
      return byte < 128 ? String.fromCharCode(byte) : null
    }
    case 38: {
      const digits = one.slice(one.indexOf('#') + 1).replace(';', '')
      const point = /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number(digits)
      return point <= 0x10ffff ? String.fromCodePoint(point) : ''
    }
    default:
      return asciiOf(one)
  }
}

function asciiOf(char: string): string {
  const point = char.codePointAt(0)!
  if (point >= 0xff01 && point <= 0xff5e) return String.fromCharCode(point - 0xfee0)
  if (DIGIT.test(char)) return digitOf(char, point)
  if (SPACE.test(char)) return ' '
  return DASH.test(char) ? '-' : ''
}

const DIGIT = /\p{Nd}/u
const SPACE = /\p{Zs}/u
const DASH = /[\p{Pd}\u2212]/u

/** The ten digits of a script stand one after the other. */
function digitOf(char: string, point: number): string {
  // Mathematical digits in five styles have nothing between them
  const compatible = char.normalize('NFKC')
  if (compatible.length === 1 && codeAt(compatible, 0) < 128) return compatible
  let value = 0
  while (value < 9 && DIGIT.test(String.fromCodePoint(point - value - 1))) value++
  return String(value)
}

const BYTE = /%(?:25){0,4}([0-9a-fA-F]{2})/y
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The character beyond ASCII whose bytes are written as `%EF%BC%94` (RFC 3986 section 2.1). */
function encodedAt(text: string, start: number): { readonly value: string; readonly end: number } | null {
  const bytes: number[] = []
  BYTE.lastIndex = start
  for (let size = 1; bytes.length < size; ) {
    const hex = BYTE.exec(text)?.[1]
    if (hex === undefined) return null
    bytes.push(Number.parseInt(hex, 16))
    const [first] = bytes
    size = first! >= 0xf0 ? 4 : first! >= 0xe0 ? 3 : first! >= 0xc0 ? 2 : 1
  }
  const end = BYTE.lastIndex
  try {
    return { value: UTF_8.decode(Uint8Array.from(bytes)), end }
  } catch {
    return null
  }
}
