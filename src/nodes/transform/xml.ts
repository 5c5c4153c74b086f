/**
 * XML as JSON and back:
 *
 * 1. An element without attributes and child elements is its text. Any other element is an object: attributes are members whose
 *    names start with `@`, its text is `#text`, child elements are members by name, and a name that repeats has a list.
 * 2. A document is an object with one member, its root element.
 * 3. Spaces around child elements, comments, processing instructions and the order of elements with different names are not kept.
 * 4. A document type is refused: there are no entities but those of XML itself, and nothing is fetched.
 */
import { createRequire } from 'node:module'
import { isPlain, type Plain, scalarText } from '../../base/json/plain.ts'
import { NodeFailure } from '../run.ts'
import { CHARS_MAX, DEPTH_MAX } from './formats.ts'

/** Elements, attributes and references of a document. */
const PARTS_MAX = 20_000
/** XML 1.0 section 2.3, within the basic plane and without names that start with a colon. */
const NAME =
  /^[A-Za-z_\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{2ff}\u{370}-\u{37d}\u{37f}-\u{1fff}][\w.\-:\u{b7}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{37d}\u{37f}-\u{1fff}]*$/u
/** XML 1.0 section 2.2: what no document can hold, not even escaped. */
const NO_CHARACTER = /[\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}\u{d800}-\u{dfff}]/u
const TEXT = '#text'

interface Element {
  readonly type: string
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly (Element | { readonly type: string; readonly text: string })[]
}

type Parser = typeof import('@rgrove/parse-xml')
let parser: Parser | null = null

/** Loaded by the first document: most gateways read none. */
function loaded(): Parser {
  parser ??= createRequire(import.meta.url)('@rgrove/parse-xml') as Parser
  return parser
}

/** @throws NodeFailure for what is no document within the bounds. Its message has no text of the document. */
export function readXml(text: string): Plain {
  let parts = 0
  for (const char of ['<', '&', '='])
    for (let at = text.indexOf(char); at !== -1; at = text.indexOf(char, at + 1))
      if (++parts > PARTS_MAX) throw new NodeFailure('xml', `the document has more than ${PARTS_MAX} parts`)
  if (/<!DOCTYPE/i.test(text)) throw new NodeFailure('xml', 'a document type (DOCTYPE) is not allowed')
  let root: Element | null
  try {
    // Line ends as XML 1.0 section 2.11 has them; the library takes long for many of them
    root = loaded().parseXml(text.replaceAll(/\r\n?/g, '\n')).root as Element | null
  } catch (error) {
    if (error instanceof RangeError) throw new NodeFailure('xml', `more than ${DEPTH_MAX} levels of elements`)
    const { line, column } = error as { readonly line?: unknown; readonly column?: unknown }
    if (typeof line !== 'number') throw error
    throw new NodeFailure('xml', `value is no XML: line ${line}, column ${String(column)}`)
  }
  if (root === null) throw new NodeFailure('xml', 'the document has no element')
  return Object.fromEntries([[root.name, valueOfElement(root, 1)]])
}

function valueOfElement({ attributes, children }: Element, depth: number): unknown {
  if (depth > DEPTH_MAX) throw new NodeFailure('xml', `more than ${DEPTH_MAX} levels of elements`)
  const members = new Map<string, unknown>(
    Object.entries(attributes).map(([name, value]) => [`@${name}`, value]),
  )
  const lists = new Set<string>()
  let text = ''
  let hasElements = false
  for (const child of children) {
    if (child.type === 'text' || child.type === 'cdata') text += (child as { readonly text: string }).text
    if (child.type !== 'element') continue
    hasElements = true
    const { name } = child as Element
    const value = valueOfElement(child as Element, depth + 1)
    if (lists.has(name)) (members.get(name) as unknown[]).push(value)
    else if (members.has(name)) {
      members.set(name, [members.get(name), value])
      lists.add(name)
    } else members.set(name, value)
  }
  if (members.size === 0) return text
  if (hasElements ? text.trim() !== '' : text !== '') members.set(TEXT, hasElements ? text.trim() : text)
  return Object.fromEntries(members)
}

/** @throws NodeFailure for a value that has no document */
export function writeXml(value: unknown): string {
  const [root, ...others] = isPlain(value) ? Object.entries(value) : []
  if (root === undefined || others.length > 0 || Array.isArray(root[1]))
    throw new NodeFailure('xml', 'XML is made of an object with one member, the root element')
  const out = { text: '<?xml version="1.0" encoding="UTF-8"?>\n' }
  writeElement(out, root[0], root[1], 1)
  return out.text
}

function writeElement(out: { text: string }, name: string, value: unknown, depth: number): void {
  if (!NAME.test(name)) throw new NodeFailure('xml', 'the name of a member is no name of XML')
  if (depth > DEPTH_MAX) throw new NodeFailure('xml', `more than ${DEPTH_MAX} levels of elements`)
  if (out.text.length > CHARS_MAX)
    throw new NodeFailure('xml', `the text has more than ${CHARS_MAX} characters`)
  if (!isPlain(value)) {
    out.text += `<${name}>${escaped(value)}</${name}>`
    return
  }
  out.text += `<${name}`
  for (const [member, given] of Object.entries(value)) {
    if (!member.startsWith('@')) continue
    if (!NAME.test(member.slice(1)))
      throw new NodeFailure('xml', 'the name of an attribute is no name of XML')
    out.text += ` ${member.slice(1)}="${escaped(given)}"`
  }
  out.text += '>'
  if (Object.hasOwn(value, TEXT)) out.text += escaped(value[TEXT])
  for (const [member, given] of Object.entries(value)) {
    if (member === TEXT || member.startsWith('@')) continue
    for (const item of Array.isArray(given) ? (given as unknown[]) : [given]) {
      if (Array.isArray(item)) throw new NodeFailure('xml', 'a list is no item of a list')
      writeElement(out, member, item, depth + 1)
    }
  }
  out.text += `</${name}>`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
  '\n': '&#10;',
  '\t': '&#9;',
}

/** Null is empty. */
function escaped(value: unknown): string {
  const text = value === null || value === undefined ? '' : scalarText(value)
  if (text === undefined) throw new NodeFailure('xml', 'an attribute or a text is an object or a list')
  if (NO_CHARACTER.test(text)) throw new NodeFailure('xml', 'a text has a character that XML cannot hold')
  return text.replaceAll(/[&<>"\r\n\t]/g, (char) => ESCAPES[char]!)
}
