/**
 * Whether clients can compile the output schema of a tool. Official clients compile the schemas of a whole list at once, so one that
 * they cannot compile makes the list unusable.
 *
 * 1. Each part of the schema is looked at once. {@link PARTS_MAX} and {@link DEPTH_MAX} bound the work.
 * 2. Of values of unknown keywords, only the names of parts count: clients look for these everywhere.
 * 3. In doubt a schema counts as one that clients cannot compile.
 */

import { isPlain, type Plain } from '../../base/json/storable.ts'
import { isUnicodePattern } from '../../base/text/patterns.ts'
import { LIST, MAP, ONE } from '../schema-looseness.ts'

const PARTS_MAX = 20_000
const DEPTH_MAX = 64
/** Characters of a name of a part. */
const ID_CHARS_MAX = 2048
const SHOWN_CHARS_MAX = 80

const TYPES: ReadonlySet<unknown> = new Set([
  'string',
  'number',
  'integer',
  'boolean',
  'array',
  'object',
  'null',
])

/** Keywords that hold one schema, a list or a map of them, in any draft. */
const HAS_ONE: ReadonlySet<string> = new Set<string>([
  ...ONE,
  'additionalItems',
  'unevaluatedItems',
  'unevaluatedProperties',
])
const HAS_LIST: ReadonlySet<string> = new Set<string>(LIST)
const HAS_MAP: ReadonlySet<string> = new Set<string>([...MAP, 'dependencies', '$defs', 'definitions'])

const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)
const isText = (value: unknown): boolean => typeof value === 'string'
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const isNames = (value: unknown): boolean => Array.isArray(value) && value.every(isText)
const isType = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0 && value.every((one) => TYPES.has(one)) && new Set(value).size === value.length
    : TYPES.has(value)

const isAnchor = (value: unknown): boolean =>
  typeof value === 'string' && /^[A-Za-z_][-A-Za-z0-9._]{0,127}$/.test(value)

/**
 * A URI reference (RFC 3986) that each client reads alike: its host, port and path have no escapes, and what is before a colon is a scheme.
 * Clients resolve it against the `$id` around it, and some throw for one that they cannot read.
 */
