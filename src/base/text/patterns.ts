/**
 * ECMA-262 regular expressions (with the `u` flag, as JSON Schema 2020-12 section 6.4 recommends) written for RE2. The two
 * share most of their syntax but not all of its meaning: `\s`, `.`, `[^]` and `[[:alpha:]]` differ.
 */
import { RE2JS } from 're2js'
import { Lru } from '../memory/lru.ts'

/** Characters that `\s` stands for (ECMA-262 12.2 and 12.3), as members of a class. */
const SPACE =
  '\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}'
/** All other characters. */
const NOT_SPACE =
  '\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}'
const ANY = '\\x{0}-\\x{10ffff}'
/** `.` without the `s` flag: anything but a line terminator (ECMA-262 12.3). */
const DOT = '[^\\n\\r\\x{2028}\\x{2029}]'

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }

/** Thrown inside of this module where the expression has no certain counterpart. */
class Untranslatable extends Error {}

/** One member of a class: a character, or a set that is no end of a range. */
type Member = { readonly code: number } | { readonly set: string }

/**
 * The expression in the syntax of RE2, or null where it has no counterpart of the same meaning: look-around, back
 * references, flags in groups, and what ECMA-262 and other dialects read differently (`\A`, `\Z`, `[[:alpha:]]`).
 * A broken expression gives null or text that RE2 refuses.
 */
function toRe2(source: string): string | null {
  try {
    return new Translation(source).whole()
  } catch (error) {
    if (error instanceof Untranslatable) return null
    throw error
  }
}

class Translation {
  readonly #source: string
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  whole(): string {
    let result = ''
    while (this.#at < this.#source.length) result += this.#next()
    return result
  }

  #next(): string {
    const char = this.#take()
    switch (char) {
      case '\\':
        return this.#escape()
      case '[':
        return this.#class()
      case '(':
        return this.#group()
      case '.':
        return DOT
      case '{':
        return this.#brace()
      case '}':
      case ']':
        return `\\${char}`
      case '*':
      case '+':
      case '?':
        // `a++` and `a**` are no ECMA-262
        if (char !== '?' && '*+'.includes(this.#source[this.#at] ?? ' ')) throw new Untranslatable()
        return char
      default:
        return '^$|)'.includes(char) ? char : literal(char.codePointAt(0)!)
    }
  }

  #take(): string {
    const code = this.#source.codePointAt(this.#at)
    if (code === undefined) throw new Untranslatable()
    const char = String.fromCodePoint(code)
    this.#at += char.length
    return char
  }

  /** What follows, taken when it is found here. */
  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#source)
    if (found !== null) this.#at = expression.lastIndex
    return found
  }

  #group(): string {
    if (this.#source[this.#at] !== '?') return '(?:'
    if (this.#match(/\?:|\?<[A-Za-z_$][A-Za-z0-9_$]*>/y) !== null) return '(?:'
    throw new Untranslatable()
  }

  /** A counted repetition, or the character where it is none. */
  #brace(): string {
    return this.#match(/\d+(?:,\d*)?\}/y)?.[0].replace(/^/, '{') ?? '\\{'
  }

