/** Tokens of GraphQL documents (specification of October 2021, section 2.1), as much as measuring them needs. */
export type Token =
  | { readonly kind: 'name' | 'number'; readonly text: string }
  /** A string or block string; what is in it does not matter. */
  | { readonly kind: 'string' }
  | { readonly kind: 'punctuator'; readonly text: string }
  | { readonly kind: 'end' }

/** What is wrong with a document, as one sentence. */
export class Unreadable extends Error {}

const NAME = /[_A-Za-z][_0-9A-Za-z]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
/** White space, line ends, commas, comments, and a byte order mark. */
const IGNORED = /(?:[\t\n\r ,\uFEFF]+|#[^\n\r]*)+/y
const STRING =
  /"(?:[^"\\\n\r\u0000-\u0008\u000B\u000C\u000E-\u001F]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}))*"/y
const PUNCTUATORS = '!$&()[]{}:=@|'

/** Reads tokens one by one. */
export class Lexer {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** The next token. Throws {@link Unreadable}. */
  next(): Token {
    this.#take(IGNORED)
    if (this.#at === this.#text.length) return { kind: 'end' }
    const text = this.#text
    const character = text[this.#at]!
    if (character === '"') return this.#string()
    if (PUNCTUATORS.includes(character)) {
      this.#at++
      return { kind: 'punctuator', text: character }
    }
    if (text.startsWith('...', this.#at)) {
      this.#at += 3
      return { kind: 'punctuator', text: '...' }
    }
    const name = this.#take(NAME)
    if (name !== null) return { kind: 'name', text: name }
    const number = this.#take(NUMBER)
    // A number ends before anything but a name or another number (2.9.1).
    if (number === null || /[_0-9A-Za-z.]/.test(text[this.#at] ?? ''))
      throw new Unreadable(`unexpected character at ${this.#at}`)
    return { kind: 'number', text: number }
  }

  #string(): Token {
    if (!this.#text.startsWith('"""', this.#at)) {
      if (this.#take(STRING) === null) throw new Unreadable(`a string at ${this.#at} does not end`)
      return { kind: 'string' }
    }
    let end = this.#at + 3
    for (;;) {
      end = this.#text.indexOf('"""', end)
      if (end === -1) throw new Unreadable(`a block string at ${this.#at} does not end`)
      if (this.#text[end - 1] !== '\\') break
      end += 3
    }
    this.#at = end + 3
    return { kind: 'string' }
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null || match[0] === '') return null
    this.#at += match[0].length
    return match[0]
  }
}
