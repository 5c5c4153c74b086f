import { canonicalJson } from '../../base/json/canonical.ts'
import { isPlain, type Plain, pointerTo, scalarText, tokenText } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema, Parameter, ProxySpec } from '../../model/api/proxy.ts'

/** Part of a proxy that its callers rely on. */
export type Contract = Pick<
  ProxySpec,
  | 'methods'
  | 'path'
  | 'parameters'
  | 'strict_query'
  | 'request_schema'
  | 'request_schemas'
  | 'request_types'
  | 'request_required'
  | 'response_schema'
>

/** Shared schemas of two versions, that `#/$defs/<name>` in contracts points into. */
export interface Shared {
  readonly before: Schemas
  readonly after: Schemas
  /** True for schemas that say the same, and lead to nothing that differs. */
  readonly isSame: (before: unknown, after: unknown) => boolean
  /** Pairs of schemas that may still be compared, of all contracts. */
  readonly left: { pairs: number }
}

type Schemas = Readonly<Record<string, JsonSchema>>

/** Finds what differs once for all contracts: in a large API little does. */
export function sharedBy(before: Schemas, after: Schemas): Shared {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const usedBy = new Map<string, string[]>()
  const users = (used: string): string[] => {
    const known = usedBy.get(used) ?? []
    usedBy.set(used, known)
    return known
  }
  const formOf = createForms()
  for (const name of names) for (const used of namesIn([before[name], after[name]])) users(used).push(name)
  const affected = new Set([...names].filter((name) => formOf(before[name]) !== formOf(after[name])))
  // A set is walked with what is added on the way
  for (const name of affected) for (const user of usedBy.get(name) ?? []) affected.add(user)
  const leads = createLeads(affected)
  return {
    before,
    after,
    isSame: (was, is) => formOf(was) === formOf(is) && !leads(was),
    left: { pairs: ALL_PAIRS_MAX },
  }
}

/** Gives equal values the same number. Each object is looked at once, at whatever depths it is compared. */
function createForms(): (value: unknown) => number {
  const numbers = new Map<string, number>()
  const known = new WeakMap<object, number>()
  const numberOf = (text: string): number => {
    const number = numbers.get(text) ?? numbers.size
    numbers.set(text, number)
    return number
  }
  const formOf = (value: unknown): number => {
    if (value === null || typeof value !== 'object') return numberOf(JSON.stringify(value ?? null))
    const seen = known.get(value)
    if (seen !== undefined) return seen
    const form = Array.isArray(value)
      ? numberOf(`[${value.map(formOf).join()}]`)
      : numberOf(
          `{${Object.entries(value)
            .filter(([, inner]) => inner !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, inner]) => `${JSON.stringify(name)}:${formOf(inner)}`)
            .join()}}`,
        )
    known.set(value, form)
    return form
  }
  return formOf
}

/** True for a schema with a reference to one of the names. */
function createLeads(names: ReadonlySet<string>): (schema: unknown) => boolean {
  const known = new WeakMap<object, boolean>()
  const leads = (value: unknown): boolean => {
    if (value === null || typeof value !== 'object') return false
    const seen = known.get(value)
    if (seen !== undefined) return seen
    const name = /^#\/\$defs\/([^/]+)/.exec(referenceOf(value))?.[1]
    const found = (name !== undefined && names.has(tokenText(name))) || Object.values(value).some(leads)
    known.set(value, found)
    return found
  }
  return leads
}

const json = (schema: unknown): string => canonicalJson(schema ?? null)

function namesIn(schema: unknown): Set<string> {
  const references = json(schema).matchAll(/"\$ref":"#\/\$defs\/([^"/]+)/g)
  return new Set([...references].map((found) => tokenText(found[1]!)))
}

/** Pairs of schemas that are compared for one proxy; what lies beyond is told as not compared. */
const PAIRS_MAX = 5000
/** Of all proxies. */
const ALL_PAIRS_MAX = 200_000
const DEPTH_MAX = 64
/** Breaking changes that are told of one proxy. */
const FOUND_MAX = 100

/**
 * What of a new version could break callers that keep to the old one: requests that are no longer taken, answers that may
 * be of a form that was not said before. A change that cannot be judged counts as one. Pointers are into the proxy.
 */
export function breakingChanges(was: Contract, is: Contract, shared: Shared): FieldError[] {
  const found: FieldError[] = []
  const tell = (pointer: string, reason: string): void => {
    if (found.length < FOUND_MAX) found.push({ pointer, reason })
  }
  for (const method of was.methods)
    if (!is.methods.includes(method)) tell('/methods', `${method} no longer exists`)
  if (shapeOf(was.path) !== shapeOf(is.path)) tell('/path', `was ${was.path}`)
  compareParameters(was, is, shared, tell)
  if (is.request_schema !== null && is.request_required && !requiresBody(was))
    tell('/request_required', 'a body has become required')
  for (const type of was.request_types)
    if (is.request_types.length > 0 && !is.request_types.includes(type) && !is.request_types.includes('*/*'))
      tell('/request_types', `${type} is no longer accepted`)
  if (is.request_schema !== null)
    new Comparison(shared, 'request', tell).run(
      was.request_schema ?? true,
      is.request_schema,
      '/request_schema',
    )
  for (const [type, schema] of Object.entries(is.request_schemas ?? {}))
    if (was.request_types.includes(type))
      new Comparison(shared, 'request', tell).run(
        was.request_schemas?.[type] ?? was.request_schema ?? true,
        schema,
        pointerTo('/request_schemas', type),
      )
  if (was.response_schema !== null)
    new Comparison(shared, 'response', tell).run(
      was.response_schema,
      is.response_schema ?? true,
      '/response_schema',
    )
  return found
}

