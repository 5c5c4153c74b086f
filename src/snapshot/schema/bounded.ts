import { isPlain, type Plain } from '../../base/plain.ts'
import type { JsonSchema } from '../../model/proxy.ts'
import { LIST, MAP, ONE } from '../../model/schema-keywords.ts'
import {
  bytesOf,
  type Chain,
  type Followed,
  follow,
  gistOf,
  isComposite,
  keywordsOf,
  shorten,
} from './parts.ts'

/** Deeper than this nothing is expanded: readers lose the thread. */
const DEPTH_MAX = 12
/** Structure comes first, but must leave room for the descriptions of what is on top. */
const STRUCTURE_SHARE = 0.6
/** Longest description by depth; deeper ones take the last. */
const DESCRIPTION_MAX = [1000, 300, 160]
/** Room for the sentence that says how much is left out. */
const NOTE_BYTES = 48
const DESCRIPTION_KEY_BYTES = bytesOf('description') + 2

/** A schema in the result: at first a stub, then its keywords with stubs for its parts. */
interface Node {
  /** The object in the result, changed in place. */
  readonly shown: Plain
  readonly source: Followed
  readonly depth: number
  grown: boolean
  note: string
}

type DefinitionOf = (name: string) => unknown

/**
 * A schema that stands for itself and that a model can read: references are put in place, breadth first, while the
 * result stays within `bytesMax` bytes of JSON. What is circular, too deep or over the budget stays a stub with
 * type, title and required names that says what it is; long texts are shortened. Required properties come before
 * others when not all fit. Same input, same result; odd input gives a poor schema, never an exception.
 *
 * @param defs what `#/$defs/<name>` points into, besides the `$defs` of the schema itself
 * @param bytesMax at least 2; below some 200 bytes little more than the type is left
 */
export function boundedSchema(
  schema: JsonSchema,
  defs: Readonly<Record<string, unknown>>,
  bytesMax: number,
): JsonSchema {
  if (!isPlain(schema)) return typeof schema === 'boolean' && bytesMax >= 5 ? schema : {}
  const definitionOf = definitionsOf(schema, defs)
  const root = toNode(follow(schema, null, definitionOf), 0)
  if (bytesOf(root.shown) > bytesMax) return smallest(root.shown, bytesMax)

  const nodes: Node[] = [root]
  let left = bytesMax - bytesOf(root.shown)
  const growAll = (reserve: number, partly: boolean): void => {
    for (const node of nodes) {
      if (node.grown || node.source.circular || node.depth > DEPTH_MAX) continue
      const before = bytesOf(node.shown)
      const parts = grow(node, definitionOf, left - reserve + before, partly || node === root)
      if (parts === null) continue
      left -= bytesOf(node.shown) - before
      nodes.push(...parts)
    }
  }
  growAll(Math.floor(bytesMax * (1 - STRUCTURE_SHARE)), false)
  for (const node of nodes) left -= describe(node, left)
  growAll(0, false)
  growAll(0, true)
  return root.shown as JsonSchema // Built from parts of JSON schemas.
}

/** Definitions inside the schema itself, as hand-written ones have them, then the shared ones. */
function definitionsOf(schema: Plain, defs: Readonly<Record<string, unknown>>): DefinitionOf {
  const places: unknown[] = [schema['$defs'], schema['definitions'], defs]
  return (name) => {
    for (const place of places) if (isPlain(place) && Object.hasOwn(place, name)) return place[name]
    return undefined
  }
}

function toNode(source: Followed, depth: number): Node {
  const shown = gistOf(source.schema)
  const composite = isComposite(source.schema)
  let note = ''
  if (source.circular) note = `${shorten(source.name ?? '', 80)}, which contains itself; see above.`
  else if (composite)
    note = source.name === null ? 'Not expanded.' : `${shorten(source.name, 80)}, not expanded.`
  if (note !== '') shown['description'] = note
  return { shown, source, depth, grown: false, note }
}

/**
 * Replaces the stub by the schema's keywords and stubs of its parts, in at most `bytesMax` bytes. Gives the new
 * nodes, or null when it does not fit, completely or (if `partly`) at all.
 */
