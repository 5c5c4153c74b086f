/**
 * Paragraphs, headings, lists, quotes, code and tables of a Markdown text, as far as descriptions of APIs and the pages of `docs` use
 * them. The reader is our own and small: it runs on each key that is pressed, over texts that anybody may have written. It is bounded:
 * a description has at most 20,000 characters, and quotes and lists are nested at most eight deep. What is longer or deeper is shown
 * as text.
 */
import { type HrefOf, type Inline, inlinesOf, safeHref } from './inlines.ts'

export type Block =
  | { readonly kind: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly kind: 'heading'; readonly level: number; readonly children: readonly Inline[] }
  | { readonly kind: 'code'; readonly text: string }
  /** A text that is shown as it is. */
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'rule' }
  | { readonly kind: 'quote'; readonly blocks: readonly Block[] }
  | {
      readonly kind: 'list'
      /** Number of the first item; null: items have no numbers. */
      readonly start: number | null
      /** Items have blank lines between them: their paragraphs stand apart. */
      readonly isLoose: boolean
      readonly items: readonly (readonly Block[])[]
    }
  | { readonly kind: 'table'; readonly head: readonly Cell[]; readonly rows: readonly (readonly Cell[])[] }

type Cell = readonly Inline[]

/** The server stores no longer descriptions, characters. A longer text is not read as Markdown. */
const TEXT_MAX = 20_000

/** How a text is read. */
export interface Reading {
  readonly charactersMax: number
  readonly hrefOf: HrefOf
}
const DESCRIPTION: Reading = { charactersMax: TEXT_MAX, hrefOf: safeHref }
const DEPTH_MAX = 8
const FENCE = /^( {0,3})(`{3,}|~{3,})([^`]*)$/
const HEADING = /^ {0,3}(#{1,6})(?: |$)/
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/
const QUOTE = /^ {0,3}> ?/
const ITEM = /^ {0,3}([-*+]|\d{1,9}[.)])(?: {1,4}|$)/
const UNDERLINE = /^ {0,3}(?:=+|-+) *$/
const INDENTED = /^ {4}/

/** A block, and the line after it. */
type Read = readonly [block: Block, next: number]

/** The blocks of a text. A text that is too long is one block of the kind `plain`. */
export function blocksOf(text: string, { charactersMax, hrefOf }: Reading = DESCRIPTION): readonly Block[] {
  if (text.length > charactersMax) return [{ kind: 'plain', text }]
  const lines = text.replaceAll(/\r\n?/g, '\n').replaceAll('\t', '    ').split('\n')
  return read(lines, { depth: 0, inlines: (content) => inlinesOf(content, hrefOf) })
}

/** Where in the nesting of blocks a line is, and how paragraphs are read. */
interface Context {
  readonly depth: number
  readonly inlines: (text: string) => readonly Inline[]
}
const within = ({ depth, inlines }: Context): Context => ({ depth: depth + 1, inlines })

/** True for a text that looks the same without being read as Markdown. */
export function isPlain(blocks: readonly Block[]): boolean {
  const [first] = blocks
  if (first === undefined) return true
  const isText = (one: Inline): boolean => one.kind === 'text' && !one.text.includes('\n')
  return blocks.length === 1 && first.kind === 'paragraph' && first.children.every(isText)
}

const isBlank = (line: string): boolean => line.trim() === ''

function read(lines: readonly string[], context: Context): readonly Block[] {
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    if (isBlank(lines[at]!)) {
      at++
      continue
    }
    const [block, next] = blockAt(lines, at, context)
    blocks.push(block)
    at = next
  }
  return blocks
}

function blockAt(lines: readonly string[], at: number, context: Context): Read {
  const line = lines[at]!
  if (INDENTED.test(line)) return indentedAt(lines, at)
  if (FENCE.test(line)) return fencedAt(lines, at)
  const [, hashes] = HEADING.exec(line) ?? []
  if (hashes !== undefined)
    return [{ kind: 'heading', level: hashes.length, children: context.inlines(headingText(line)) }, at + 1]
  if (RULE.test(line)) return [{ kind: 'rule' }, at + 1]
  if (context.depth < DEPTH_MAX && QUOTE.test(line)) return quoteAt(lines, at, context)
  if (context.depth < DEPTH_MAX && ITEM.test(line)) return listAt(lines, at, context)
  return tableAt(lines, at, context) ?? paragraphAt(lines, at, context)
}

/** The line ends a paragraph before it. */
function isStart(line: string): boolean {
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line)) return true
  const [whole, marker = ''] = ITEM.exec(line) ?? []
  // A number at the start of a line is usually part of the sentence
  return (
    whole !== undefined && whole.length < line.length && (!/\d/.test(marker) || parseInt(marker, 10) === 1)
  )
}

