/**
 * Reads the subset of Go templates that the chart uses into a tree. Anything else is refused with file and line: what this
 * reader does not know could mean something else in Helm.
 */

/** A template that is outside of the subset, or that cannot be executed. */
export class TemplateError extends Error {
  constructor(file: string, line: number, message: string) {
    super(`${file}:${line}: ${message}`)
    this.name = 'TemplateError'
  }
}

/** Where a part of a template stands. */
interface Place {
  readonly file: string
  readonly line: number
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  /** A path of members from the dot (`variable` is null) or from a variable such as `$`. */
  | { readonly kind: 'path'; readonly variable: string | null; readonly path: readonly string[] }
  | { readonly kind: 'call'; readonly name: string; readonly inputs: readonly Operand[] }

export type Node = Place &
  (
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'output'; readonly value: Operand }
    | { readonly kind: 'if' | 'with'; readonly value: Operand; readonly body: Node[]; readonly other: Node[] }
    | {
        readonly kind: 'range'
        /** Names of the variables for key and value, none for the dot alone. */
        readonly variables: readonly string[]
        readonly value: Operand
        readonly body: Node[]
        readonly other: Node[]
      }
  )

/** A template file: what it writes, and the templates that it defines. */
export interface Template {
  readonly body: readonly Node[]
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

const DEPTH_MAX = 40
const TOKEN =
  /\s+|"(?:[^"\\\n]|\\["\\nt])*"|-?[0-9]+(?![\w.])|\$?(?:\.[A-Za-z_]\w*)+|\$[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|[$.](?![\w.])|[A-Za-z]\w*|:=|[(),|]/y

interface Piece {
  readonly isAction: boolean
  readonly text: string
  readonly line: number
}

/** Texts and actions in their order; white space that `{{-` and `-}}` take away is gone. */
function piecesOf(file: string, source: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let line = 1
  let trims = false
  const add = (text: string) => {
    if (text !== '') pieces.push({ isAction: false, text, line })
  }
  for (;;) {
    const open = source.indexOf('{{', at)
    const text = source.slice(at, open === -1 ? undefined : open)
    const shown = trims ? text.trimStart() : text
    if (open === -1) {
      add(shown)
      return pieces
    }
    const isTrimmed = /^\{\{-\s/.test(source.slice(open, open + 4))
    add(isTrimmed ? shown.trimEnd() : shown)
    line += text.split('\n').length - 1
    const from = open + (isTrimmed ? 3 : 2)
    const comment = /^\s?\/\*[\s\S]*?\*\/(\s-)?\}\}/.exec(source.slice(from, from + 4000))
    const end = comment === null ? endOf(source, from) : from + comment[0].length - 2
    if (end === -1) throw new TemplateError(file, line, 'an action does not end with }}')
    const inner = source.slice(from, end)
    trims = /\s-$/.test(inner)
    if (comment === null) pieces.push({ isAction: true, text: trims ? inner.slice(0, -2) : inner, line })
    line += inner.split('\n').length - 1
    at = end + 2
  }
}

/** The end of an action, which no string holds. */
function endOf(source: string, from: number): number {
  const end = /^(?:"(?:[^"\\\n]|\\.)*"|(?!\}\})[^"])*?\}\}/.exec(source.slice(from, from + 2000))
  return end === null ? -1 : from + end[0].length - 2
}

/** Reads the text of a template file. Throws {@link TemplateError}. */
export function parseTemplate(file: string, source: string): Template {
  const pieces = piecesOf(file, source)
  const defined = new Map<string, readonly Node[]>()
  let at = 0

  /** Reads up to an action that begins with one of `ends`, which it leaves. */
  const block = (ends: readonly string[], depth: number, from: number): Node[] => {
    if (depth > DEPTH_MAX) throw new TemplateError(file, from, 'blocks are nested too deeply')
    const nodes: Node[] = []
    for (;;) {
      const piece = pieces[at]
      if (piece === undefined) {
        if (ends.length === 0) return nodes
        throw new TemplateError(file, from, 'a block has no end')
      }
      const { line, text } = piece
      if (!piece.isAction) {
        nodes.push({ kind: 'text', file, line, text })
        at += 1
        continue
      }
      const reader = new ActionReader(file, line, text)
      const word = reader.keyword()
      if (word === 'else' || word === 'end') {
        if (ends.includes(word)) return nodes
        throw new TemplateError(file, line, `${word} belongs to no block`)
      }
      at += 1
      if (word === null) nodes.push({ kind: 'output', file, line, value: reader.whole() })
      else if (word === 'define') {
        if (depth > 0) throw new TemplateError(file, line, 'define stands inside of a block')
        const name = reader.name()
        if (defined.has(name)) throw new TemplateError(file, line, `"${name}" is defined twice`)
        defined.set(name, block(['end'], depth + 1, line))
        close(line)
      } else nodes.push(control(word, reader, line, depth))
    }
  }

  const close = (from: number) => {
    const piece = pieces[at]!
    if (new ActionReader(file, piece.line, piece.text).keyword() !== 'end')
      throw new TemplateError(file, from, 'a block has more than one else')
    new ActionReader(file, piece.line, piece.text).only('end')
    at += 1
  }

  const control = (
    word: 'if' | 'with' | 'range',
    reader: ActionReader,
    line: number,
    depth: number,
  ): Node => {
    const variables = word === 'range' ? reader.variables() : []
    const value = reader.whole()
    const body = block(['else', 'end'], depth + 1, line)
    const next = pieces[at]!
    const following = new ActionReader(file, next.line, next.text)
    let other: Node[] = []
    if (following.keyword() === 'else') {
      at += 1
      if (following.isDone()) {
        other = block(['end'], depth + 1, next.line)
        close(line)
      } else {
        // else if: one end closes both
        if (word !== 'if' || following.keyword() !== 'if')
          throw new TemplateError(file, next.line, 'only "else" and, after if, "else if" are in the subset')
        other = [control('if', following, next.line, depth + 1)]
      }
    } else close(line)
    return word === 'range'
      ? { kind: 'range', file, line, variables, value, body, other }
      : { kind: word, file, line, value, body, other }
  }

  return { body: block([], 0, 1), defined }
}

