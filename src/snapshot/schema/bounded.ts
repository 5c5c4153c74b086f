/** Schemas for models: references are resolved, within a bound of bytes. */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { createLooseness, LIST, MAP, NO_NAMES, ONE, type Way } from '../../model/schema-looseness.ts'
import {
  bytesOf,
  type Chain,
  type Followed,
  follow,
  gistOf,
  isComposite,
  isShownPattern,
  keywordsOf,
  requiredOf,
  shorten,
} from './read-schema.ts'

/** Deeper than this nothing is expanded: readers lose the thread. */
const DEPTH_MAX = 12
/** Structure comes first, but must leave room for the descriptions of what is on top. */
const STRUCTURE_SHARE = 0.6
/** Longest description by depth; deeper ones take the last. */
const DESCRIPTION_MAX = [1024, 300, 160]
/** Room for the sentence that says how much is left out. */
const NOTE_BYTES = 96
/** Room beside the values of a list. */
const ENUM_ROOM = 256
const DESCRIPTION_KEY_BYTES = bytesOf('description') + 2
/** Schemas that are looked at for the names that go the other way. Where these are more, nothing is required. */
const VISITS_MAX = 20_000
/** Characters of the required names in a note. */
const REQUIRED_NOTE_MAX = 120
/**
 * Left out: what stands in them turns around, so that a stub would refuse values that the schema takes. Few model APIs read them.
 */
const TURNING = new Set(['not', 'if', 'then', 'else'])
/** Keywords whose schemas are about the same value. */
const IN_PLACE = new Set(['allOf', 'anyOf', 'oneOf', 'dependentSchemas'])

/** A schema in the result: at first a stub, then its keywords with stubs for its parts. */
interface Node {
  /** The object in the result, changed in place. */
  readonly shown: Plain
  readonly source: Followed
  readonly depth: number
  /** Names that are not required here, whatever the schema says: they go the other way. Null where that is not known. */
  readonly others: Names
  grown: boolean
  note: string
}

/** Names that are found when they are asked for. */
type Names = () => ReadonlySet<string> | null

/** What is known of one schema while it is shown. */
interface Context {
  definitionOf(name: string): unknown
  /** Names of properties that are never required, by all that is said of the same value. Null where that takes too long. */
  othersOf(schema: Plain): ReadonlySet<string> | null
  /** Of a draft before 2019: what stands beside a reference is ignored. */
  readonly isOld: boolean
}

/**
 * A schema that stands for itself and that a model can read: references are put in place, breadth first, while the
 * result stays within `bytesMax` bytes of JSON. What is circular, too deep or over the budget stays a stub with
 * type, title and required names that says what it is; long texts are shortened. Required properties come before
 * others when not all fit. Same input, same result; odd input gives a poor schema, never an exception.
 *
 * 1. It takes every value that the schema takes: what cannot be shown whole is left out where it would refuse one.
 * 2. Model APIs take it: lists have `items`, `required` names properties that stand beside it, alternatives are `anyOf`, and no
 *    keyword is about another type than `type`.
 *
 * @param defs what `#/$defs/<name>` points into, besides the `$defs` of the schema itself
 * @param bytesMax at least 2; below some 200 bytes little more than the type is left
 * @param way of the values: what is read-only is not required of a request
 */
