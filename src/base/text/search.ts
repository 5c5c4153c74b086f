/**
 * Ranks short texts, such as tools and endpoints, by how well they fit the words of a query (BM25 over weighted fields).
 *
 * Invariants:
 * 1. An index is immutable, and equal documents give equal answers: equal scores keep the order of the documents.
 * 2. Every word of a document finds it, up to the bounds below. A query word also finds words that begin with it.
 * 3. Work and memory are bounded: an index is linear in its texts, a query in the documents.
 */

/** A part of a document. The weight says how much one of its words counts; 1 for plain text. */
export interface SearchField {
  readonly text: string
  readonly weight: number
}

interface Found {
  /** Places of documents, best first; at most as many as asked for. */
  readonly places: readonly number[]
  /** Documents that fit at all. */
  readonly total: number
}

export interface TextIndex {
  /** What fits at least one word of the query; a query without words finds nothing. */
  search(query: string, limit: number): Found
}

/** Characters of a field that count. */
const FIELD_MAX = 4_000
/** Different words of a document that count. */
const DOCUMENT_WORDS_MAX = 256
const QUERY_MAX = 400
const QUERY_WORDS_MAX = 16
/** Words that the beginning of a word stands for. */
const EXPANSIONS_MAX = 16
/** Letters that a query word needs to stand for longer words. */
const BEGINNING_MIN = 3
const WORD_MAX = 40

/** BM25: how soon further occurrences stop to count, and how much long documents lose. */
const SATURATION = 1.2
const LENGTH_SHARE = 0.5
/** How much a longer word counts that begins with the query word. */
const BEGINNING_SHARE = 0.6
/** How much a document loses that fits only some words of the query. */
const COVERAGE_SHARE = 0.5

/** Runs of digits, of letters, and of letters of scripts that are written without spaces (the group). */
const RUNS =
  /\p{N}+|([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]+)|[[\p{L}\p{M}]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]]+/gv
