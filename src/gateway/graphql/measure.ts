import type { GraphqlLimits } from '../../model/api/proxy.ts'
import type { Document, Selection } from './document.ts'
import { Unreadable } from './lexer.ts'

/** Size of an operation with its fragments put in place. */
export interface Size {
  /** Fields below each other. */
  readonly depth: number
  /** Fields in all; no more than {@link FIELDS_MAX} are told apart. */
  readonly fields: number
  /** Asks for the schema: `__schema` or `__type`. */
  readonly introspects: boolean
  /** Selects something else than `__schema`, `__type` and `__typename` at its own level. */
  readonly selectsData: boolean
  /** Lists of the introspection schema below each other, each of which multiplies the answer. */
  readonly schemaLists: number
}

const INTROSPECTION: ReadonlySet<string> = new Set(['__schema', '__type', '__typename'])

/** Lists of `__Type` (GraphQL, September 2025, section 4.2) that lead to further types. */
const SCHEMA_LISTS: ReadonlySet<string> = new Set(['fields', 'interfaces', 'possibleTypes', 'inputFields'])

/** Fragments may multiply without end; from here on it is simply too many. */
const FIELDS_MAX = 1_000_000_000

/**
 * Measures what a selection set asks for. Each fragment is measured once, so the time is linear in the document,
 * however often fragments spread each other. Throws {@link Unreadable} for one that is missing or contains itself.
 */
export function createMeasure(document: Document): (selections: readonly Selection[]) => Size {
  const known = new Map<string, Size | 'open'>()

  function ofFragment(name: string): Size {
    const size = known.get(name)
    if (size === 'open') throw new Unreadable(`fragment ${name.slice(0, 80)} contains itself`)
    if (size !== undefined) return size
    const selections = document.fragments.get(name)
    if (selections === undefined) throw new Unreadable(`there is no fragment ${name.slice(0, 80)}`)
    known.set(name, 'open')
    const measured = measure(selections)
    known.set(name, measured)
    return measured
  }

  function measure(selections: readonly Selection[]): Size {
    let depth = 0
    let fields = 0
    let introspects = false
    let selectsData = false
    let schemaLists = 0
    for (const selection of selections) {
      const below = selection.kind === 'spread' ? ofFragment(selection.name) : measure(selection.below)
      const field = selection.kind === 'field' ? selection.name : null
      const own = field === null ? 0 : 1
      depth = Math.max(depth, below.depth + own)
      fields = Math.min(FIELDS_MAX, fields + below.fields + own)
      introspects ||= below.introspects || field === '__schema' || field === '__type'
      selectsData ||= field === null ? below.selectsData : !INTROSPECTION.has(field)
      const lists = field !== null && SCHEMA_LISTS.has(field) ? 1 : 0
      schemaLists = Math.max(schemaLists, below.schemaLists + lists)
    }
    return { depth, fields, introspects, selectsData, schemaLists }
  }

  return measure
}

/**
 * Fields of an operation that asks for the schema alone. Tools of clients send about 300: the whole schema, with nine wrappers of
 * a type.
 */
const INTROSPECTION_FIELDS_MAX = 1000
/** Lists of types below each other in such an operation: each multiplies the answer by the number of fields. */
const INTROSPECTION_LISTS_MAX = 3

export interface Excess {
  readonly reason: string
  readonly members: Readonly<Record<string, unknown>>
}

/** The bound that an operation exceeds. An operation that asks for the schema alone has bounds of its own. */
export function excessOf(
  size: Size,
  { max_depth, max_complexity, introspection }: GraphqlLimits,
): Excess | null {
  const { depth, fields, introspects, selectsData, schemaLists } = size
  if (introspects && !introspection) return { reason: 'asks for the schema, which is not shown', members: {} }
  if (introspects && !selectsData) {
    if (fields > INTROSPECTION_FIELDS_MAX)
      return {
        reason: `asks for the schema with ${fields} fields, and ${INTROSPECTION_FIELDS_MAX} are allowed`,
        members: {},
      }
    if (schemaLists > INTROSPECTION_LISTS_MAX)
      return {
        reason: `asks for lists of types ${schemaLists} deep, and ${INTROSPECTION_LISTS_MAX} are allowed`,
        members: {},
      }
    return null
  }
  if (depth > max_depth)
    return { reason: `is ${depth} deep, and ${max_depth} is allowed`, members: { max_depth } }
  if (fields > max_complexity)
    return { reason: `has ${fields} fields, and ${max_complexity} are allowed`, members: { max_complexity } }
  return null
}