const KEYWORDS = ['if', 'with', 'range', 'define', 'else', 'end'] as const
type Keyword = (typeof KEYWORDS)[number]
const WORDS_OUTSIDE = ['block', 'break', 'continue', 'template', 'nil']

/** Reads the inside of one action. */
class ActionReader {
  readonly #tokens: string[] = []
  readonly #fail: (message: string) => TemplateError
  #at = 0

  constructor(file: string, line: number, text: string) {
    this.#fail = (message) => new TemplateError(file, line, message)
    TOKEN.lastIndex = 0
    while (TOKEN.lastIndex < text.length) {
      const from = TOKEN.lastIndex
      const token = TOKEN.exec(text)?.[0]
      if (token === undefined) throw this.#fail(`not in the subset: ${text.slice(from, from + 20).trim()}`)
      if (token.trim() !== '') this.#tokens.push(token)
    }
  }

  isDone(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** The keyword that comes next, which is then read; null if an expression does. */
  keyword(): Keyword | null {
    const found = KEYWORDS.find((word) => word === this.#tokens[this.#at])
    if (found === undefined) return null
    this.#at += 1
    return found
  }

  only(word: string): void {
    if (this.#tokens.length !== 1 || this.#tokens[0] !== word) throw this.#fail(`${word} stands alone`)
  }

  /** The name of a defined template, and nothing after it. */
  name(): string {
    const operand = this.whole()
    if (operand.kind === 'literal' && typeof operand.value === 'string') return operand.value
    throw this.#fail('define takes a name in quotes')
  }

  /** The variables of range, with `:=`. */
  variables(): string[] {
    const end = this.#tokens.indexOf(':=')
    if (end === -1) return []
    const found = this.#tokens.slice(this.#at, end)
    const names = found.filter((_, index) => index % 2 === 0)
    const commas = found.filter((_, index) => index % 2 === 1)
    if (
      !names.every((name) => /^\$[A-Za-z_]\w*$/.test(name)) ||
      names.length === 0 ||
      commas.some((comma) => comma !== ',') ||
      commas.length !== names.length - 1 ||
      names.length > 2
    )
      throw this.#fail('range takes one variable, or two with a comma')
    this.#at = end + 1
    return names
  }

  /** All that is left, as one expression. */
  whole(): Operand {
    const value = this.#pipeline(0)
    if (!this.isDone()) throw this.#fail(`"${this.#tokens[this.#at]}" is not expected here`)
    return value
  }

  #pipeline(depth: number): Operand {
    if (depth > DEPTH_MAX) throw this.#fail('parentheses are nested too deeply')
    let value = this.#command(depth, null)
    while (this.#tokens[this.#at] === '|') {
      this.#at += 1
      value = this.#command(depth, value)
    }
    return value
  }

  /** A call, or one operand. @param last What a pipe brings: it becomes the last input. */
  #command(depth: number, last: Operand | null): Operand {
    const first = this.#tokens[this.#at]
    if (first !== undefined && /^[A-Za-z]/.test(first) && first !== 'true' && first !== 'false') {
      if ([...KEYWORDS, ...WORDS_OUTSIDE].includes(first)) throw this.#fail(`${first} is not in the subset`)
      this.#at += 1
      const inputs: Operand[] = []
      while (!this.isDone() && !['|', ')'].includes(this.#tokens[this.#at]!))
        inputs.push(this.#operand(depth))
      if (last !== null) inputs.push(last)
      return { kind: 'call', name: first, inputs }
    }
    if (last !== null) throw this.#fail('a pipe leads to a function')
    return this.#operand(depth)
  }

  #operand(depth: number): Operand {
    const token = this.#tokens[this.#at]
    this.#at += 1
    if (token === undefined) throw this.#fail('a value is missing')
    if (token === '(') {
      const value = this.#pipeline(depth + 1)
      if (this.#tokens[this.#at] !== ')') throw this.#fail('a parenthesis is not closed')
      this.#at += 1
      return value
    }
    if (token.startsWith('"')) return { kind: 'literal', value: JSON.parse(token) as string }
    if (/^-?[0-9]/.test(token)) return { kind: 'literal', value: Number(token) }
    if (token === 'true' || token === 'false') return { kind: 'literal', value: token === 'true' }
    if (/^[$.]/.test(token)) {
      const [variable = '', ...path] = token.split('.')
      return {
        kind: 'path',
        variable: variable === '' ? null : variable,
        path: path.filter((name) => name !== ''),
      }
    }
    throw this.#fail(`"${token}" is not expected here`)
  }
}