export function boundedSchema(
  schema: JsonSchema,
  defs: Readonly<Record<string, unknown>>,
  bytesMax: number,
  way: Way = 'request',
): JsonSchema {
  if (!isPlain(schema)) return typeof schema === 'boolean' && bytesMax >= 5 ? schema : {}
  const context = contextOf(schema, defs, way)
  const root = toNode(followed(schema, null, context), 0, noNames, context)
  if (bytesOf(root.shown) > bytesMax) return smallest(root.shown, bytesMax)

  const nodes: Node[] = [root]
  let left = bytesMax - bytesOf(root.shown)
  const growAll = (reserve: number, partly: boolean): void => {
    for (const node of nodes) {
      if (node.grown || node.source.circular || node.depth > DEPTH_MAX) continue
      const before = bytesOf(node.shown)
      const parts = grow(node, context, left - reserve + before, partly, partly || node === root)
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

function contextOf(schema: Plain, defs: Readonly<Record<string, unknown>>, way: Way): Context {
  // Definitions inside the schema itself, as hand-written ones have them, then the shared ones
  const places: unknown[] = [schema['$defs'], schema['definitions'], defs]
  const shared = { has: (name: string) => Object.hasOwn(defs, name), get: (name: string) => defs[name] }
  const looseness = createLooseness(shared, way, VISITS_MAX).of(schema)
  return {
    definitionOf: (name) => {
      for (const place of places) if (isPlain(place) && Object.hasOwn(place, name)) return place[name]
      return undefined
    },
    othersOf: (one) => {
      try {
        return looseness.othersOf(one)
      } catch (error) {
        if (error instanceof RangeError) return null
        throw error
      }
    },
    isOld: /draft-0[4-7]/.test(String(schema['$schema'] ?? '')),
  }
}

function followed(schema: Plain, chain: Chain | null, { definitionOf, isOld }: Context): Followed {
  const { $ref, $defs, definitions } = schema
  const alone = isOld && typeof $ref === 'string' ? { $ref, $defs, definitions } : schema
  return follow(alone, chain, definitionOf)
}

const noNames: Names = () => NO_NAMES

function toNode(source: Followed, depth: number, inherited: Names, context: Context): Node {
  const shown = gistOf(source.schema)
  const composite = isComposite(source.schema)
  let found: ReadonlySet<string> | null | undefined
  const others = (): ReadonlySet<string> | null => {
    if (found !== undefined) return found
    const [own, outer] = [context.othersOf(source.schema), inherited()]
    found = own === null || outer === null ? null : new Set([...own, ...outer])
    return found
  }
  const node = { shown, source, depth, others, grown: false, note: '' }
  const requires = requiresNote(writable(node))
  if (source.circular) node.note = `${shorten(source.name ?? '', 80)}, which contains itself; see above.`
  else if (composite) {
    const what = source.name === null ? 'Not expanded.' : `${shorten(source.name, 80)}, not expanded.`
    node.note = requires === '' ? what : `${what} ${requires}`
  }
  if (node.note !== '') shown['description'] = node.note
  return node
}

/** Names that a value must have, without those that go the other way. */
function writable({ source, others }: Pick<Node, 'source' | 'others'>): string[] {
  const required = requiredOf(source.schema)
  const names = required.length === 0 ? null : others()
  return names === null ? [] : required.filter((name) => !names.has(name))
}

function requiresNote(names: readonly string[]): string {
  return names.length === 0 ? '' : `Requires ${shorten(names.join(', '), REQUIRED_NOTE_MAX)}.`
}

/**
 * Replaces the stub by the schema's keywords and stubs of its parts, in at most `bytesMax` bytes. Gives the new
 * nodes, or null when it does not fit, completely or (if `partly`) at all.
 * @param cutsValues whether a list of values may be cut
 */
function grow(
  node: Node,
  context: Context,
  bytesMax: number,
  cutsValues: boolean,
  partly: boolean,
): Node[] | null {
  const { schema, chain } = node.source
  const described = descriptionBeyondNote(node)
  const { keywords, note } = keywordsOf(schema, bytesMax - ENUM_ROOM - bytesOf(described ?? ''))
  if (note !== '' && !cutsValues) return null
  const required = writable(node)
  const { properties } = schema
  const unlisted = required.filter((name) => !isPlain(properties) || !Object.hasOwn(properties, name))
  const notes = [note, requiresNote(unlisted)]
  if (described !== undefined) keywords['description'] = described
  let left = bytesMax - bytesOf(keywords) - DESCRIPTION_KEY_BYTES - NOTE_BYTES - bytesOf(notes)
  if (required.length > 0) left -= bytesOf({ required })
  if (left < 0) return null
  const nodes: Node[] = []
  const { parts, omitted } = partsOf(schema, context.isOld)
  let lost = omitted
  let isOpen = false
  const lists: unknown[][] = []
  for (const { keyword, entries, keyed } of parts) {
    if (keyword === 'additionalProperties' && isOpen) {
      lost++
      continue
    }
    const inherited = IN_PLACE.has(keyword) ? node.others : noNames
    const shown: [string, unknown][] = []
    const made: Node[] = []
    let cost = bytesOf(keyword) + 4
    for (const [key, value] of entries) {
      const part = toPart(keyword, value, chain, node.depth + 1, inherited, context)
      const more = bytesOf(part.shown) + (keyed ? bytesOf(key) + 2 : 1)
      if (cost + more > left) break
      cost += more
      shown.push([key, part.shown])
      if (part.node !== null) made.push(part.node)
    }
    const isCut = shown.length < entries.length
    // Of alternatives, those that are not shown are valid as well
    const isShown = shown.length > 0 && !(isCut && (keyword === 'anyOf' || keyword === 'oneOf'))
    if (isCut && (keyword === 'properties' || keyword === 'patternProperties')) isOpen = true
    lost += isShown ? entries.length - shown.length : entries.length
    if (!isShown) continue
    left -= cost
    nodes.push(...made)
    const values = shown.map(([, value]) => value)
    if (keyword === 'anyOf' || keyword === 'oneOf') lists.push(values)
    else if (keyed) keywords[keyword] = inOrder(shown, schema[keyword])
    else if (Array.isArray(schema[keyword])) keywords[keyword] = values
    else keywords[keyword] = values[0]
    // What follows a list that is cut would be said of the items that are not shown
    if (isCut && keyword === 'prefixItems') break
  }
  if (lost > omitted && (!partly || nodes.length === 0)) return null
  if (lost > 0) notes.push(`${lost} more parts are not shown.`)
  const listed = keywords['properties']
  const kept = isPlain(listed) ? required.filter((name) => Object.hasOwn(listed, name)) : []
  if (kept.length > 0) keywords['required'] = kept
  addChoices(keywords, lists)

  node.grown = true
  node.note = notes.filter((text) => text !== '').join(' ')
  for (const key of Object.keys(node.shown)) delete node.shown[key]
  const description = [node.note, keywords['description']].filter((text) => text !== undefined && text !== '')
  Object.assign(node.shown, keywords)
  if (description.length > 0) node.shown['description'] = shorten(description.join(' '), descriptionMax(node))
  return nodes
}

/** Alternatives as `anyOf`: a value that fits several of `oneOf` is refused by few APIs, and few models read it. */
function addChoices(keywords: Plain, lists: readonly unknown[][]): void {
  const [only] = lists
  if (lists.length === 1) keywords['anyOf'] = only
  else if (lists.length > 1) {
    const all = keywords['allOf']
    keywords['allOf'] = [...(Array.isArray(all) ? all : []), ...lists.map((anyOf) => ({ anyOf }))]
  }
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
function partsOf(schema: Plain, isOld: boolean): { readonly parts: Parts[]; readonly omitted: number } {
  const found: Parts[] = []
  let omitted = 0
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  let isClosed = true
  for (const keyword of MAP) {
    const map = schema[keyword]
    if (!isPlain(map) || (isOld && keyword === 'dependentSchemas')) continue
    const all = Object.entries(map)
    // A name that cannot be judged may be any
    const entries = keyword === 'patternProperties' ? all.filter(([source]) => isShownPattern(source)) : all
    if (entries.length < all.length) isClosed = false
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
    if (!Array.isArray(list) || list.length === 0 || (isOld && keyword === 'prefixItems')) continue
    found.push({ keyword, entries: list.map((item) => ['', item]), keyed: false })
  }
  for (const keyword of ONE) {
    const value = schema[keyword]
    if (!isPlain(value) && typeof value !== 'boolean') continue
    if (TURNING.has(keyword)) omitted++
    else if (keyword === 'contains' && schema['minContains'] === 0) continue
    else if (keyword === 'additionalProperties' && !isClosed) continue
    else found.push({ keyword, entries: [['', value]], keyed: false })
  }
  // `items` is about what follows `prefixItems`, which must therefore come first
  return { parts: found.sort((a, b) => rankOf(a) - rankOf(b)), omitted }
}

function rankOf({ keyword }: Parts): number {
  return keyword === 'prefixItems' ? 1 : keyword === 'items' ? 2 : 0
}

function toPart(
  keyword: string,
  value: unknown,
  chain: Chain | null,
  depth: number,
  inherited: Names,
  context: Context,
): { shown: unknown; node: Node | null } {
  if (isPlain(value)) {
    const node = toNode(followed(value, chain, context), depth, inherited, context)
    return { shown: node.shown, node }
  }
  if (keyword === 'additionalProperties') return { shown: value !== false, node: null }
  // Model APIs take no booleans here
  return { shown: value === false && keyword !== 'items' ? { not: {} } : {}, node: null }
}

/** Members in the order of the description, in which its author explains them. */
function inOrder(entries: readonly (readonly [string, unknown])[], map: unknown): Plain {
  const shown = new Map(entries)
  const names = isPlain(map) ? Object.keys(map) : []
  return Object.fromEntries(names.filter((name) => shown.has(name)).map((name) => [name, shown.get(name)]))
}

/** A note comes with what the description has to say. */
function descriptionMax({ depth, note }: Node): number {
  const own = DESCRIPTION_MAX[Math.min(depth, DESCRIPTION_MAX.length - 1)]!
  return Math.min(own + note.length, DESCRIPTION_MAX[0]!)
}

/** Adds the description in at most `bytesMax` bytes; gives the bytes it took. */
function describe(node: Node, bytesMax: number): number {
  const text = node.source.schema['description']
  if (typeof text !== 'string' || text === '') return 0
  const description = shorten(
    node.note === '' ? text.trim() : `${node.note} ${text.trim()}`,
    descriptionMax(node),
  )
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
function smallest({ type, title, items }: Plain, bytesMax: number): JsonSchema {
  for (const candidate of [
    { type, title, items },
    { type, items },
  ]) {
    const text = JSON.stringify(candidate)
    if (Buffer.byteLength(text) <= bytesMax) return JSON.parse(text) as JsonSchema // An object of JSON values.
  }
  return {}
}
