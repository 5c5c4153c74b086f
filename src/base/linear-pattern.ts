import { RE2JS } from 're2js'
import { toRe2 } from './ecma-pattern.ts'
import { Lru } from './lru.ts'

/** A regular expression that takes time linear in the text, whatever the expression. */
export interface LinearPattern {
  /** True when the expression is found anywhere in the text. */
  test(text: string): boolean
  /**
   * The leftmost place at or after `from` where the expression is found, preferring as Perl does; null where there is none. What
   * stands before `from` counts for anchors alone.
   */
  find(text: string, from: number): Place | null
}

/** UTF-16 code units from `start` to before `end`. */
interface Place {
  readonly start: number
  readonly end: number
}

/** Steps of a compiled expression: counted repetitions multiply, and each step is looked at for each character. */
const PROGRAM_MAX = 2000
const KEPT_MAX = 2000

const kept = new Lru<string, LinearPattern | null>(KEPT_MAX)

/**
 * Compiles an ECMA-262 expression as far as it is regular; null for one that has look-around or back references, is
 * broken or too large, or that other dialects read differently. Kept, so that asking again costs nothing.
 */
export function linearPattern(source: string): LinearPattern | null {
  let pattern = kept.get(source)
  if (pattern === undefined) {
    pattern = compiled(source)
    kept.set(source, pattern)
  }
  return pattern
}

function compiled(source: string): LinearPattern | null {
  if (source.length > 4096) return null
  const text = toRe2(source)
  if (text === null) return null
  try {
    const pattern = RE2JS.compile(text)
    if (pattern.programSize() > PROGRAM_MAX) return null
    return {
      test: (text) => pattern.test(text),
      find(text, from) {
        const matcher = pattern.matcher(text)
        return matcher.find(from) ? { start: matcher.start(), end: matcher.end() } : null
      },
    }
  } catch {
    return null
  }
}
