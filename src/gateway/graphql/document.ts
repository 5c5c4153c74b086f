/** What a selection set asks for. Arguments, values and directives are read for their form alone. */
export type Selection =
  | { readonly kind: 'field'; readonly name: string; readonly below: readonly Selection[] }
  | { readonly kind: 'inline'; readonly below: readonly Selection[] }
  | { readonly kind: 'spread'; readonly name: string }

interface Operation {
  readonly type: 'query' | 'mutation' | 'subscription'
  /** Empty for one without a name. */
  readonly name: string
  readonly selections: readonly Selection[]
}

export interface Document {
  readonly operations: readonly Operation[]
  readonly fragments: ReadonlyMap<string, readonly Selection[]>
}

/** Characters and tokens of a document that are read; nesting of what is in it. */
const CHARS_MAX = 256 * 1024
const TOKENS_MAX = 20_000
const DEPTH_MAX = 200
const FRAGMENTS_MAX = 500

/** Reads an executable document (GraphQL, September 2025, section 2). Throws {@link Unreadable} with one sentence on what is wrong. */
export function readDocument(text: string): Document {
  if (text.length > CHARS_MAX) throw new Unreadable(`longer than ${CHARS_MAX} characters`)
  return new Parser(text).document()
}

class Parser {
  readonly #lexer: Lexer
  #token: Token
  #tokens = 0
  #depth = 0

  constructor(text: string) {
    this.#lexer = new Lexer(text)
    this.#token = this.#lexer.next()
  }

  document(): Document {
    const operations: Operation[] = []
    const fragments = new Map<string, readonly Selection[]>()
    while (this.#token.kind !== 'end') {
      if (this.#isPunctuator('{'))
        operations.push({ type: 'query', name: '', selections: this.#selectionSet() })
      else {
        this.#description()
        const word = this.#name()
        if (word === 'fragment') {
          const name = this.#name()
          if (name === 'on') throw new Unreadable('a fragment cannot have the name on')
          this.#typeCondition()
          this.#directives()
          if (fragments.has(name)) throw new Unreadable(`fragment ${name.slice(0, 80)} is defined twice`)
          if (fragments.size === FRAGMENTS_MAX) throw new Unreadable(`more than ${FRAGMENTS_MAX} fragments`)
          fragments.set(name, this.#selectionSet())
        } else if (word === 'query' || word === 'mutation' || word === 'subscription')
          operations.push(this.#operation(word))
        else throw new Unreadable(`${word.slice(0, 80)} is no operation`)
      }
    }
    if (operations.length === 0) throw new Unreadable('the document has no operation')
    const names = new Set(operations.map(({ name }) => name))
    if (operations.length > 1 && (names.size < operations.length || names.has('')))
      throw new Unreadable('several operations must have different names')
    return { operations, fragments }
  }

  #operation(type: Operation['type']): Operation {
    const name = this.#token.kind === 'name' ? this.#name() : ''
    if (this.#isPunctuator('(')) this.#variables()
    this.#directives()
    return { type, name, selections: this.#selectionSet() }
  }

  #variables(): void {
    this.#expect('(')
    do {
      this.#description()
      this.#expect('$')
      this.#name()
      this.#expect(':')
      this.#type()
      if (this.#isPunctuator('=')) {
        this.#advance()
        this.#value(true)
      }
      this.#directives()
    } while (!this.#isPunctuator(')'))
    this.#advance()
  }

  /** A text before an operation, a fragment or a variable (section 2.2 "Description"); the short form `{ ... }` has none. */
  #description(): void {
    if (this.#token.kind === 'string') this.#advance()
  }

  #type(): void {
    this.#deeper(() => {
      if (this.#isPunctuator('[')) {
        this.#advance()
        this.#type()
        this.#expect(']')
      } else this.#name()
    })
    if (this.#isPunctuator('!')) this.#advance()
  }

  #selectionSet(): Selection[] {
    return this.#deeper(() => {
      this.#expect('{')
      const selections: Selection[] = []
      do selections.push(this.#selection())
      while (!this.#isPunctuator('}'))
      this.#advance()
      return selections
    })
  }

  #selection(): Selection {
    if (!this.#isPunctuator('...')) return this.#field()
    this.#advance()
    if (this.#token.kind === 'name' && this.#token.text !== 'on') {
      const name = this.#name()
      this.#directives()
      return { kind: 'spread', name }
    }
    if (this.#token.kind === 'name') this.#typeCondition()
    this.#directives()
    return { kind: 'inline', below: this.#selectionSet() }
  }

  #field(): Selection {
    let name = this.#name()
    if (this.#isPunctuator(':')) {
      this.#advance()
      name = this.#name()
    }
    this.#arguments(false)
    this.#directives()
    return { kind: 'field', name, below: this.#isPunctuator('{') ? this.#selectionSet() : [] }
  }

  #typeCondition(): void {
    if (this.#name() !== 'on') throw new Unreadable('a fragment must name its type')
    this.#name()
  }

  #directives(): void {
    while (this.#isPunctuator('@')) {
      this.#advance()
      this.#name()
      this.#arguments(false)
    }
  }

  #arguments(constant: boolean): void {
    if (!this.#isPunctuator('(')) return
    this.#advance()
    do {
      this.#name()
      this.#expect(':')
      this.#value(constant)
    } while (!this.#isPunctuator(')'))
    this.#advance()
  }

  #value(constant: boolean): void {
    const token = this.#token
    if (token.kind === 'name' || token.kind === 'number' || token.kind === 'string') {
      this.#advance()
      return
    }
    if (this.#isPunctuator('$') && !constant) {
      this.#advance()
      this.#name()
    } else if (this.#isPunctuator('[')) this.#list(constant)
    else if (this.#isPunctuator('{')) this.#object(constant)
    else throw new Unreadable('a value is missing')
  }

  #list(constant: boolean): void {
    this.#deeper(() => {
      this.#advance()
      while (!this.#isPunctuator(']')) this.#value(constant)
      this.#advance()
    })
  }

  #object(constant: boolean): void {
    this.#deeper(() => {
      this.#advance()
      while (!this.#isPunctuator('}')) {
        this.#name()
        this.#expect(':')
        this.#value(constant)
      }
      this.#advance()
    })
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > DEPTH_MAX) throw new Unreadable(`nested more than ${DEPTH_MAX} deep`)
    const result = read()
    this.#depth--
    return result
  }

  #isPunctuator(text: string): boolean {
    return this.#token.kind === 'punctuator' && this.#token.text === text
  }

  #expect(text: string): void {
    if (!this.#isPunctuator(text)) throw new Unreadable(`${text} is missing`)
    this.#advance()
  }

  #name(): string {
    if (this.#token.kind !== 'name') throw new Unreadable('a name is missing')
    const { text } = this.#token
    this.#advance()
    return text
  }

  #advance(): void {
    if (++this.#tokens > TOKENS_MAX) throw new Unreadable(`more than ${TOKENS_MAX} tokens`)
    this.#token = this.#lexer.next()
  }
}

/** Tokens of GraphQL documents (specification of October 2021, section 2.1), as much as measuring them needs. */
type Token =
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
class Lexer {
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