type Tell = (pointer: string, reason: string) => void

function shapeOf(path: string): string {
  return path.replace(/\{[^{}]*\}/g, '{}')
}

function requiresBody({ request_schema, request_required }: Contract): boolean {
  return request_schema !== null && request_required
}

function compareParameters(was: Contract, is: Contract, shared: Shared, tell: Tell): void {
  const before = new Map(was.parameters.map((one) => [keyOf(one), one]))
  for (const [index, parameter] of is.parameters.entries()) {
    // The path says which there are, whatever they are called
    const known = before.get(keyOf(parameter))
    const pointer = `/parameters/${index}`
    before.delete(keyOf(parameter))
    if (known === undefined) {
      if (parameter.required && parameter.in !== 'path')
        tell(pointer, `${parameter.in} parameter "${parameter.name}" is new and required`)
      continue
    }
    if (parameter.required && !known.required) tell(pointer, `"${parameter.name}" has become required`)
    if (known.schema !== undefined && parameter.schema !== undefined) {
      new Comparison(shared, 'request', tell).run(known.schema, parameter.schema, `${pointer}/schema`)
      continue
    }
    for (const reason of narrowings(asSchema(known), asSchema(parameter)))
      tell(pointer, `"${parameter.name}" ${reason}`)
  }
  if (!is.strict_query) return
  for (const { in: place, name } of before.values())
    if (place === 'query') tell('/parameters', `query parameter "${name}" is no longer accepted`)
}

function keyOf({ in: place, name }: Parameter): string {
  return `${place} ${place === 'header' ? name.toLowerCase() : name}`
}

/** What the members of a parameter say, where one of two versions has no schema: earlier imports had none. */
function asSchema({ type, enum: values, pattern, min, max, schema }: Parameter): Plain {
  if (schema === true) return {}
  return { type, enum: values, pattern, minimum: min, maximum: max }
}

const UPPER = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties']
const LOWER = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties']
/** Keywords that hold schemas in ways that are not taken apart here. */
const NOT_JUDGED = [
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'patternProperties',
  'propertyNames',
  'prefixItems',
  'contains',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedProperties',
  'unevaluatedItems',
]
const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']

/** How the one takes less than the other, of what a schema says of the value itself. */
function narrowings(from: Plain, to: Plain): string[] {
  const reasons: string[] = []
  const lost = typesOf(from).filter((type) => !typesOf(to).includes(type))
  if (lost.length > 0)
    reasons.push(`is ${saidTypes(to)} now${from['type'] === undefined ? '' : `, was ${saidTypes(from)}`}`)
  reasons.push(...lostValues(from, to))
  for (const bound of UPPER)
    if (isBound(to[bound]) && !(isBound(from[bound]) && from[bound] <= to[bound]))
      reasons.push(`has ${bound} ${to[bound]}${isBound(from[bound]) ? `, was ${from[bound]}` : ''}`)
  for (const bound of LOWER)
    if (isBound(to[bound]) && !(isBound(from[bound]) && from[bound] >= to[bound]))
      reasons.push(`has ${bound} ${to[bound]}${isBound(from[bound]) ? `, was ${from[bound]}` : ''}`)
  if (to['pattern'] !== undefined && to['pattern'] !== from['pattern']) reasons.push('has another pattern')
  return reasons
}

const isBound = (value: unknown): value is number => typeof value === 'number'

function typesOf({ type }: Plain): readonly unknown[] {
  if (type === undefined) return TYPES
  const types = Array.isArray(type) ? type : [type]
  return types.includes('number') ? [...types, 'integer'] : types
}

function saidTypes({ type }: Plain): string {
  const types: readonly unknown[] = Array.isArray(type) ? type : [type]
  return types.map(scalarText).join(',')
}

function lostValues(from: Plain, to: Plain): string[] {
  const [before, after] = [valuesOf(from), valuesOf(to)]
  if (after === null) return []
  if (before === null) return ['accepts only certain values now']
  const kept = new Set(after.map(json))
  const lost = before.map(json).filter((value) => !kept.has(value))
  return lost.length === 0 ? [] : [`is never ${lost.slice(0, 10).join(', ').slice(0, 200)} any more`]
}

function valuesOf(schema: Plain): readonly unknown[] | null {
  if (Array.isArray(schema['enum'])) return schema['enum']
  return Object.hasOwn(schema, 'const') ? [schema['const']] : null
}

/**
 * Walks two versions of a schema side by side. In a request, the new one must take what the old one took; in an answer,
 * the old one must take what the new one gives.
 */