  #escape(): string {
    const anchor = this.#match(/[bB]/y)
    if (anchor !== null) return `\\${anchor[0]}`
    const member = this.#escaped()
    return 'code' in member ? literal(member.code) : `[${member.set}]`
  }

  /** What stands behind a backslash, inside or outside of a class. */
  #escaped(): Member {
    const hex = this.#match(/x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}/y)
    if (hex !== null) return this.#unit(Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16))
    const property = this.#match(/([pP])\{([A-Za-z_]+)(?:=([A-Za-z_]+))?\}/y)
    if (property !== null) return { set: propertyOf(property) }
    const control = this.#match(/c([A-Za-z])/y)
    if (control !== null) return { code: control[1]!.charCodeAt(0) % 32 }
    if (this.#match(/0(?![0-9])/y) !== null) return { code: 0 }
    const char = this.#take()
    if (char === 's') return { set: SPACE }
    if (char === 'S') return { set: NOT_SPACE }
    if ('dDwW'.includes(char)) return { set: `\\${char}` }
    const known = CONTROLS[char]
    if (known !== undefined) return { code: known }
    // Letters and digits mean something else in each dialect; every other character stands for itself.
    if (/[A-Za-z0-9]/.test(char)) throw new Untranslatable()
    return { code: char.codePointAt(0)! }
  }

  /** Two escaped halves of a surrogate pair are one character. */
  #unit(code: number): Member {
    if (code > 0x10ffff) throw new Untranslatable()
    if (code < 0xd800 || code > 0xdfff) return { code }
    const low = code < 0xdc00 ? this.#match(/\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})/y) : null
    // A lone half is in no text that is UTF-8.
    if (low === null) throw new Untranslatable()
    return { code: (code - 0xd800) * 0x400 + (Number.parseInt(low[1]!, 16) - 0xdc00) + 0x10000 }
  }

  #class(): string {
    const isNegated = this.#match(/\^/y) !== null
    if (this.#source[this.#at] === ']') {
      this.#at++
      // Any character; its counterpart `[]` matches nothing, which RE2 has no class for.
      if (isNegated) return `[${ANY}]`
      throw new Untranslatable()
    }
    // Other dialects read a POSIX class here.
    if (this.#source.startsWith('[:', this.#at)) throw new Untranslatable()
    let members = ''
    for (;;) {
      if (this.#source[this.#at] === undefined) throw new Untranslatable()
      if (this.#match(/\]/y) !== null) break
      const from = this.#member()
      if (this.#match(/-(?!\])/y) === null) {
        members += textOf(from)
        continue
      }
      const to = this.#member()
      if ('code' in from && 'code' in to) {
        if (from.code > to.code) throw new Untranslatable()
        members += `${textOf(from)}-${textOf(to)}`
      } else members += `${textOf(from)}\\-${textOf(to)}`
    }
    return isNegated ? `[^${members}]` : `[${members}]`
  }

  #member(): Member {
    const char = this.#take()
    if (char !== '\\') {
      if (char === '[' && ':.='.includes(this.#source[this.#at] ?? ' ')) throw new Untranslatable()
      return { code: char.codePointAt(0)! }
    }
    return this.#match(/b/y) === null ? this.#escaped() : { code: 8 }
  }
}

/** Names of ECMA-262 that RE2 knows as they are: general categories of one or two letters, and scripts. */
function propertyOf([, sign, name, value]: RegExpExecArray): string {
  if (value === undefined) {
    if (name === 'Any') return sign === 'p' ? ANY : impossible()
    if (name === 'ASCII') return sign === 'p' ? '\\x{0}-\\x{7f}' : '\\x{80}-\\x{10ffff}'
    const short = CATEGORIES[name!] ?? name!
    // Unassigned characters and letters with case are computed differently.
    if (!/^(?:L[ulmto]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|Cc)$/.test(short)) return impossible()
    return `\\${sign}{${short}}`
  }
  if (name === 'Script' || name === 'sc') return `\\${sign}{${value}}`
  if (name === 'General_Category' || name === 'gc')
    return propertyOf(['', sign!, value] as unknown as RegExpExecArray)
  return impossible()
}

function impossible(): never {
  throw new Untranslatable()
}

const CATEGORIES: Readonly<Record<string, string>> = {
  Letter: 'L',
  Uppercase_Letter: 'Lu',
  Lowercase_Letter: 'Ll',
  Titlecase_Letter: 'Lt',
  Modifier_Letter: 'Lm',
  Other_Letter: 'Lo',
  Mark: 'M',
  Number: 'N',
  Decimal_Number: 'Nd',
  Punctuation: 'P',
  Symbol: 'S',
  Separator: 'Z',
  Space_Separator: 'Zs',
}

function textOf(member: Member): string {
  return 'set' in member ? member.set : literal(member.code)
}

/** One character, inside or outside of a class. */
function literal(code: number): string {
  const char = String.fromCodePoint(code)
  return /^[A-Za-z0-9_ ]$/.test(char) ? char : `\\x{${code.toString(16)}}`
}

const CHARS_MAX = 4096

/**
 * Whether validators compile this expression: they do so with the `u` flag (JSON Schema 2020-12, core, section 6.4), which refuses
 * a brace or a bracket that stands alone. One that they refuse makes clients of MCP give up the whole list of tools.
 */
export function isUnicodePattern(source: string): boolean {
  if (source.length > CHARS_MAX) return false
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
}

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

/**
 * A question to text whether it fits a glob, in which `*` stands for anything. Takes time linear in the text for each piece: the
 * pieces are found one after another.
 */
export function toGlob(glob: string): (text: string) => boolean {
  const pieces = glob.split('*')
  if (pieces.length === 1) return (text) => text === glob
  const first = pieces[0]!
  const last = pieces[pieces.length - 1]!
  const inner = pieces.slice(1, -1).filter((piece) => piece !== '')
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
      return false
    const end = text.length - last.length
    let at = first.length
    for (const piece of inner) {
      const found = text.indexOf(piece, at)
      if (found === -1 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
}