const ASCII = /^[\0-\x7f]*$/
const ASCII_RUNS = /[0-9]+|[A-Za-z]+/g
/** Only a run with a capital letter after a small one, or after another capital, can have parts. */
const MAY_HAVE_PARTS = /\p{Ll}\p{Lu}|\p{Lu}{2}/u
/** Accents of letters that are also written without. */
const ACCENTS = /(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{M}+/gu
const CAMEL_PARTS = /\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+/gu

interface Posting {
  readonly places: number[]
  readonly weights: number[]
}

/** Where words stand, and what they weigh there. */
export class WordIndex {
  readonly #postings = new Map<string, Posting>()
  /** All words in their order; null until somebody searches. */
  #vocabulary: readonly string[] | null = null

  /** Places come in their order. */
  add(place: number, words: Iterable<readonly [word: string, weight: number]>): void {
    this.#vocabulary = null
    for (const [word, weight] of words) {
      const posting = this.#postings.get(word)
      if (posting === undefined) this.#postings.set(word, { places: [place], weights: [weight] })
      else {
        posting.places.push(place)
        posting.weights.push(weight)
      }
    }
  }

  /**
   * What a word of a query is worth by place: by the word itself, or by one that begins with it, whichever is worth more there.
   * @param rate what a form of the word, which stands at so many places, is worth at one of them
   * @param beginningsMax words that the beginning of a word stands for
   */
  worthOf(
    word: string,
    beginningsMax: number,
    rate: (form: string, places: number) => (weight: number, place: number) => number,
  ): ReadonlyMap<number, number> {
    const worth = new Map<number, number>()
    for (const form of this.#formsOf(word, beginningsMax)) {
      const { places, weights } = this.#postings.get(form)!
      const worthAt = rate(form, places.length)
      for (const [at, place] of places.entries()) {
        const value = worthAt(weights[at]!, place)
        if (value > (worth.get(place) ?? 0)) worth.set(place, value)
      }
    }
    return worth
  }

  #formsOf(word: string, beginningsMax: number): readonly string[] {
    const forms = this.#postings.has(word) ? [word] : []
    if (word.length < BEGINNING_MIN) return forms
    this.#vocabulary ??= [...this.#postings.keys()].sort()
    const from = firstAfter(this.#vocabulary, word)
    for (const longer of this.#vocabulary.slice(from, from + beginningsMax)) {
      if (!longer.startsWith(word)) break
      forms.push(longer)
    }
    return forms
  }
}

/** By place, the sum of what the words of a query are worth, and how many of them are worth something. */
export function summed(
  words: readonly string[],
  worthOf: (word: string) => ReadonlyMap<number, number>,
): ReadonlyMap<number, { readonly sum: number; readonly count: number }> {
  const sums = new Map<number, { sum: number; count: number }>()
  for (const word of words)
    for (const [place, value] of worthOf(word)) {
      const one = sums.get(place)
      if (one === undefined) sums.set(place, { sum: value, count: 1 })
      else {
        one.sum += value
        one.count++
      }
    }
  return sums
}

/** Builds the index of documents; a document is the list of its fields. */
export function indexTexts(documents: readonly (readonly SearchField[])[]): TextIndex {
  const index = new WordIndex()
  const lengths = new Float64Array(documents.length)
  let sum = 0
  for (const [place, fields] of documents.entries()) {
    const counts = countsOf(fields)
    index.add(place, counts)
    for (const weight of counts.values()) lengths[place]! += weight
    sum += lengths[place]!
  }
  const lengthMean = sum / documents.length || 1

  const worthOf = (word: string): ReadonlyMap<number, number> =>
    index.worthOf(word, EXPANSIONS_MAX, (form, places) => {
      const share = form === word ? 1 : (BEGINNING_SHARE * word.length) / form.length
      const rarity = Math.log(1 + (documents.length - places + 0.5) / (places + 0.5))
      return (weight, place) => {
        const norm = 1 - LENGTH_SHARE + (LENGTH_SHARE * lengths[place]!) / lengthMean
        return (share * rarity * weight * (SATURATION + 1)) / (weight + SATURATION * norm)
      }
    })

  return {
    search(query, limit) {
      const words = [...new Set(wordsOf(query.slice(0, QUERY_MAX)))].slice(0, QUERY_WORDS_MAX)
      const ranked = [...summed(words, worthOf)].map(([place, found]) => ({
        place,
        score: found.sum * (1 - COVERAGE_SHARE * (1 - found.count / words.length)),
      }))
      ranked.sort((a, b) => b.score - a.score || a.place - b.place)
      return { places: ranked.slice(0, Math.max(0, limit)).map(({ place }) => place), total: ranked.length }
    },
  }
}

/** What the words of a document weigh, by the first words of its heaviest fields. */
function countsOf(fields: readonly SearchField[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { text, weight } of fields.toSorted((a, b) => b.weight - a.weight))
    for (const word of wordsOf(text.slice(0, FIELD_MAX))) {
      const count = counts.get(word)
      if (count === undefined && counts.size === DOCUMENT_WORDS_MAX) continue
      counts.set(word, (count ?? 0) + weight)
    }
  return counts
}

/**
 * The words of a text in order, in lower case, without accents and endings. A name in camel case gives itself and its parts; scripts that
 * are written without spaces give pairs of letters. Time is linear in the text.
 */
export function wordsOf(text: string): readonly string[] {
  const words: string[] = []
  const runs = ASCII.test(text) ? text.matchAll(ASCII_RUNS) : folded(text).matchAll(RUNS)
  for (const [run, dense] of runs) {
    if (dense !== undefined) {
      addPairs([...dense], words)
      continue
    }
    const word = run.slice(0, WORD_MAX)
    words.push(stemOf(word.toLowerCase()))
    const parts = MAY_HAVE_PARTS.test(word) ? (word.match(CAMEL_PARTS) ?? []) : []
    if (parts.length > 1) for (const part of parts) words.push(stemOf(part.toLowerCase()))
  }
  return words
}

function folded(text: string): string {
  return text.normalize('NFKD').replace(ACCENTS, '').normalize('NFKC')
}

function addPairs(letters: readonly string[], words: string[]): void {
  if (letters.length === 1) words.push(letters[0]!)
  for (let at = 1; at < letters.length; at++) words.push(letters[at - 1]! + letters[at]!)
}

/** Without the commonest endings of English, so that `issues` finds `issue`, and `creating` finds `create`. */
function stemOf(word: string): string {
  if (word.length < 4) return word
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`
  for (const ending of ['ing', 'ed', 'es'])
    if (word.endsWith(ending) && word.length - ending.length >= 3) return word.slice(0, -ending.length)
  if (word.endsWith('ss')) return word
  return word.endsWith('s') || word.endsWith('e') ? word.slice(0, -1) : word
}

/** Place of the first word that sorts after the given one. */
function firstAfter(sorted: readonly string[], word: string): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! <= word) low = middle + 1
    else high = middle
  }
  return low
}
