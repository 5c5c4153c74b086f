import {
  CST,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  parseAllDocuments,
  parseDocument,
  type ScalarTag,
  type Tags,
} from 'yaml'
import { type Plain, pointerTo, toStorable } from '../../base/json/storable.ts'
import { lineOf } from './json.ts'
import { broken, createBounds, storable } from './plain-data.ts'

/** Values that aliases may add in all; more is a bomb, not a description. */
const ALIASED_MAX = 100_000
/** Open brackets, or dashes in one line; above the depth that is accepted, so that a pointer can be told. */
const NESTING_MAX = 500

/**
 * Reads YAML 1.2 (core schema) as JSON data. Refused: tags beside those of the core schema, members that stand twice, keys that
 * are no scalars, numbers that JSON does not have, more than one document. Anchors and `<<` merges work within bounds.
 */
export function readYaml(text: string): unknown {
  const [document] = parsed(text, (source, options) => [parseDocument(source, options)])
  return toData(text, document!, { count: 0 })
}

/** As {@link readYaml}, for a text of any number of documents; the bounds hold over all of them. */
export function readYamlStream(text: string): unknown[] {
  const documents = parsed(text, (source, options) => [...parseAllDocuments(source, options)])
  const aliased = { count: 0 }
  // Without any document it is an empty list, too
  return documents.map((document) => toData(text, document, aliased))
}

/** `!!float 3`: the core schema of the library knows the tag for texts with a dot alone. */
const FLOAT: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  resolve: (text, onError) => {
    if (/^[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?$/i.test(text)) return Number(text)
    onError('not a number')
    return text
  },
}

const OPTIONS = {
  version: '1.2',
  schema: 'core',
  customTags: (tags: Tags): Tags => [...tags, FLOAT],
  resolveKnownTags: false,
  uniqueKeys: false, // Checked below in linear time; the library compares every pair of keys.
  prettyErrors: false, // Prepared for each of a hundred thousand errors, it takes minutes.
} as const

type Parsed = Pick<ReturnType<typeof parseDocument>, 'errors' | 'warnings' | 'contents'>

function parsed(text: string, parse: (source: string, options: typeof OPTIONS) => Parsed[]): Parsed[] {
  refuseNesting(text)
  try {
    const documents = parse(text, OPTIONS)
    if (!documents.some(({ errors }) => errors[0]?.code === 'MISSING_CHAR')) return documents
    const mended = withIndentedQuotes(text)
    const again = mended === null ? documents : parse(mended, OPTIONS)
    return again.every(({ errors }) => errors.length === 0) ? again : documents
  } catch (error) {
    throw broken('', `not YAML: ${error instanceof RangeError ? 'nested too deep' : 'it cannot be parsed'}`)
  }
}

/** Quoted texts that are indented in one document; each costs one more pass over it. */
const MENDED_MAX = 100
/** Characters of a short text that those passes read together: it is read on the thread that the rest of the program runs on. */
const MENDING_CHARS_MAX = 80_000
/** Longer texts are read in threads apart. */
const SHORT_CHARS = 8192
/** Indentation that is written before a line. */
const INDENT_MAX = 200

/**
 * The text with the lines of quoted scalars indented below their key, as YAML 1.2 section 7.3 asks, and widespread parsers do not:
 * line folding drops that space, so each scalar keeps its value and its line. Null if there is none to mend.
 */
function withIndentedQuotes(text: string): string | null {
  let mended = text
  const rounds =
    text.length > SHORT_CHARS ? MENDED_MAX : Math.min(MENDED_MAX, MENDING_CHARS_MAX / (text.length + 1))
  for (let count = 0; count < rounds; count++) {
    const next = withNextIndented(mended)
    if (next === null) return count === 0 ? null : mended
    mended = next
  }
  return mended
}

/** Indents the first quoted scalar that the lexer ends at a line with too little indentation. */
function withNextIndented(text: string): string | null {
  let start = 0
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token)
    if (type === 'doc-mode' || type === 'flow-error-end' || type === 'scalar') continue // marks of the lexer, not in the text
    if (type === 'double-quoted-scalar' || type === 'single-quoted-scalar') {
      const end = endOfQuoted(text, start)
      const indent = start - text.lastIndexOf('\n', start - 1)
      if (end > start + token.length && indent <= INDENT_MAX)
        return (
          text.slice(0, start) +
          text.slice(start, end).replaceAll(/\n(?=[^\r\n])/g, `\n${' '.repeat(indent)}`) +
          text.slice(end)
        )
    }
    start += token.length
  }
  return null
}

