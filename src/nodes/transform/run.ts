import { createRequire } from 'node:module'
import { linkTemplate, type Template } from '../../base/expression/template.ts'
import { parseWithLongTexts } from '../../base/json/exact.ts'
import { isDeep, isPlain, type Plain, scalarText } from '../../base/json/storable.ts'
import { type Execute, NodeFailure, type NodeRun } from '../run.ts'

/** Items that `map` takes. */
const ITEMS_MAX = 1000

/** Settings as the definition has parsed them. */
type Config =
  | { readonly op: 'rename'; readonly names: Readonly<Record<string, string>> }
  | { readonly op: 'pick'; readonly names: readonly string[] }
  | { readonly op: 'map'; readonly item: Template }
  | ({ readonly op: 'convert'; readonly from: Format; readonly to: Format } & Csv)

interface Csv {
  readonly header: boolean
  readonly separator: string
}

export const transformRun: NodeRun = {
  name: 'transform_node',
  inTrial: 'runs',
  link(settings) {
    // The definition has parsed the settings
    const config = settings as unknown as Config
    switch (config.op) {
      case 'rename': {
        const names = new Map(Object.entries(config.names))
        return ofObjects((value) =>
          Object.fromEntries(Object.entries(value).map(([name, item]) => [names.get(name) ?? name, item])),
        )
      }
      case 'pick': {
        const names = new Set(config.names)
        return ofObjects((value) =>
          Object.fromEntries(Object.entries(value).filter(([name]) => names.has(name))),
        )
      }
      case 'map':
        return mapOf(config.item)
      default:
        return ({ value }) => ({
          handle: 'default',
          outputs: {
            value: written(config.to, readAs(config.from, value, config), config),
            content_type: MEDIA_TYPES[config.to],
          },
        })
    }
  },
}

/** An object, or each object of a list. */
function ofObjects(change: (value: Plain) => Plain): Execute {
  const changed = (value: unknown): Plain => {
    if (!isPlain(value)) throw new NodeFailure('value', 'value is neither an object nor a list of objects')
    return change(value)
  }
  return ({ value }) => ({
    handle: 'default',
    outputs: { value: Array.isArray(value) ? value.map(changed) : changed(value) },
  })
}

function mapOf(template: Template): Execute {
  const { fill } = linkTemplate(template, ['item'])
  return ({ value }, { ambient }) => {
    if (!Array.isArray(value)) throw new NodeFailure('value', 'value is no list')
    if (value.length > ITEMS_MAX) throw new NodeFailure('value', `value has more than ${ITEMS_MAX} items`)
    return { handle: 'default', outputs: { value: value.map((item: unknown) => fill({ item }, ambient)) } }
  }
}

/** @throws NodeFailure for what is no text of the format */
function readAs(format: Format, value: unknown, { header, separator }: Csv): unknown {
  // A body of JSON has been read already
  if (format === 'json' && typeof value !== 'string') return value ?? null
  if (typeof value !== 'string') throw new NodeFailure('value', `value is no text in the format ${format}`)
  if (value.length > CHARS_MAX) throw new NodeFailure('value', `value has more than ${CHARS_MAX} characters`)
  switch (format) {
    case 'xml':
      return readXml(value)
    case 'csv':
      return readCsv(value, { header, separator })
    case 'form':
      return readForm(value)
    default:
      return readJson(value)
  }
}

/** @throws NodeFailure for what is no JSON, or is nested so deeply that a later node could not write it */
function readJson(text: string): unknown {
  let value: unknown
  try {
    value = parseWithLongTexts(text)
  } catch {
    throw new NodeFailure('value', 'value is no JSON')
  }
  if (isDeep(value, DEPTH_MAX))
    throw new NodeFailure('value', `value has more than ${DEPTH_MAX} levels of objects and lists`)
  return value
}

/** JSON stays a value: bodies are written as JSON anyway. @throws NodeFailure for what the format cannot hold */
function written(format: Format, value: unknown, { header, separator }: Csv): unknown {
  if (format === 'json') return value
  const text =
    format === 'xml'
      ? writeXml(value)
      : format === 'csv'
        ? writeCsv(value, { header, separator })
        : writeForm(value)
  if (text.length > CHARS_MAX)
    throw new NodeFailure('value', `the text has more than ${CHARS_MAX} characters`)
  return text
}

// `application/x-www-form-urlencoded`.

const FIELDS_MAX = 10_000

/** Texts by name; a name that repeats has a list. */
export function readForm(text: string): Plain {
  const found = new Map<string, string | string[]>()
  let count = 0
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > FIELDS_MAX) throw new NodeFailure('form', `the form has more than ${FIELDS_MAX} fields`)
    const before = found.get(name)
    if (before === undefined) found.set(name, value)
    else if (typeof before === 'string') found.set(name, [before, value])
    else before.push(value)
  }
  return Object.fromEntries(found)
}

/** Null leaves a field out; a list is a field for each item. @throws NodeFailure */
export function writeForm(value: unknown): string {
  if (!isPlain(value)) throw new NodeFailure('form', 'a form is made of an object')
  const fields = new URLSearchParams()
  for (const [name, given] of Object.entries(value))
    for (const item of [given].flat()) {
      if (item === null || item === undefined) continue
      const text = scalarText(item)
      if (text === undefined)
        throw new NodeFailure('form', `the field "${name}" is neither text nor a number`)
      fields.append(name, text)
    }
  return fields.toString()
}

