/**
 * Words of texts as the search compares them: lower case, without accents, the parts of `camelCase` and `snake_case` apart, English
 * plurals as their singular. Scripts without spaces are compared by pairs of characters. Texts come from callers and from
 * descriptions of APIs: time is linear in their length, and every result is bounded.
 */

/** Characters of a text that are read; words behind them are not found. */
const TEXT_CHARS_MAX = 2000
/** Longer words are cut. */
const TERM_CHARS_MAX = 40
const TERMS_MAX = 400

const MARKS = /\p{M}+/gu
const WORDS = /[\p{L}\p{N}]+/gu
const DENSE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u
/** The place between `get` and `Order`, or between `HTTP` and `Status`. */
const HUMPS = /(\p{Ll})(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu

/** The words of a text, in order and with repetitions. */
export function termsOf(text: string): string[] {
  const terms: string[] = []
  const plain = text.slice(0, TEXT_CHARS_MAX).normalize('NFKD').replace(MARKS, '').replace(HUMPS, '$1$2 ')
  for (const [word] of plain.toLowerCase().matchAll(WORDS)) {
    if (terms.length >= TERMS_MAX) break
    if (DENSE.test(word)) terms.push(...pairsOf(word.slice(0, TERM_CHARS_MAX)))
    else terms.push(singular(word.slice(0, TERM_CHARS_MAX)))
  }
  return terms
}

function pairsOf(word: string): string[] {
  const characters = [...word]
  if (characters.length < 3) return [word]
  return characters.slice(1).map((character, index) => characters[index]! + character)
}

function singular(word: string): string {
  if (word.length < 4 || !word.endsWith('s') || word.endsWith('ss') || word.endsWith('us')) return word
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`
  if (/(?:s|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2)
  return word.slice(0, -1)
}
