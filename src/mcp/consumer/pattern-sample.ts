/** A text that a regular expression of a description finds, where the expression is simple enough to tell. */
import { linearPattern } from '../../base/text/patterns.ts'

const REPEATS_MAX = 64
const LENGTH_MAX = 2000
/** Characters that are tried for a class. */
const CHARACTERS = [
  ...'a1A0-_. /:@,+#',
  ...'bcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ23456789',
  '\t',
  '€',
  '\u00e9',
]

/**
 * @param length characters that the text has at least
 * @param usual texts that are taken where they fit
 * @returns null where nothing is found
 */
export function textOfPattern(source: string, length: number, usual: readonly string[]): string | null {
  const pattern = linearPattern(source)
  if (pattern === null) return null
  const fits = (text: string): boolean => [...text].length >= length && pattern.test(text)
  const plain = usual.find(fits)
  if (plain !== undefined) return plain
  for (const repeats of [0, 1, 2, length, length + 1, 8, 16, 32]) {
    const made = new Maker(source, Math.min(repeats, REPEATS_MAX)).whole()
    if (made === null) continue
    const text = [made, made.padEnd(Math.min(length, LENGTH_MAX), 'a')].find(fits)
    if (text !== undefined) return text
  }
  return null
}

/** Reads an expression and writes the first text that comes to mind; what it makes is tested, so it may be wrong. */
class Maker {
  readonly #source: string
  readonly #repeats: number
  #at = 0

  constructor(source: string, repeats: number) {
    this.#source = source
    this.#repeats = repeats
  }

  whole(): string | null {
    const text = this.#choice()
    return this.#at < this.#source.length || text.length > LENGTH_MAX ? null : text
  }

  /** The first of several alternatives. */
  #choice(): string {
    const first = this.#sequence()
    while (this.#source[this.#at] === '|') {
      this.#at++
      this.#sequence()
    }
    return first
  }

  #sequence(): string {
    let text = ''
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const one = this.#atom()
      const count = this.#count()
      if (text.length <= LENGTH_MAX) text += one.repeat(count)
    }
    return text
  }

  #atom(): string {
    const char = this.#source[this.#at++]!
    switch (char) {
      case '^':
      case '$':
        return ''
      case '.':
        return 'a'
      case '(': {
        this.#at += /^\?(?::|<[^>]*>)?/.exec(this.#source.slice(this.#at))?.[0].length ?? 0
        const inner = this.#choice()
        this.#at++
        return inner
      }
      case '[':
        return this.#class()
      case '\\':
        return this.#escape()
      default:
        return char
    }
  }

  #escape(): string {
    const rest = this.#source.slice(this.#at - 1)
    const text =
      /^\\(?:[pP]\{[^}]*\}|u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)/su.exec(
        rest,
      )?.[0] ?? ''
    this.#at += text.length - 1
    return text === '\\b' || text === '\\B' ? '' : first(text)
  }

  #class(): string {
    const rest = this.#source.slice(this.#at - 1)
    const text = /^\[\^?(?:\\.|[^\]\\])*\]/su.exec(rest)?.[0] ?? rest
    this.#at += text.length - 1
    return first(text)
  }

  /** How often the atom stands. */
  #count(): number {
    const found = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.#source.slice(this.#at))
    if (found === null) return 1
    this.#at += found[0].length
    const [all, least, comma, most] = found
    const low = all.startsWith('+') ? 1 : Number(least ?? 0)
    const high = all.startsWith('?')
      ? 1
      : least !== undefined && comma === undefined
        ? low
        : most
          ? Number(most)
          : REPEATS_MAX
    return Math.min(Math.max(low, Math.min(this.#repeats, high)), LENGTH_MAX)
  }
}

/** A character that the class or escape takes. */
function first(expression: string): string {
  const pattern = linearPattern(`^${expression}$`)
  return CHARACTERS.find((char) => pattern?.test(char) === true) ?? ''
}
