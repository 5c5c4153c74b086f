/**
 * The keywords of JSON Schema (2020-12 and draft-07) that apply other schemas to a value or to its parts. A schema is linked once: each
 * of its keywords becomes a {@link Check}, without generated code, so that linking is linear in the schema. Each application of a schema
 * is a step of the {@link Effort}.
 */
import { isPlain, type Plain } from '../../base/plain.ts'
import { pointerTo } from '../../base/pointer.ts'
import type { Effort } from './effort.ts'
import type { Findings } from './findings.ts'
import { type Check, fail, KEYWORDS, namesOf, patternOf } from './keywords.ts'
import { SHARED, type SharedReference, TAGGED, type Tagged } from './prepare.ts'

/** A linked schema. */
export interface Linked {
  readonly schema: Plain | boolean
  /** Empty for `true`; null for `false`. */
  checks: readonly Check[] | null
  /** It applies other schemas, so that its depth counts. */
  applies: boolean
}

/** Where the references of one schema lead. */
export interface Targets {
  /** The schema at a local reference. Throws a RangeError where there is none. */
  local(reference: string): Linked
  /** A shared schema; linked when a value leads there. */
  shared(reference: SharedReference): Linked
}

/** The keywords that say something of values, in the order in which they are judged and told. */
const ORDER: ReadonlyMap<string, number> = new Map(
  [
    ...['$ref', '$dynamicRef', '$recursiveRef', SHARED],
    ...KEYWORDS.keys(),
    ...[TAGGED, 'not', 'anyOf', 'oneOf', 'allOf', 'if', 'prefixItems', 'items', 'contains', 'dependencies'],
    ...['dependentSchemas', 'propertyNames', 'additionalProperties', 'properties', 'patternProperties'],
    ...['unevaluatedItems', 'unevaluatedProperties'],
  ].map((keyword, index) => [keyword, index]),
)

function byOrder(a: string, b: string): number {
  return (ORDER.get(a) ?? 0) - (ORDER.get(b) ?? 0)
}

/** Links the schemas of one document; a schema that stands in it once is linked once. */
export class Linker {
  readonly #targets: Targets
  readonly #lenient: boolean
  readonly #linked = new Map<object, Linked>()
  readonly #waiting: Linked[] = []

  constructor(targets: Targets, lenient: boolean) {
    this.#targets = targets
    this.#lenient = lenient
  }