// Comma-separated values (RFC 4180). Lines end in CRLF or LF.

const CELLS_MAX = 200_000

/** How lines are read and written. */
interface CsvForm {
  /** The first line has the names of members; otherwise each line is a list. */
  readonly header: boolean
  readonly separator: string
}

/** Each line as an object, or as a list. All values are text. @throws NodeFailure for what is no CSV, with its line */
export function readCsv(
  text: string,
  { header, separator }: CsvForm,
): readonly (Plain | readonly string[])[] {
  const lines = linesOf(text.startsWith('\ufeff') ? text.slice(1) : text, separator)
  if (!header) return lines
  const [names, ...rows] = lines
  if (names === undefined) return []
  if (new Set(names).size < names.length) throw new NodeFailure('csv', 'two columns have the same name')
  return rows.map((row, at) => {
    if (row.length !== names.length)
      throw new NodeFailure('csv', `row ${at + 1} has ${row.length} fields, and the header ${names.length}`)
    return Object.fromEntries(row.map((field, column) => [names[column]!, field]))
  })
}

function linesOf(text: string, separator: string): string[][] {
  const lines: string[][] = []
  let line: string[] = []
  let cells = 0
  let at = 0
  while (at < text.length || line.length > 0) {
    const field = text[at] === '"' ? quoted(text, at, lines.length) : bare(text, at, separator, lines.length)
    line.push(field.value)
    if (++cells > CELLS_MAX) throw new NodeFailure('csv', `there are more than ${CELLS_MAX} fields`)
    at = field.end
    if (text[at] === separator) {
      at++
      continue
    }
    if (at < text.length) {
      if (text.startsWith('\r\n', at)) at += 2
      else if (text[at] === '\n') at++
      else throw new NodeFailure('csv', `row ${lines.length + 1} goes on after a closing quote`)
    }
    lines.push(line)
    line = []
  }
  return lines
}

interface Field {
  readonly value: string
  readonly end: number
}

/** A field in quotes; a quote in it is written twice. */
function quoted(text: string, start: number, row: number): Field {
  let end = start + 1
  for (;;) {
    end = text.indexOf('"', end)
    if (end === -1) throw new NodeFailure('csv', `row ${row + 1} has a quote that is not closed`)
    if (text[end + 1] !== '"') break
    end += 2
  }
  return { value: text.slice(start + 1, end).replaceAll('""', '"'), end: end + 1 }
}

function bare(text: string, start: number, separator: string, row: number): Field {
  let end = start
  for (; end < text.length; end++) {
    const char = text[end]
    if (char === separator || char === '\n' || (char === '\r' && text[end + 1] === '\n')) break
    if (char === '"') throw new NodeFailure('csv', `row ${row + 1} has a quote within a field`)
  }
  return { value: text.slice(start, end), end }
}

/** Objects have a header of all their names; what an object has not is empty. @throws NodeFailure */
export function writeCsv(value: unknown, { header, separator }: CsvForm): string {
  if (!Array.isArray(value)) throw new NodeFailure('csv', 'CSV is made of a list of objects, or of lists')
  const rows: readonly unknown[] = value
  const names = new Set<string>()
  for (const row of rows) if (isPlain(row)) for (const name of Object.keys(row)) names.add(name)
  if (names.size * rows.length > CELLS_MAX)
    throw new NodeFailure('csv', `there are more than ${CELLS_MAX} fields`)
  const columns = [...names]
  const lines = rows.map((row) => {
    if (Array.isArray(row)) return row
    if (!isPlain(row)) throw new NodeFailure('csv', 'a row is neither an object nor a list')
    return columns.map((name) => (Object.hasOwn(row, name) ? row[name] : null))
  })
  if (header && columns.length > 0) lines.unshift(columns)
  return lines
    .map((line) => `${line.map((field) => toField(field, separator, line.length)).join(separator)}\r\n`)
    .join('')
}

function toField(value: unknown, separator: string, fields: number): string {
  const text = value === null || value === undefined ? '' : scalarText(value)
  if (text === undefined) throw new NodeFailure('csv', 'a field is an object or a list')
  // A line with one empty field would be no line
  const isQuoted =
    text.includes('"') ||
    text.includes(separator) ||
    /[\r\n]/.test(text) ||
    (text === '' && fields === 1) ||
    text.startsWith('\ufeff')
  return isQuoted ? `"${text.replaceAll('"', '""')}"` : text
}

// XML as JSON and back:
//
// 1. An element without attributes and child elements is its text. Any other element is an object: attributes are members whose
//    names start with `@`, its text is `#text`, child elements are members by name, and a name that repeats has a list.
// 2. A document is an object with one member, its root element.
// 3. Spaces around child elements, comments, processing instructions and the order of elements with different names are not kept.
// 4. A document type is refused: there are no entities but those of XML itself, and nothing is fetched.

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

export const FORMATS = ['json', 'xml', 'csv', 'form'] as const
type Format = (typeof FORMATS)[number]

/** Media types of texts in each format. */
const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  json: 'application/json',
  xml: 'application/xml',
  csv: 'text/csv; charset=utf-8',
  form: 'application/x-www-form-urlencoded',
}

/** Characters of a text that is read or written. */
const CHARS_MAX = 1024 * 1024
/** Levels of elements, objects and lists. */
const DEPTH_MAX = 100