function headingText(line: string): string {
  const text = line.trim().replace(/^#+/, '').trim()
  let end = text.length
  while (text[end - 1] === '#') end--
  return end === 0 ? '' : text[end - 1] === ' ' ? text.slice(0, end).trimEnd() : text
}

function indentedAt(lines: readonly string[], from: number): Read {
  let end = from
  for (let at = from; at < lines.length && (INDENTED.test(lines[at]!) || isBlank(lines[at]!)); at++)
    if (!isBlank(lines[at]!)) end = at + 1
  const text = lines.slice(from, end).map((line) => line.slice(4))
  return [{ kind: 'code', text: text.join('\n') }, end]
}

function fencedAt(lines: readonly string[], from: number): Read {
  const [, indent = '', fence = ''] = FENCE.exec(lines[from]!) ?? []
  const isEnd = (line: string): boolean => {
    const text = line.trim()
    return text.length >= fence.length && text === fence[0]!.repeat(text.length)
  }
  let end = from + 1
  while (end < lines.length && !isEnd(lines[end]!)) end++
  const text = lines
    .slice(from + 1, end)
    .map((line) => line.slice(Math.min(indent.length, line.length - line.trimStart().length)))
  return [{ kind: 'code', text: text.join('\n') }, end + 1]
}

function quoteAt(lines: readonly string[], from: number, context: Context): Read {
  const inner: string[] = []
  let at = from
  for (; at < lines.length; at++) {
    const line = lines[at]!
    if (QUOTE.test(line)) inner.push(line.replace(QUOTE, ''))
    // The paragraph of a quote may go on without its sign
    else if (isBlank(line) || isBlank(inner.at(-1)!) || isStart(line)) break
    else inner.push(line)
  }
  return [{ kind: 'quote', blocks: read(inner, within(context)) }, at]
}

function listAt(lines: readonly string[], from: number, context: Context): Read {
  const signOf = (marker: string): string => marker.at(-1)!
  const first = ITEM.exec(lines[from]!)![1]!
  const items: (readonly Block[])[] = []
  let isLoose = false
  let at = from
  while (at < lines.length) {
    const [whole, marker] = ITEM.exec(lines[at]!) ?? []
    if (whole === undefined || signOf(marker!) !== signOf(first) || RULE.test(lines[at]!)) break
    const [item, next] = itemAt(lines, at, whole.length + (whole.endsWith(' ') ? 0 : 1))
    const isLast = next >= lines.length || !ITEM.test(lines[next]!)
    const end = item.findLastIndex((line) => !isBlank(line)) + 1
    if (item.slice(0, isLast ? end : item.length).some(isBlank) && end > 0) isLoose = true
    items.push(read(item.slice(0, end), within(context)))
    at = next
  }
  const start = /\d/.test(first) ? parseInt(first, 10) : null
  return [{ kind: 'list', start, isLoose, items }, at]
}

/** The lines of an item without their indent, and the line after them. */
function itemAt(
  lines: readonly string[],
  from: number,
  indent: number,
): readonly [lines: readonly string[], next: number] {
  const item = [lines[from]!.slice(indent)]
  let at = from + 1
  for (; at < lines.length; at++) {
    const line = lines[at]!
    if (isBlank(line)) item.push('')
    else if (line.length - line.trimStart().length >= indent) item.push(line.slice(indent))
    else if (isBlank(item.at(-1)!) || isStart(line) || ITEM.test(line)) break
    else item.push(line.trimStart())
  }
  return [item, at]
}

function tableAt(lines: readonly string[], from: number, { inlines }: Context): Read | null {
  const line = lines[from]!
  const ruler = lines[from + 1] ?? ''
  if (!line.includes('|') || !ruler.includes('-') || !/^[ :|-]+$/.test(ruler)) return null
  const head = cellsOf(line)
  const marks = cellsOf(ruler)
  if (marks.length !== head.length || !marks.every((mark) => /^:?-+:?$/.test(mark))) return null
  let end = from + 2
  while (end < lines.length && !isBlank(lines[end]!) && !isStart(lines[end]!)) end++
  // Cells that a row leaves out are not made: a table has no more cells than its text has characters
  const rows = lines.slice(from + 2, end).map((row) => cellsOf(row).slice(0, head.length).map(inlines))
  return [{ kind: 'table', head: head.map(inlines), rows }, end]
}

function cellsOf(line: string): readonly string[] {
  const cells = line.trim().replace(/^\|/, '').split('|')
  const joined: string[] = []
  for (const cell of cells) {
    const last = joined.at(-1)
    // `\|` is a character of its cell
    if (last?.endsWith('\\')) joined[joined.length - 1] = `${last.slice(0, -1)}|${cell}`
    else joined.push(cell)
  }
  if (joined.length > 1 && isBlank(joined.at(-1)!)) joined.pop()
  return joined.map((cell) => cell.trim())
}

function paragraphAt(lines: readonly string[], from: number, context: Context): Read {
  let end = from + 1
  while (end < lines.length && !isBlank(lines[end]!)) {
    const line = lines[end]!
    if (UNDERLINE.test(line)) {
      const level = line.includes('=') ? 1 : 2
      return [{ kind: 'heading', level, children: context.inlines(textOf(lines.slice(from, end))) }, end + 1]
    }
    if (isStart(line)) break
    end++
  }
  return [{ kind: 'paragraph', children: context.inlines(textOf(lines.slice(from, end))) }, end]
}

/** Two spaces at the end of a line break it; those of the last line say nothing. */
function textOf(lines: readonly string[]): string {
  return lines
    .map((line) => line.trimStart())
    .join('\n')
    .trimEnd()
}
