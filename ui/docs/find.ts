/** The search of the documentation: sections that have every word of a query, the best first. */

/** A section: its link from the root of the site, the titles of its page and of itself, and its text. */
export type IndexedSection = readonly [href: string, page: string, heading: string, text: string]

export interface Found {
  readonly href: string
  readonly page: string
  readonly heading: string
  /** A piece of the text around the first word, which may be empty. */
  readonly excerpt: string
}

const WORDS_MAX = 8
const BEFORE = 60
const EXCERPT_MAX = 200
/** Characters of a section. */
const TYPICAL_LENGTH = 1000

/**
 * Sections that contain every word of the query, in any case. A word in a title or heading counts more than one in the text.
 * @param limit the most sections
 */
export function find(sections: readonly IndexedSection[], query: string, limit: number): readonly Found[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean).slice(0, WORDS_MAX)
  if (words.length === 0) return []
  const rated = sections.flatMap((section) => {
    const score = scoreOf(section, words)
    return score === 0 ? [] : [{ section, score }]
  })
  return rated
    .sort((one, other) => other.score - one.score)
    .slice(0, limit)
    .map(({ section: [href, page, heading, text] }) => ({
      href,
      page,
      heading,
      excerpt: excerptOf(text, words),
    }))
}

/** 0 if a word is missing. */
function scoreOf([href, page, heading, text]: IndexedSection, words: readonly string[]): number {
  const [title, own, inner] = [page.toLowerCase(), heading.toLowerCase(), text.toLowerCase()]
  const names = href.split('#')[0]!.split(/[/.]/)
  // In a long section a word says less
  const density = TYPICAL_LENGTH / (TYPICAL_LENGTH + text.length)
  // Of two equal sections the start of a page is first
  let score = (href.includes('#') ? 0 : 0.1) + (own === words.join(' ') ? 10 : 0)
  for (const word of words) {
    const found =
      8 * weightOf(own, word) +
      4 * weightOf(title, word) +
      4 * density * occurrences(inner, word) +
      (names.includes(word) ? 20 : 0)
    if (found === 0) return 0
    score += found
  }
  // The history and the pages for developers repeat what other pages explain
  return /^(?:changelog|contributing|architecture|internals\/)/.test(href) ? score / 4 : score
}

/** 2 for a word of its own, 1 for a part of one. */
function weightOf(text: string, word: string): number {
  if (!text.includes(word)) return 0
  return text.split(/[^\p{L}\p{N}_]+/u).includes(word) ? 2 : 1
}

function occurrences(text: string, word: string): number {
  let count = 0
  for (let at = text.indexOf(word); at >= 0 && count < 3; at = text.indexOf(word, at + word.length)) count++
  return count
}

function excerptOf(text: string, words: readonly string[]): string {
  const lower = text.toLowerCase()
  const places = words.map((word) => lower.indexOf(word)).filter((at) => at >= 0)
  const from = Math.max(0, Math.min(...places, text.length) - BEFORE)
  const start = places.length === 0 || from === 0 ? 0 : text.indexOf(' ', from) + 1
  const piece = text.slice(start, start + EXCERPT_MAX)
  return `${start > 0 ? '… ' : ''}${piece}${start + EXCERPT_MAX < text.length ? ' …' : ''}`
}