const ID =
  /^(?:urn:[a-z0-9][a-z0-9-]{0,31}:[\w.:-]+|(?!urn:)(?:[a-z][a-z0-9+.-]*:)?(?:\/\/[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,4})?(?=[/?#]|$))?[\w.~!$&'()*+,;=@/?#-]*)$/i
const DOT_SEGMENT = /(?:^|\/)\.\.?(?:[/?#]|$)/

function isId(value: unknown): boolean {
  return (
    typeof value === 'string' && value.length <= ID_CHARS_MAX && ID.test(value) && !DOT_SEGMENT.test(value)
  )
}

/** Keywords that name a part of a schema. */
const NAMES: ReadonlySet<string> = new Set(['$id', '$anchor', '$dynamicAnchor'])
/** Keywords whose values are no schemas. */
const DATA: ReadonlySet<string> = new Set(['default', 'enum', 'const'])

/** What the values of keywords must be (JSON Schema 2020-12, validation and core). */
const VALUES: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['type', isType],
  ['enum', (value) => Array.isArray(value) && value.length > 0],
  ['required', isNames],
  ['dependentRequired', (value) => isPlain(value) && Object.values(value).every(isNames)],
  ['uniqueItems', isFlag],
  ['nullable', isFlag],
  ['format', isText],
  ['pattern', (value) => typeof value === 'string' && isUnicodePattern(value)],
  ['multipleOf', (value) => isNumber(value) && (value as number) > 0],
  ...['maximum', 'minimum', 'exclusiveMaximum', 'exclusiveMinimum'].map((name) => [name, isNumber] as const),
  ...['Length', 'Items', 'Properties', 'Contains'].flatMap((name) =>
    [`max${name}`, `min${name}`].map((one) => [one, isNumber] as const),
  ),
  ['$id', isId],
  ['$anchor', isAnchor],
  ['$dynamicAnchor', isAnchor],
  ['$ref', isText],
  ['$schema', isText],
])

/** A part of a schema that is to be looked at. */
interface Part {
  readonly schema: unknown
  /** JSON Pointer in the whole schema. */
  readonly at: string
  /** What references in the part start from: the whole schema, or a part of it with an `$id` of its own. */
  readonly base: Plain
  /** It stands where no schema is expected. */
  readonly isUnknown: boolean
}

interface Reference {
  readonly to: string
  readonly at: string
  readonly base: Plain
}

/** Why clients cannot compile a schema, as the end of a sentence about it; null if they can. */
export function schemaFault(root: Plain): string | null {
  return new Look(root).fault()
}

class Look {
  readonly #root: Plain
  readonly #looked = new Set<unknown>()
  /** Of all parts that were looked at, what references in them start from. */
  readonly #bases = new Map<unknown, Plain>()
  /** Parts with an `$id`, by it. */
  readonly #ids = new Set<string>()
  /** Anchors with `#`, by what references to them start from. */
  readonly #anchors = new Map<Plain, Set<string>>()
  /** References to names. */
  readonly #named: Reference[] = []
  #next: Part[] = []

  constructor(root: Plain) {
    this.#root = root
  }

  fault(): string | null {
    this.#next = [{ schema: this.#root, at: '', base: this.#root, isUnknown: false }]
    for (let depth = 0; this.#next.length > 0; depth++) {
      if (depth > DEPTH_MAX) return `is nested more than ${DEPTH_MAX} deep`
      const level = this.#next
      this.#next = []
      for (const part of level) {
        const fault = this.#faultOf(part)
        if (fault !== null) return fault
      }
    }
    const lost = this.#named.find(
      ({ to, base }) => !this.#ids.has(to) && this.#anchors.get(base)?.has(to) !== true,
    )
    return lost === undefined ? null : lostAt(lost)
  }

  #faultOf({ schema, at, base: outer, isUnknown }: Part): string | null {
    const looked = isUnknown ? this.#bases : this.#looked
    if (typeof schema === 'boolean' || looked.has(schema)) return null
    if (isUnknown && !isPlain(schema)) return null
    if (!isPlain(schema)) return `has no schema at ${shown(at)}`
    // What an unknown keyword holds is a schema once a reference leads there
    const base = this.#bases.get(schema) ?? this.#baseOf(schema, outer)
    if (base === null) return `has two parts of the same name, the second at ${shown(at)}`
    this.#bases.set(schema, base)
    if (this.#bases.size > PARTS_MAX) return `has more than ${PARTS_MAX} parts`
    if (isUnknown) {
      for (const [name, value] of Object.entries(schema)) {
        if (NAMES.has(name) && VALUES.get(name)!(value) === false)
          return `has an unusable value at ${shown(`${at}/${name}`)}`
        this.#next.push({ schema: value, at: `${at}/${name}`, base, isUnknown })
      }
      return null
    }
    this.#looked.add(schema)
    // Of draft 4: validators of later drafts refuse it
    if (Object.hasOwn(schema, 'id')) return `has the keyword id of an earlier draft at ${shown(at)}`
    if (Object.hasOwn(schema, 'nullable') && !Object.hasOwn(schema, 'type'))
      return `has nullable without type at ${shown(at)}`
    for (const [keyword, value] of Object.entries(schema)) {
      const place = `${at}/${keyword}`
      if (VALUES.get(keyword)?.(value) === false) return `has an unusable value at ${shown(place)}`
      if (!this.#takeInner(keyword, value, place, base)) return `has an unusable value at ${shown(place)}`
      if (keyword === '$ref' && !this.#takeReference(String(value), place, base))
        return lostAt({ to: String(value), at: place, base })
    }
    return null
  }

  /** What references in the schema start from; null if its name is taken. */
  #baseOf(schema: Plain, outer: Plain): Plain | null {
    const { $id: id, $anchor: anchor, $dynamicAnchor: dynamic } = schema
    const isBase = typeof id === 'string' && !id.startsWith('#')
    if (isBase) {
      if (this.#ids.has(id)) return null
      this.#ids.add(id)
    }
    const base = isBase ? schema : outer
    // Clients do not find an anchor of the whole schema
    if (schema === this.#root) return base
    const anchors = this.#anchors.get(base) ?? new Set<string>()
    this.#anchors.set(base, anchors)
    for (const name of [isBase ? undefined : id, ...[anchor, dynamic].map(toAnchor)]) {
      if (typeof name !== 'string') continue
      if (anchors.has(name)) return null
      anchors.add(name)
    }
    return base
  }

  /** False for a value that the keyword cannot have. */
  #takeInner(keyword: string, value: unknown, at: string, base: Plain): boolean {
    const take = (schema: unknown, place: string, isUnknown = false): void =>
      void this.#next.push({ schema, at: place, base, isUnknown })
    const takeMap = (map: unknown): boolean => {
      if (!isPlain(map)) return false
      for (const [name, schema] of Object.entries(map)) {
        if (keyword === 'patternProperties' && !isUnicodePattern(name)) return false
        const isOfNames = keyword === 'dependencies' && Array.isArray(schema)
        if (!isOfNames) take(schema, `${at}/${name}`)
        else if (!schema.every(isText)) return false
      }
      return true
    }
    const takeList = (list: unknown): boolean => {
      if (!Array.isArray(list)) return false
      for (const [index, schema] of list.entries()) take(schema, `${at}/${index}`)
      return true
    }
    if (HAS_MAP.has(keyword)) return takeMap(value)
    if (HAS_LIST.has(keyword) || (keyword === 'items' && Array.isArray(value))) return takeList(value)
    if (HAS_ONE.has(keyword)) take(value, at)
    else if (!DATA.has(keyword) && isPlain(value)) take(value, at, true)
    return true
  }

  /** False for a reference that leads nowhere. */
  #takeReference(to: string, at: string, base: Plain): boolean {
    if (to !== '#' && !to.startsWith('#/')) {
      this.#named.push({ to, at, base })
      return true
    }
    const target = targetOf(base, to)
    // Clients compile it too, wherever it stands
    if (target !== undefined) this.#next.push({ schema: target, at: to, base, isUnknown: false })
    return target !== undefined
  }
}

function toAnchor(name: unknown): string | undefined {
  return typeof name === 'string' ? `#${name}` : undefined
}

function targetOf(base: Plain, to: string): unknown {
  let found: unknown = base
  for (const part of to.split('/').slice(1)) {
    const name = nameIn(part)
    if (name === null || found === null || typeof found !== 'object' || !Object.hasOwn(found, name))
      return undefined
    found = (found as Plain)[name]
  }
  return found
}

/** A name in a fragment (RFC 6901, section 6); null if it is broken. */
function nameIn(part: string): string | null {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return null
  }
}

function lostAt({ to, at }: Reference): string {
  return `refers at ${shown(at)} to "${shown(to)}", which it does not have`
}

function shown(text: string): string {
  return text === '' ? 'its root' : text.slice(0, SHOWN_CHARS_MAX)
}