class Comparison {
  readonly #shared: Shared
  readonly #direction: 'request' | 'response'
  readonly #tell: Tell
  /** Pairs of references that were followed: schemas may hold themselves. */
  readonly #followed = new Set<string>()
  #left = PAIRS_MAX
  #isTold = false

  constructor(shared: Shared, direction: 'request' | 'response', tell: Tell) {
    this.#shared = shared
    this.#direction = direction
    this.#tell = tell
  }

  run(was: unknown, is: unknown, pointer: string, depth: number = 0): void {
    if (this.#shared.isSame(was, is)) return
    const isOver = --this.#shared.left.pairs < 0
    if (--this.#left < 0 || isOver || depth > DEPTH_MAX) {
      if (!this.#isTold || depth > DEPTH_MAX) this.#tell(pointer, 'too deep to compare; check it yourself')
      this.#isTold = true
      return
    }
    const pair = `${referenceOf(was)} ${referenceOf(is)}`
    if (pair !== ' ') {
      if (this.#followed.has(pair)) return
      this.#followed.add(pair)
    }
    const [before, after] = [follow(was, this.#shared.before), follow(is, this.#shared.after)]
    if (after === false && before !== false) this.#tell(pointer, 'nothing is valid any more')
    const [old, young] = [asObject(before), asObject(after)]
    const isRequest = this.#direction === 'request'
    for (const reason of isRequest ? narrowings(old, young) : widenings(old, young))
      this.#tell(pointer, reason)
    for (const keyword of NOT_JUDGED)
      if (old[keyword] !== young[keyword] && json(old[keyword]) !== json(young[keyword]))
        this.#tell(
          pointerTo(pointer, keyword),
          'was changed in a way that is not compared; check it yourself',
        )
    this.#members(old, young, pointer, depth)
    if (old['items'] !== undefined || (isRequest && young['items'] !== undefined))
      this.run(old['items'] ?? true, young['items'] ?? true, pointerTo(pointer, 'items'), depth + 1)
  }

  #members(old: Plain, young: Plain, pointer: string, depth: number): void {
    const isRequest = this.#direction === 'request'
    const [was, is] = [membersOf(old), membersOf(young)]
    const [wasRequired, isRequired] = [requiredOf(old), requiredOf(young)]
    if (isRequest) {
      for (const name of isRequired)
        if (!wasRequired.includes(name))
          this.#tell(pointerTo(pointer, 'required'), `"${name}" has become required`)
      if (young['additionalProperties'] === false && old['additionalProperties'] !== false)
        this.#tell(pointerTo(pointer, 'additionalProperties'), 'other members are no longer accepted')
    } else
      for (const name of wasRequired)
        if (is.has(name) && !isRequired.includes(name))
          this.#tell(pointerTo(pointer, 'required'), `"${name}" may be missing now`)
    for (const [name, schema] of was) {
      const place = pointerTo(pointer, 'properties', name)
      if (is.has(name)) this.run(schema, is.get(name), place, depth + 1)
      else if (!isRequest) this.#tell(place, 'is no longer described')
      else if (young['additionalProperties'] === false) this.#tell(place, 'is no longer accepted')
    }
  }
}

/** How what the new one gives may be other than what the old one said. */
function widenings(old: Plain, young: Plain): string[] {
  const { type, enum: values, const: value } = old
  const said: Plain = { type, ...(values === undefined ? {} : { enum: values }) }
  if (Object.hasOwn(old, 'const')) said['const'] = value
  const reasons: string[] = []
  const gained = typesOf(young).filter((one) => !typesOf(said).includes(one))
  if (gained.length > 0) reasons.push(`may be ${gained.join(', ')} now, was ${saidTypes(said)}`)
  if (valuesOf(said) !== null) {
    const known = new Set(valuesOf(said)!.map(json))
    const others = valuesOf(young)
      ?.map(json)
      .filter((one) => !known.has(one))
    if (others === undefined) reasons.push('may be any value now')
    else if (others.length > 0) reasons.push(`may be ${others.slice(0, 10).join(', ').slice(0, 200)} now`)
  }
  return reasons
}

function referenceOf(schema: unknown): string {
  const reference = isPlain(schema) ? schema['$ref'] : undefined
  return typeof reference === 'string' ? reference : ''
}

function follow(schema: unknown, schemas: Schemas): unknown {
  let current = schema
  for (let hops = 0; hops < 32; hops++) {
    const name = /^#\/\$defs\/([^/]+)$/.exec(referenceOf(current))?.[1]
    if (name === undefined) return current
    current = Object.hasOwn(schemas, tokenText(name)) ? schemas[tokenText(name)] : true
  }
  return true
}

function asObject(schema: unknown): Plain {
  return isPlain(schema) ? schema : {}
}

function membersOf({ properties }: Plain): ReadonlyMap<string, unknown> {
  return new Map(isPlain(properties) ? Object.entries(properties) : [])
}

function requiredOf({ required }: Plain): readonly string[] {
  return Array.isArray(required) ? required.filter((one) => typeof one === 'string') : []
}