function grow(node: Node, definitionOf: DefinitionOf, bytesMax: number, partly: boolean): Node[] | null {
  const { schema, chain } = node.source
  const { keywords, note } = keywordsOf(schema)
  const notes = [note]
  const described = node.grown ? undefined : descriptionBeyondNote(node)
  if (described !== undefined) keywords['description'] = described
  let left = bytesMax - bytesOf(keywords) - DESCRIPTION_KEY_BYTES - NOTE_BYTES - note.length
  if (left < 0) return null
  const nodes: Node[] = []

  const parts = (entries: readonly (readonly [string, unknown])[], keyBytes: (key: string) => number) => {
    const shown: [string, unknown][] = []
    for (const [key, value] of entries) {
      const part = toPart(value, chain, node.depth + 1, definitionOf)
      const cost = bytesOf(part.shown) + keyBytes(key)
      if (cost > left) break
      left -= cost
      shown.push([key, part.shown])
      if (part.node !== null) nodes.push(part.node)
    }
    return shown
  }

  let omitted = 0
  for (const { keyword, entries, keyed } of partsOf(schema)) {
    left -= bytesOf(keyword) + 4
    const shown = parts(entries, (key) => (keyed ? bytesOf(key) + 2 : 1))
    omitted += entries.length - shown.length
    if (shown.length === 0) continue
    if (keyed) keywords[keyword] = inOrder(shown, schema[keyword])
    else if (Array.isArray(schema[keyword])) keywords[keyword] = shown.map(([, value]) => value)
    else keywords[keyword] = shown[0]![1]
  }
  if (omitted > 0 && (!partly || nodes.length === 0)) return null
  if (omitted > 0) notes.push(`${omitted} more parts are not shown.`)

  node.grown = true
  node.note = notes.filter((text) => text !== '').join(' ')
  for (const key of Object.keys(node.shown)) delete node.shown[key]
  const description = [node.note, keywords['description']].filter((text) => text !== undefined && text !== '')
  Object.assign(node.shown, keywords)
  if (description.length > 0) node.shown['description'] = description.join(' ')
  return nodes
}

/** What {@link describe} added to the note of a stub, to keep when it grows later. */
function descriptionBeyondNote({ shown, note }: Node): string | undefined {
  const description = shown['description']
  if (typeof description !== 'string' || description.length <= note.length) return undefined
  return description.slice(note.length).trimStart()
}

interface Parts {
  readonly keyword: string
  readonly entries: readonly (readonly [string, unknown])[]
  /** A map by name, rather than a list or a single schema. */
  readonly keyed: boolean
}

/** The schemas in a schema: properties first and of them the required ones, since bytes may run out. */
function partsOf(schema: Plain): Parts[] {
  const found: Parts[] = []
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  for (const keyword of MAP) {
    const map = schema[keyword]
    if (!isPlain(map)) continue
    const entries = Object.entries(map)
    found.push({
      keyword,
      entries: [
        ...entries.filter(([name]) => required.has(name)),
        ...entries.filter(([name]) => !required.has(name)),
      ],
      keyed: true,
    })
  }
  for (const keyword of LIST) {
    const list = schema[keyword]
    if (Array.isArray(list)) found.push({ keyword, entries: list.map((item) => ['', item]), keyed: false })
  }
  for (const keyword of ONE) {
    const value = schema[keyword]
    if (isPlain(value) || typeof value === 'boolean')
      found.push({ keyword, entries: [['', value]], keyed: false })
  }
  return found
}

function toPart(
  value: unknown,
  chain: Chain | null,
  depth: number,
  definitionOf: DefinitionOf,
): { shown: unknown; node: Node | null } {
  if (!isPlain(value)) return { shown: value !== false, node: null }
  const node = toNode(follow(value, chain, definitionOf), depth)
  return { shown: node.shown, node }
}

/** Members in the order of the description, in which its author explains them. */
function inOrder(entries: readonly (readonly [string, unknown])[], map: unknown): Plain {
  const shown = new Map(entries)
  const names = isPlain(map) ? Object.keys(map) : []
  return Object.fromEntries(names.filter((name) => shown.has(name)).map((name) => [name, shown.get(name)]))
}

/** Adds the description in at most `bytesMax` bytes; gives the bytes it took. */
function describe(node: Node, bytesMax: number): number {
  const text = node.source.schema['description']
  if (typeof text !== 'string' || text === '') return 0
  const short = shorten(text.trim(), DESCRIPTION_MAX[Math.min(node.depth, DESCRIPTION_MAX.length - 1)]!)
  const description = node.note === '' ? short : `${node.note} ${short}`
  const before = bytesOf(node.shown)
  const had = node.shown['description']
  node.shown['description'] = description
  const cost = bytesOf(node.shown) - before
  if (cost <= bytesMax) return cost
  if (had === undefined) delete node.shown['description']
  else node.shown['description'] = had
  return 0
}

/** What is left of a stub when not even it fits. */
function smallest(stub: Plain, bytesMax: number): JsonSchema {
  const { type, title, required } = stub
  for (const candidate of [{ type, title, required }, { type, required }, { type }]) {
    const text = JSON.stringify(candidate)
    if (Buffer.byteLength(text) <= bytesMax) return JSON.parse(text) as JsonSchema // An object of JSON values.
  }
  return {}
}
