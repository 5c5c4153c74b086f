/**
 * Patterns of an administrator. One search is linear, but a search for all matches may not be: each match of `a.*b|a` in a
 * row of `a` reads the rest of the text. A search therefore looks a bounded way ahead, and a region with too many matches
 * becomes one span.
 */
import { type LinearPattern, linearPattern } from '../base/text/patterns.ts'
import type { Folded } from './folded.ts'
import type { NamedPattern } from './settings.ts'
import type { Span } from './span.ts'

const REGION_CHARS = 16_384
/** Of one pattern in one region. The rest of a region that has more is one span. */
const MATCHES_MAX = 256

/** How far the search for one pattern is. */
export interface PatternCursor {
  at: number
  /** Matches since the begin of the region in which `at` is. */
  matches: number
}

export interface Pattern {
  readonly kind: string
  /**
   * Reports matches that begin at or after `cursor.at` and before `to`, and moves the cursor. `offset` is the place of the text in the
   * stream that it is a part of.
   */
  advance(text: string, offset: number, cursor: PatternCursor, to: number, spans: Span[]): void
  /** The same in what the text reads as. Places of the cursor and of what is reported are those of the text itself. */
  advanceIn(
    view: Folded,
    text: string,
    offset: number,
    cursor: PatternCursor,
    to: number,
    report: (start: number, end: number) => void,
  ): void
}

/** @throws RangeError for a pattern that cannot be searched for in linear time. */
export function compilePattern({ kind, pattern: source }: NamedPattern): Pattern {
  const pattern = linearPattern(source)
  if (pattern === null)
    throw new RangeError(
      `the pattern of "${kind}" is no regular expression without look-around and back references, or too large`,
    )
  return {
    kind,
    advance(text, offset, cursor, to, spans) {
      // Most texts have no match, which is told far faster than where one is
      if (cursor.at === 0 && to === text.length && !pattern.test(text)) {
        cursor.at = to
        return
      }
      while (cursor.at < to) {
        const found = search(pattern, text, cursor.at)
        const next = found === null || found.start >= to ? to : found.start
        enter(cursor, offset, next)
        if (found === null || next === to) return
        const end = cursor.matches < MATCHES_MAX ? found.end : regionEnd(offset, next) - offset
        cursor.matches++
        enter(cursor, offset, Math.max(end, next + 1))
        if (end > next)
          spans.push({ start: next, end: Math.min(end, text.length), detector: 'regex', kind, confidence: 1 })
      }
    },
    advanceIn(view, text, offset, cursor, to, report) {
      if (cursor.at === 0 && to === text.length && !pattern.test(view.text)) {
        cursor.at = to
        return
      }
      while (cursor.at < to) {
        const found = search(pattern, view.text, view.placeOf(cursor.at))
        const start = found === null ? to : Math.max(cursor.at, view.startOf(found.start))
        const next = Math.min(start, to)
        enter(cursor, offset, next)
        if (found === null || next === to) return
        const end = cursor.matches < MATCHES_MAX ? view.endOf(found.end) : regionEnd(offset, next) - offset
        cursor.matches++
        enter(cursor, offset, Math.max(end, next + 1))
        if (end > next) report(next, Math.min(end, text.length))
      }
    },
  }
}

function regionEnd(offset: number, at: number): number {
  return (Math.floor((offset + at) / REGION_CHARS) + 1) * REGION_CHARS
}

/** Moves a cursor on. */
export function enter(cursor: PatternCursor, offset: number, at: number): void {
  if (offset + at >= regionEnd(offset, cursor.at)) cursor.matches = 0
  cursor.at = at
}

function search(pattern: LinearPattern, text: string, from: number): { start: number; end: number } | null {
  for (let at = from; at <= text.length; at = at + REGION_CHARS) {
    const found = searchPart(pattern, text, at, at + 2 * REGION_CHARS)
    // A match that begins in the second half is looked for again, with as much text behind it
    if (found !== null && found.start < at + REGION_CHARS) return found
  }
  return null
}

/** Searches a part of a text, with the characters before it for anchors. */
function searchPart(
  pattern: LinearPattern,
  text: string,
  from: number,
  to: number,
): { start: number; end: number } | null {
  // Two: a character may be a pair of surrogates
  const base = Math.max(0, from - 2)
  const found = pattern.find(base === 0 && to >= text.length ? text : text.slice(base, to), from - base)
  if (found === null) return null
  const end = found.end + base
  // `$` fits the end of a part too: what ends there is looked for with more text behind it
  if (end === to && to < text.length && found.end - found.start < REGION_CHARS)
    return searchPart(pattern, text, found.start + base, to + REGION_CHARS)
  return { start: found.start + base, end }
}