  /** Links a schema and all that it holds. Throws a RangeError that says which keyword cannot be used. */
  link(schema: unknown): Linked {
    const linked = this.of(schema)
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop())
      if (isPlain(next.schema)) {
        next.checks = this.#checksOf(next, next.schema)
        next.applies = Object.keys(next.schema).some((keyword) => !KEYWORDS.has(keyword))
      }
    return linked
  }

  /** The linked form of a schema, whose checks may follow. */
  of(schema: unknown): Linked {
    if (typeof schema === 'boolean') return schema ? ANYTHING : NOTHING
    if (!isPlain(schema)) throw new RangeError('a schema is an object, true or false')
    const known = this.#linked.get(schema)
    if (known !== undefined) return known
    const linked: Linked = { schema, checks: [], applies: false }
    this.#linked.set(schema, linked)
    this.#waiting.push(linked)
    return linked
  }

  #listOf(keyword: string, value: unknown): readonly Linked[] {
    if (!Array.isArray(value) || value.length === 0) return fail(keyword, 'is a list of schemas')
    return value.map((one) => this.of(one))
  }

  #mapOf(keyword: string, value: unknown): ReadonlyMap<string, Linked> {
    if (!isPlain(value)) return fail(keyword, 'is a map of schemas')
    return new Map(Object.entries(value).map(([name, one]) => [name, this.of(one)]))
  }

  #checksOf(self: Linked, schema: Plain): Check[] {
    const checks: Check[] = []
    for (const keyword of Object.keys(schema).sort(byOrder)) {
      if (!ORDER.has(keyword)) continue
      const value = schema[keyword]
      const check =
        KEYWORDS.get(keyword)?.(value, this.#lenient) ?? this.#applied(keyword, value, schema, self)
      if (check !== null) checks.push(check)
    }
    return checks
  }

  /** The check of a keyword that applies schemas; null for one that another keyword reads with its own. */
  #applied(keyword: string, value: unknown, schema: Plain, self: Linked): Check | null {
    switch (keyword) {
      case '$ref':
      case '$dynamicRef':
      case '$recursiveRef': {
        if (typeof value !== 'string') return fail(keyword, 'is a reference')
        const target = this.#targets.local(value)
        return referenceTo(() => target)
      }
      case SHARED: {
        let target: Linked | undefined
        return referenceTo(() => {
          target ??= this.#targets.shared(value as SharedReference)
          return target
        })
      }
      case TAGGED:
        return this.#tagged(value as Tagged)
      case 'not':
        return not(this.of(value))
      case 'anyOf':
        return anyOf(this.#listOf(keyword, value))
      case 'oneOf':
        return oneOf(this.#listOf(keyword, value))
      case 'allOf':
        return allOf(this.#listOf(keyword, value))
      case 'if': {
        const branch = (name: string): Linked =>
          Object.hasOwn(schema, name) ? this.of(schema[name]) : ANYTHING
        return conditional(this.of(value), branch('then'), branch('else'))
      }
      case 'prefixItems':
        return 'items' in schema ? null : itemsCheck(this.#listOf(keyword, value), ANYTHING)
      case 'items': {
        const { prefixItems = [], additionalItems = true } = schema
        if (Array.isArray(value))
          return itemsCheck(
            value.map((one) => this.of(one)),
            this.of(additionalItems),
          )
        const tuple = Array.isArray(prefixItems) ? prefixItems.map((one) => this.of(one)) : []
        return itemsCheck(tuple, this.of(value))
      }
      case 'contains': {
        const countOf = (name: string, usual: number): number => {
          const count = schema[name] ?? usual
          return typeof count === 'number' && count >= 0 ? count : fail(name, 'is a number')
        }
        return contains(this.of(value), countOf('minContains', 1), countOf('maxContains', Infinity))
      }
      case 'dependencies':
        return this.#dependencies(value)
      case 'dependentSchemas':
        return dependent(this.#mapOf(keyword, value))
      case 'propertyNames':
        return propertyNames(this.of(value))
      case 'additionalProperties': {
        const { properties, patternProperties } = schema
        const names = new Set(isPlain(properties) ? Object.keys(properties) : [])
        return additionalCheck(names, this.#patternsOf(patternProperties ?? {}), this.of(value))
      }
      case 'properties':
        return propertiesCheck(this.#mapOf(keyword, value))
      case 'patternProperties':
        return patternsCheck(this.#patternsOf(value))
      case 'unevaluatedItems':
        return this.#unevaluatedItems(self, this.of(value))
      case 'unevaluatedProperties':
        return this.#unevaluatedProperties(self, this.of(value))
      default:
        return null
    }
  }

  #patternsOf(value: unknown): PatternRule[] {
    return [...this.#mapOf('patternProperties', value)].map(([source, one]) => ({
      test: patternOf(source, this.#lenient) ?? EVERYTHING,
      one,
    }))
  }

  /** The alternative that a property of the value names is the only one that counts (OpenAPI 3.1 section 4.8.25). */
  #tagged({ property, tags, alternatives }: Tagged): Check {
    const names = Object.keys(tags)
    const chosen = (value: unknown): Linked | null => this.#chosen({ property, tags, alternatives }, value)
    for (const one of alternatives) this.of(one)
    return {
      fits: (value, effort) => {
        const one = chosen(value)
        return one !== null && fits(one, value, effort)
      },
      explain: (value, place, findings) => {
        const one = chosen(value)
        if (one !== null) explain(one, value, place, findings)
        else if (!isPlain(value)) findings.add(place, 'must be object')
        else if (!Object.hasOwn(value, property)) findings.addMember(place, property, 'is required')
        else findings.addMember(place, property, `must be one of ${JSON.stringify(names).slice(0, 200)}`)
      },
    }
  }

  #chosen({ property, tags, alternatives }: Tagged, value: unknown): Linked | null {
    if (!isPlain(value) || !Object.hasOwn(value, property)) return null
    const tag = value[property]
    return typeof tag === 'string' && Object.hasOwn(tags, tag) ? this.of(alternatives[tags[tag]!]) : null
  }

  /** Of draft-07: names, or a schema, that a member asks for. */
  #dependencies(value: unknown): Check {
    if (!isPlain(value)) return fail('dependencies', 'is a map')
    const schemas = new Map<string, Linked>()
    const names: Plain = {}
    for (const [name, one] of Object.entries(value))
      if (Array.isArray(one)) names[name] = namesOf('dependencies', one)
      else schemas.set(name, this.of(one))
    return allChecks([KEYWORDS.get('dependentRequired')!(names, this.#lenient)!, dependent(schemas)])
  }

  #unevaluatedItems(self: Linked, rest: Linked): Check {
    const left = (value: readonly unknown[], effort: Effort): number[] => {
      const seen = new Set<number>()
      return this.#itemsSeen(self, value, effort, seen, true)
        ? []
        : [...value.keys()].filter((index) => !seen.has(index))
    }
    return {
      fits: (value, effort) =>
        !Array.isArray(value) || left(value, effort).every((index) => fits(rest, value[index], effort)),
      explain: (value, place, findings) => {
        const items = value as readonly unknown[]
        for (const index of left(items, findings.effort))
          if (rest === NOTHING) findings.add(pointerTo(place, index), 'is not allowed here')
          else explain(rest, items[index], pointerTo(place, index), findings)
      },
    }
  }

  #unevaluatedProperties(self: Linked, rest: Linked): Check {
    const left = (value: Plain, effort: Effort): string[] => {
      const seen = new Set<string>()
      return this.#propertiesSeen(self, value, effort, seen, true)
        ? []
        : Object.keys(value).filter((name) => !seen.has(name))
    }
    return {
      fits: (value, effort) =>
        !isPlain(value) || left(value, effort).every((name) => fits(rest, value[name], effort)),
      explain: (value, place, findings) => {
        for (const name of left(value as Plain, findings.effort))
          if (rest === NOTHING) findings.add(place, tooMany(name))
          else explain(rest, (value as Plain)[name], pointerTo(place, name), findings)
      },
    }
  }

  /** The schemas about the same value that it fits, for what they have looked at (2020-12 section 11). */
  #fittingIn({ schema }: Linked, value: unknown, effort: Effort): Linked[] {
    effort.spend(1)
    if (!isPlain(schema)) return []
    const found: Linked[] = []
    const add = (one: Linked): void => {
      if (fits(one, value, effort)) found.push(one)
    }
    for (const keyword of ['$ref', '$dynamicRef', '$recursiveRef'])
      if (typeof schema[keyword] === 'string') found.push(this.#targets.local(schema[keyword]))
    if (schema[SHARED] !== undefined) found.push(this.#targets.shared(schema[SHARED] as SharedReference))
    for (const keyword of ['allOf', 'anyOf', 'oneOf'])
      if (Array.isArray(schema[keyword])) for (const one of schema[keyword]) add(this.of(one))
    const chosen = schema[TAGGED] === undefined ? null : this.#chosen(schema[TAGGED] as Tagged, value)
    if (chosen !== null) found.push(chosen)
    if (schema['if'] !== undefined) {
      const condition = this.of(schema['if'])
      const isMet = fits(condition, value, effort)
      if (isMet) found.push(condition)
      const branch = schema[isMet ? 'then' : 'else']
      if (branch !== undefined) add(this.of(branch))
    }
    for (const keyword of ['dependentSchemas', 'dependencies'])
      if (isPlain(schema[keyword]) && isPlain(value))
        for (const [name, one] of Object.entries(schema[keyword]))
          if (Object.hasOwn(value, name) && !Array.isArray(one)) add(this.of(one))
    return found
  }

  /** Adds the names of members that a schema has looked at. True for all of them. */
  #propertiesSeen(
    linked: Linked,
    value: Plain,
    effort: Effort,
    seen: Set<string>,
    isOwner: boolean,
  ): boolean {
    const { schema } = linked
    if (!isPlain(schema)) return false
    if (schema['additionalProperties'] !== undefined) return true
    if (!isOwner && schema['unevaluatedProperties'] !== undefined) return true
    const { properties, patternProperties } = schema
    const names = Object.keys(value)
    effort.spend(names.length)
    if (isPlain(properties)) for (const name of names) if (Object.hasOwn(properties, name)) seen.add(name)
    if (isPlain(patternProperties))
      for (const source of Object.keys(patternProperties)) {
        const test = patternOf(source, this.#lenient) ?? EVERYTHING
        for (const name of names) if (test(name, effort)) seen.add(name)
      }
    return deeper(effort, () =>
      this.#fittingIn(linked, value, effort)
        // Each is looked at, since all add what they have seen
        .map((one) => this.#propertiesSeen(one, value, effort, seen, false))
        .includes(true),
    )
  }

  /** The same for items, by their index. */
  #itemsSeen(
    linked: Linked,
    value: readonly unknown[],
    effort: Effort,
    seen: Set<number>,
    isOwner: boolean,
  ): boolean {
    const { schema } = linked
    if (!isPlain(schema)) return false
    const { items, prefixItems, contains: wanted } = schema
    const tuple = Array.isArray(items) ? items : Array.isArray(prefixItems) ? prefixItems : []
    const hasRest = Array.isArray(items) ? schema['additionalItems'] !== undefined : items !== undefined
    if (hasRest || (!isOwner && schema['unevaluatedItems'] !== undefined)) return true
    for (let index = 0; index < tuple.length; index++) seen.add(index)
    if (wanted !== undefined)
      for (const [index, item] of value.entries()) if (fits(this.of(wanted), item, effort)) seen.add(index)
    return deeper(effort, () =>
      this.#fittingIn(linked, value, effort)
        .map((one) => this.#itemsSeen(one, value, effort, seen, false))
        .includes(true),
    )
  }
}

const ANYTHING: Linked = { schema: true, checks: [], applies: false }
const NOTHING: Linked = { schema: false, checks: null, applies: false }
const EVERYTHING = (): boolean => true

/** True for a value that fits. Throws TooMuch for one that takes too long. */
export function fits({ checks, applies }: Linked, value: unknown, effort: Effort): boolean {
  effort.spend(1)
  if (checks === null) return false
  if (applies) effort.enter()
  let index = 0
  while (index < checks.length && checks[index]!.fits(value, effort)) index++
  if (applies) effort.leave()
  return index === checks.length
}

/** Tells why a value does not fit; nothing for one that does. */
export function explain(linked: Linked, value: unknown, place: string, findings: Findings): void {
  const { checks } = linked
  const { effort } = findings
  if (checks === null) findings.add(place, 'is not allowed here')
  deeper(effort, () => {
    for (const check of checks ?? []) {
      if (findings.isFull) return
      if (!check.fits(value, effort)) check.explain(value, place, findings)
    }
  })
}

function deeper<T>(effort: Effort, work: () => T): T {
  effort.enter()
  const result = work()
  effort.leave()
  return result
}

/** What the target has said of an object or list is kept: where a schema leads back into itself, the ways to a part multiply. */
function referenceTo(targetOf: () => Linked): Check {
  return {
    fits: (value, effort) => {
      const target = targetOf()
      if (value === null || typeof value !== 'object') return fits(target, value, effort)
      const known = effort.known(target)
      const before = known.get(value)
      if (before !== undefined) {
        effort.spend(1)
        return before
      }
      const result = fits(target, value, effort)
      known.set(value, result)
      return result
    },
    explain: (value, place, findings) => explain(targetOf(), value, place, findings),
  }
}

function not(one: Linked): Check {
  return {
    fits: (value, effort) => !fits(one, value, effort),
    explain: (_, place, findings) => findings.add(place, 'must NOT be valid'),
  }
}

function allOf(list: readonly Linked[]): Check {
  return {
    fits: (value, effort) => list.every((one) => fits(one, value, effort)),
    explain: (value, place, findings) => {
      for (const one of list) explain(one, value, place, findings)
    },
  }
}

function anyOf(list: readonly Linked[]): Check {
  return {
    fits: (value, effort) => list.some((one) => fits(one, value, effort)),
    explain: (value, place, findings) => {
      for (const one of list) explain(one, value, place, findings)
      findings.add(place, 'must match a schema in anyOf')
    },
  }
}

function oneOf(list: readonly Linked[]): Check {
  const count = (value: unknown, effort: Effort): number => {
    let found = 0
    for (const one of list) if (fits(one, value, effort) && ++found > 1) break
    return found
  }
  return {
    fits: (value, effort) => count(value, effort) === 1,
    explain: (value, place, findings) => {
      if (count(value, findings.effort) === 0) for (const one of list) explain(one, value, place, findings)
      findings.add(place, 'must match exactly one schema in oneOf')
    },
  }
}

function conditional(condition: Linked, then: Linked, otherwise: Linked): Check {
  const branch = (value: unknown, effort: Effort): Linked =>
    fits(condition, value, effort) ? then : otherwise
  return {
    fits: (value, effort) => fits(branch(value, effort), value, effort),
    explain: (value, place, findings) => {
      const chosen = branch(value, findings.effort)
      explain(chosen, value, place, findings)
      findings.add(place, `must match "${chosen === then ? 'then' : 'else'}" schema`)
    },
  }
}

function allChecks(checks: readonly Check[]): Check {
  return {
    fits: (value, effort) => checks.every((check) => check.fits(value, effort)),
    explain: (value, place, findings) => {
      for (const check of checks)
        if (!check.fits(value, findings.effort)) check.explain(value, place, findings)
    },
  }
}

function itemsCheck(tuple: readonly Linked[], rest: Linked): Check {
  const schemaAt = (index: number): Linked => tuple[index] ?? rest
  return {
    fits: (value, effort) => {
      if (!Array.isArray(value)) return true
      const count = rest === ANYTHING ? Math.min(tuple.length, value.length) : value.length
      for (let index = 0; index < count; index++)
        if (!fits(schemaAt(index), value[index], effort)) return false
      return true
    },
    explain: (value, place, findings) => {
      const items = value as readonly unknown[]
      if (rest === NOTHING && items.length > tuple.length)
        findings.add(place, `must NOT have more than ${tuple.length} items`)
      for (let index = 0; index < items.length && !findings.isFull; index++)
        if (schemaAt(index) !== NOTHING)
          explain(schemaAt(index), items[index], pointerTo(place, index), findings)
    },
  }
}

function contains(one: Linked, min: number, max: number): Check {
  const bounds = max === Infinity ? `at least ${min}` : `at least ${min} and no more than ${max}`
  return {
    fits: (value, effort) => {
      if (!Array.isArray(value)) return true
      let found = 0
      for (const item of value) {
        if (!fits(one, item, effort)) continue
        found++
        if (found > max) return false
        if (found >= min && max === Infinity) return true
      }
      return found >= min
    },
    explain: (_, place, findings) => findings.add(place, `must contain ${bounds} valid item(s)`),
  }
}

function dependent(schemas: ReadonlyMap<string, Linked>): Check {
  const asked = (value: unknown): Linked[] =>
    isPlain(value) ? [...schemas].flatMap(([name, one]) => (Object.hasOwn(value, name) ? [one] : [])) : []
  return {
    fits: (value, effort) => {
      effort.spend(schemas.size >> 2)
      return asked(value).every((one) => fits(one, value, effort))
    },
    explain: (value, place, findings) => {
      for (const one of asked(value)) explain(one, value, place, findings)
    },
  }
}

function propertyNames(one: Linked): Check {
  return {
    fits: (value, effort) => !isPlain(value) || Object.keys(value).every((name) => fits(one, name, effort)),
    explain: (value, place, findings) => {
      for (const name of Object.keys(value as Plain))
        if (!fits(one, name, findings.effort)) {
          explain(one, name, place, findings)
          findings.add(place, 'property name must be valid')
          if (findings.isFull) return
        }
    },
  }
}

function propertiesCheck(properties: ReadonlyMap<string, Linked>): Check {
  const list = [...properties]
  return {
    fits: (value, effort) => {
      if (!isPlain(value)) return true
      effort.spend(list.length >> 3)
      for (const [name, one] of list)
        if (Object.hasOwn(value, name) && !fits(one, value[name], effort)) return false
      return true
    },
    explain: (value, place, findings) => {
      for (const [name, one] of list)
        if (Object.hasOwn(value as Plain, name) && !findings.isFull)
          explain(one, (value as Plain)[name], pointerTo(place, name), findings)
    },
  }
}

interface PatternRule {
  readonly test: (text: string, effort: Effort) => boolean
  readonly one: Linked
}

function patternsCheck(patterns: readonly PatternRule[]): Check {
  return {
    fits: (value, effort) =>
      !isPlain(value) ||
      Object.keys(value).every((name) =>
        patterns.every(({ test, one }) => !test(name, effort) || fits(one, value[name], effort)),
      ),
    explain: (value, place, findings) => {
      for (const [name, part] of Object.entries(value as Plain))
        for (const { test, one } of patterns)
          if (!findings.isFull && test(name, findings.effort))
            explain(one, part, pointerTo(place, name), findings)
    },
  }
}

function additionalCheck(
  properties: ReadonlySet<string>,
  patterns: readonly PatternRule[],
  one: Linked,
): Check {
  const isOther = (name: string, effort: Effort): boolean =>
    !properties.has(name) && !patterns.some(({ test }) => test(name, effort))
  return {
    fits: (value, effort) => {
      if (!isPlain(value) || one === ANYTHING) return true
      for (const name of Object.keys(value)) {
        effort.spend(1)
        if (isOther(name, effort) && !fits(one, value[name], effort)) return false
      }
      return true
    },
    explain: (value, place, findings) => {
      for (const [name, part] of Object.entries(value as Plain)) {
        if (findings.isFull) return
        if (!isOther(name, findings.effort)) continue
        if (one === NOTHING) findings.add(place, tooMany(name))
        else explain(one, part, pointerTo(place, name), findings)
      }
    },
  }
}

function tooMany(name: string): string {
  return `must not have the property ${JSON.stringify(name.slice(0, 80))}`
}