/** Index after the closing quote of the scalar that starts here, or 0 without one. */
function endOfQuoted(text: string, start: number): number {
  const quote = text[start]!
  const isEscape = (at: number): boolean =>
    quote === '"' ? text[at] === '\\' : text[at] === quote && text[at + 1] === quote
  for (let at = start + 1; at < text.length; at++) {
    if (isEscape(at)) at++
    else if (text[at] === quote) return at + 1
  }
  return 0
}

function toData(text: string, { errors, warnings, contents }: Parsed, aliased: Aliased): unknown {
  const fault = errors[0] ?? warnings[0]
  if (fault !== undefined)
    throw broken('', `not usable YAML: ${firstLine(fault.message)}, ${lineOf(text, fault.pos[0])}`)
  return createConverter(aliased)(contents)
}

function firstLine(message: string): string {
  if (message.startsWith('Maximum call stack')) return 'nested too deep'
  return (message.split(/[\n;]/)[0] ?? message).replace(/:$/, '').slice(0, 200)
}

/**
 * Refuses what opens far more levels than are read, before the parser spends seconds and its stack on them. Counts
 * what the lexer takes for structure, so brackets inside of texts do not matter.
 */
function refuseNesting(text: string): void {
  let flow = 0
  let inline = 0
  for (const token of new Lexer().lex(text)) {
    switch (CST.tokenType(token)) {
      case 'flow-map-start':
      case 'flow-seq-start':
        flow++
        break
      case 'flow-map-end':
      case 'flow-seq-end':
        flow--
        break
      case 'seq-item-ind':
      case 'explicit-key-ind':
      case 'map-value-ind':
        if (flow <= 0) inline++
        break
      case 'newline':
        inline = 0
    }
    if (flow > NESTING_MAX || inline > NESTING_MAX)
      throw broken('', `nested more than ${NESTING_MAX} levels deep`)
  }
}

/** Values that aliases have added so far. */
interface Aliased {
  count: number
}

function createConverter(total: Aliased): (node: unknown) => unknown {
  const count = createBounds()
  const anchors = new Map<string, unknown>()
  const expanding = new Set<unknown>()

  const convert = (node: unknown, pointer: string, depth: number): unknown => {
    count(depth, pointer)
    if (expanding.size > 0 && ++total.count > ALIASED_MAX)
      throw broken(pointer, `aliases expand to more than ${ALIASED_MAX} values`)
    if (node === null || node === undefined) return null
    if (isAlias(node)) return convertAlias(node.source, pointer, depth)
    if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined)
      anchors.set(node.anchor, node)
    if (isScalar(node)) return convertScalar(node.value, pointer)
    if (isSeq(node))
      return node.items.map((item, index) => convert(item, pointerTo(pointer, index), depth + 1))
    if (isMap(node)) return convertMap(node.items, pointer, depth)
    throw broken(pointer, 'not a JSON value')
  }

  const convertAlias = (name: string, pointer: string, depth: number): unknown => {
    const target = anchors.get(name)
    if (target === undefined) throw broken(pointer, `alias *${name.slice(0, 60)} has no anchor before it`)
    if (expanding.has(target)) throw broken(pointer, `alias *${name.slice(0, 60)} contains itself`)
    expanding.add(target)
    const value = convert(target, pointer, depth)
    expanding.delete(target)
    return value
  }

  const convertMap = (items: readonly unknown[], pointer: string, depth: number): Plain => {
    const result: Plain = {}
    const merged: Plain = {}
    for (const pair of items) {
      if (!isPair(pair) || !isScalar(pair.key)) throw broken(pointer, 'a key that is no plain text')
      if (pair.key.anchor !== undefined) anchors.set(pair.key.anchor, pair.key)
      // `200:` is the text 200, as JSON would have it.
      const key =
        typeof pair.key.value === 'string' ? pair.key.value : (pair.key.source ?? String(pair.key.value))
      const place = pointerTo(pointer, toStorable(key))
      storable(key, place)
      const value = convert(pair.value, place, depth + 1)
      if (key === '__proto__') continue
      if (key === '<<' && pair.key.type === 'PLAIN') Object.assign(merged, ...mergeList(value, place))
      else if (Object.hasOwn(result, key)) throw broken(place, 'this member occurs twice')
      else result[key] = value
    }
    return { ...merged, ...result }
  }

  return (node) => convert(node, '', 0)
}

/** Mappings to merge, later ones first to lose, as `<<` has it: the earliest of a list wins. */
function mergeList(value: unknown, pointer: string): Plain[] {
  const list = Array.isArray(value) ? [...value].reverse() : [value]
  return list.map((item) => {
    if (item === null || typeof item !== 'object' || Array.isArray(item))
      throw broken(pointer, '<< takes a mapping or a list of mappings')
    return item as Plain // Converted above, so an object is a plain one.
  })
}

function convertScalar(value: unknown, pointer: string): unknown {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return storable(value, pointer)
  if (typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw broken(pointer, 'a number that JSON does not have')
}
