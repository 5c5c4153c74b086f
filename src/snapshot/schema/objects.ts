/** Keywords of objects. */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { type Applied, type Check, type Places, patternTest } from './assertions.ts'
import type { Effort } from './effort.ts'

type ObjectCheck = Check<Plain>

/** Properties of an object are found by their names in the schema while they are at most so many times as many. */
const MANY = 8

export function objectChecks(schema: Plain, places: Places): ObjectCheck[] {
  const checks: ObjectCheck[] = []
  const { maxProperties, minProperties, required } = schema
  if (typeof maxProperties === 'number')
    checks.push(
      (object, effort) =>
        sizeOf(object, effort) <= maxProperties ||
        effort.fail(`must NOT have more than ${maxProperties} properties`),
    )
  if (typeof minProperties === 'number')
    checks.push(
      (object, effort) =>
        sizeOf(object, effort) >= minProperties ||
        effort.fail(`must NOT have fewer than ${minProperties} properties`),
    )
  if (Array.isArray(required)) checks.push(requiredCheck(required as string[]))
  if (schema['propertyNames'] !== undefined) checks.push(namesCheck(places.part(schema['propertyNames'])))
  if (schema['additionalProperties'] !== undefined) checks.push(additionalCheck(schema, places))
  checks.push(...dependencyChecks(schema['dependencies'], places))
  if (isPlain(schema['properties'])) checks.push(propertiesCheck(schema['properties'], places))
  if (isPlain(schema['patternProperties'])) checks.push(patternsCheck(schema['patternProperties'], places))
  if (places.isModern) {
    checks.push(...dependencyChecks(schema['dependentSchemas'], places))
    checks.push(...dependencyChecks(schema['dependentRequired'], places))
    if (schema['unevaluatedProperties'] !== undefined)
      checks.push(unevaluatedCheck(schema['unevaluatedProperties'], places))
  }
  return checks
}

function namesOf(object: Plain, effort: Effort): readonly string[] {
  const names = Object.keys(object)
  effort.spend(names.length)
  return names
}

function sizeOf(object: Plain, effort: Effort): number {
  return namesOf(object, effort).length
}

function requiredCheck(required: readonly string[]): ObjectCheck {
  return (object, effort) => {
    effort.spend(required.length)
    let fits = true
    for (const name of required) {
      if (Object.hasOwn(object, name)) continue
      fits = effort.fail('is required', name)
      if (effort.isDecided) break
    }
    return fits
  }
}

function namesCheck(part: Applied): ObjectCheck {
  return (object, effort) => {
    const { evaluated } = effort
    effort.evaluated = null
    let fits = true
    for (const name of namesOf(object, effort)) {
      if (part.fits(name, effort)) continue
      fits = effort.fail('property name must be valid')
      if (effort.isDecided) break
    }
    effort.evaluated = evaluated
    return fits
  }
}

interface Pattern {
  readonly fits: Check<string>
  readonly part: Applied
}

function patternsOf(patterns: unknown, places: Places): readonly Pattern[] {
  if (!isPlain(patterns)) return []
  return Object.entries(patterns).map(([source, schema]) => ({
    fits: patternTest(source),
    part: places.part(schema),
  }))
}

function additionalCheck(schema: Plain, places: Places): ObjectCheck {
  const { additionalProperties, properties } = schema
  const known = new Set(isPlain(properties) ? Object.keys(properties) : [])
  const patterns = patternsOf(schema['patternProperties'], places)
  const part = places.part(additionalProperties)
  const isClosed = additionalProperties === false
  const isKnown = (name: string, effort: Effort): boolean => {
    if (known.has(name)) return true
    effort.spend(patterns.length)
    return patterns.some((pattern) => pattern.fits(name, effort))
  }
  return (object, effort) => {
    let fits = true
    for (const name of namesOf(object, effort)) {
      if (isKnown(name, effort)) continue
      if (isClosed) fits = effort.fail(mustNotHave(name))
      else if (!part.fitsBelow(name, object[name], effort)) fits = false
      if (!fits && effort.isDecided) return false
    }
    if (effort.evaluated !== null) effort.evaluated.allNames = true
    return fits
  }
}

function mustNotHave(name: string): string {
  return `must not have the property ${JSON.stringify(name.slice(0, 80))}`
}

function propertiesCheck(properties: Plain, places: Places): ObjectCheck {
  const parts = new Map(Object.entries(properties).map(([name, schema]) => [name, places.part(schema)]))
  const one = (name: string, part: Applied, object: Plain, effort: Effort): boolean => {
    effort.evaluated?.names.add(name)
    return part.fitsBelow(name, object[name], effort)
  }
  return (object, effort) => {
    let fits = true
    if (parts.size > MANY) {
      const names = namesOf(object, effort)
      if (names.length * MANY < parts.size) {
        for (const name of names) {
          const part = parts.get(name)
          if (part === undefined || one(name, part, object, effort)) continue
          fits = false
          if (effort.isDecided) return false
        }
        return fits
      }
    }
    effort.spend(parts.size)
    for (const [name, part] of parts) {
      if (!Object.hasOwn(object, name) || one(name, part, object, effort)) continue
      fits = false
      if (effort.isDecided) return false
    }
    return fits
  }
}

function patternsCheck(sources: Plain, places: Places): ObjectCheck {
  const patterns = patternsOf(sources, places)
  return (object, effort) => {
    let fits = true
    for (const name of namesOf(object, effort))
      for (const pattern of patterns) {
        effort.spend(1)
        if (!pattern.fits(name, effort)) continue
        effort.evaluated?.names.add(name)
        if (pattern.part.fitsBelow(name, object[name], effort)) continue
        fits = false
        if (effort.isDecided) return false
      }
    return fits
  }
}

/** Of `dependencies` each is a schema or a list of names; 2020-12 has a keyword for either. */
function dependencyChecks(dependencies: unknown, places: Places): ObjectCheck[] {
  if (!isPlain(dependencies)) return []
  return Object.entries(dependencies).map(([property, needs]) => {
    if (!Array.isArray(needs)) {
      const part = places.part(needs)
      return (object, effort) => !Object.hasOwn(object, property) || part.fitsInPlace(object, effort)
    }
    const check = requiredCheck(needs as string[])
    return (object, effort) => !Object.hasOwn(object, property) || check(object, effort)
  })
}

/** Comes after all that evaluates properties. */
function unevaluatedCheck(schema: unknown, places: Places): ObjectCheck {
  const part = places.part(schema)
  return (object, effort) => {
    const evaluated = effort.evaluated!
    if (evaluated.allNames) return true
    let fits = true
    for (const name of namesOf(object, effort)) {
      if (evaluated.names.has(name)) continue
      if (schema === false) fits = effort.fail(mustNotHave(name))
      else if (!part.fitsBelow(name, object[name], effort)) fits = false
      if (!fits && effort.isDecided) return false
    }
    evaluated.allNames = true
    return fits
  }
}
