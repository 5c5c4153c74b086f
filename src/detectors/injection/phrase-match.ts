/** Finds the phrases of `phrases.ts` at the words that begin them. Compiled once, when the module is loaded. */
import { codeAt, isWord } from '../chars.ts'
import type { Found } from '../span.ts'
import { LITERALS, MARKUP, PHRASES } from './phrases.ts'

/** Words of a text that one phrase may have. */
const WORDS_MAX = 20
/** Characters of a word of a phrase. */
export const WORD_MAX = 24
const GAP_MAX = 4
const REPEATED_MAX = 5

/** A place of a phrase: one of `words`, or (`most` above 0) up to so many of them; null for any words. `END` takes no word. */
interface Slot {
  readonly words: ReadonlySet<string> | null
  readonly most: number
}

interface Compiled {
  readonly kind: Found['kind']
  readonly confidence: number
  readonly slots: readonly Slot[]
  readonly unless: RegExp | undefined
}

function withoutApostrophes(word: string): string {
  return word.includes("'") || word.includes('’') ? word.replaceAll(/['’]/g, '') : word
}

/** Where the sentence ends. */
const END: Slot = { words: new Set(['']), most: 0 }

function slotOf(part: string): Slot {
  if (part === '$') return END
  if (part.startsWith('~')) return { words: null, most: Number(part.slice(1)) }
  const isRepeated = part.startsWith('?')
  const words = new Set(
    part
      .slice(isRepeated ? 1 : 0)
      .split('|')
      .map(withoutApostrophes),
  )
  return { words, most: isRepeated ? REPEATED_MAX : 0 }
}

/** By the word that the scan sees first: the ASCII letters that a phrase begins with. */
const BY_BEGIN = new Map<string, Compiled[]>()
for (const { text, kind, confidence, unless } of PHRASES) {
  const [first, ...rest] = text.split(' ')
  const slots = rest.map(slotOf)
  for (const word of new Set(first!.split('|'))) {
    const begin = /^[a-z]+/.exec(word)![0]
    const whole: Slot = { words: new Set([withoutApostrophes(word)]), most: 0 }
    BY_BEGIN.set(begin, [
      ...(BY_BEGIN.get(begin) ?? []),
      { kind, confidence, slots: [whole, ...slots], unless },
    ])
  }
}

/** A hash of ASCII letters in any case, character by character: the scan computes it while it reads a word. */
export function hashed(hash: number, code: number): number {
  return (Math.imul(hash, 31) + (code | 32)) | 0
}

/** By the lowest bits of a hash: 0 for a word that begins no phrase. Its length is a power of two. */
export const PHRASE_BEGINS = new Uint8Array(4096)
for (const begin of BY_BEGIN.keys()) {
  let hash = 0
  for (let at = 0; at < begin.length; at++) hash = hashed(hash, begin.charCodeAt(at))
  PHRASE_BEGINS[hash & (PHRASE_BEGINS.length - 1)] = 1
}

// The words from the begin of a phrase on, as far as they were read
const words: string[] = []
const wordEnds: number[] = []
let isRead = false
let readFrom = 0
let readText = ''

/** The phrase that begins with the word from `start` to `end`: of several that fit, the longest. */
export function phraseAt(text: string, start: number, end: number): Found | null {
  const candidates = end - start > WORD_MAX ? undefined : BY_BEGIN.get(text.slice(start, end).toLowerCase())
  if (candidates === undefined) return null
  words.length = 0
  wordEnds.length = 0
  isRead = false
  readFrom = start
  readText = text
  let best: Found | null = null
  for (const { kind, confidence, slots, unless } of candidates) {
    const last = fit(slots, 0, 0)
    if (last === 0 || isHonest(text, wordEnds[last - 1]!, unless)) continue
    if (best === null || wordEnds[last - 1]! > best.end)
      best = { start, end: wordEnds[last - 1]!, kind, confidence }
  }
  readText = ''
  return best
}

function isHonest(text: string, end: number, unless: RegExp | undefined): boolean {
  if (unless === undefined) return false
  unless.lastIndex = end
  return unless.test(text)
}

/** How many words the slots from `slot` on take, counted from the first word of the phrase; 0 where they do not fit. */
function fit(slots: readonly Slot[], slot: number, from: number): number {
  const next = slots[slot]
  if (next === undefined) return from
  if (next === END) return wordAt(from) === '' ? from : 0
  if (next.most === 0) return next.words!.has(wordAt(from)) ? fit(slots, slot + 1, from + 1) : 0
  let taken = 0
  while (taken < next.most && isTaken(next, wordAt(from + taken))) taken++
  for (; taken >= 0; taken--) {
    const end = fit(slots, slot + 1, from + taken)
    if (end > 0) return end
  }
  return 0
}

function isTaken({ words: some }: Slot, word: string): boolean {
  return word !== '' && (some === null || some.has(word))
}

/** The word at this index in lower case, without apostrophes; empty beyond the sentence. */
function wordAt(index: number): string {
  while (words.length <= index && !isRead) readWord()
  return words[index] ?? ''
}

function readWord(): void {
  let at = readFrom
  const gapMax = words.length === 0 ? 0 : GAP_MAX
  while (at - readFrom < gapMax && isGap(codeAt(readText, at))) at++
  const start = at
  while (at - start <= WORD_MAX && isLetter(readText, at)) at++
  if (at === start || at - start > WORD_MAX || words.length === WORDS_MAX) {
    isRead = true
    return
  }
  words.push(withoutApostrophes(readText.slice(start, at).toLowerCase()))
  wordEnds.push(at)
  readFrom = at
}

/** White space, and `,` `:` `;` `"` `*` `_` `-` `(` `)`. The end of a sentence is none. */
function isGap(code: number): boolean {
  if (code === 32 || (code >= 9 && code <= 13) || code === 160) return true
  return GAPS.has(code)
}

const GAPS = new Set([...',:;"*_-()'].map((char) => char.charCodeAt(0)))

/** Letters and digits of any script, and an apostrophe within a word. */
function isLetter(text: string, at: number): boolean {
  const code = codeAt(text, at)
  if (code < 128) return (isWord(code) && code !== 95) || code === 39
  return code >= 0xc0 && (code < 0x2000 || code > 0x206f || code === 0x2019)
}

const LITERALS_BY_BEGIN = new Map<number, (typeof LITERALS)[number][]>()
for (const literal of LITERALS) {
  const begin = literal.text.charCodeAt(0)
  LITERALS_BY_BEGIN.set(begin, [...(LITERALS_BY_BEGIN.get(begin) ?? []), literal])
  const upper = literal.text.charAt(0).toUpperCase().charCodeAt(0)
  if (upper !== begin) LITERALS_BY_BEGIN.set(upper, LITERALS_BY_BEGIN.get(begin)!)
}

/** Characters at which {@link literalAt} may find something, as members of a class of a regular expression. */
export const LITERAL_BEGINS = String.fromCharCode(...LITERALS_BY_BEGIN.keys())

/** The phrase of a script beyond ASCII that begins here. */
export function literalAt(text: string, start: number): Found | null {
  const literals = LITERALS_BY_BEGIN.get(codeAt(text, start))
  if (literals === undefined) return null
  for (const { text: literal, confidence } of literals) {
    const end = start + literal.length
    if (text.slice(start, end).toLowerCase() === literal)
      return { start, end, kind: 'instruction', confidence }
  }
  return null
}

/** The mark of a chat format that begins here with `<` or `[`. */
export function markupAt(text: string, start: number): Found | null {
  const begin = text.slice(start, start + MARKUP_MAX).toLowerCase()
  const found = MARKUP.find((one) => begin.startsWith(one))
  if (found === undefined) return null
  return { start, end: start + found.length, kind: 'instruction', confidence: 0.7 }
}

const MARKUP_MAX = Math.max(...MARKUP.map(({ length }) => length))
