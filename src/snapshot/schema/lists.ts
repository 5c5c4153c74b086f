/** Keywords of arrays. */
import type { Plain } from '../../base/json/plain.ts'
import type { Check, Places } from './assertions.ts'
import type { Effort } from './effort.ts'

type ArrayCheck = Check<readonly unknown[]>

export function arrayChecks(schema: Plain, places: Places): ArrayCheck[] {
  const checks: ArrayCheck[] = []
  const { maxItems, minItems } = schema
  if (typeof maxItems === 'number')
    checks.push(
      (items, effort) => items.length <= maxItems || effort.fail(`must NOT have more than ${maxItems} items`),
    )
  if (typeof minItems === 'number')
    checks.push(
      (items, effort) =>
        items.length >= minItems || effort.fail(`must NOT have fewer than ${minItems} items`),
    )
  checks.push(...itemChecks(schema, places))
  if (schema['contains'] !== undefined) checks.push(containsCheck(schema, places))
  if (places.isModern && schema['unevaluatedItems'] !== undefined)
    checks.push(unevaluatedCheck(schema['unevaluatedItems'], places))
  return checks
}

function itemChecks(schema: Plain, places: Places): ArrayCheck[] {
  const { items } = schema
  // Draft-07 has its tuples in `items`, and what follows them in `additionalItems`.
  const tuple = places.isModern ? schema['prefixItems'] : items
  const first = Array.isArray(tuple) ? tuple.map((item) => places.part(item)) : []
  const rest = !places.isModern && Array.isArray(items) ? schema['additionalItems'] : items
  const checks: ArrayCheck[] = []
  if (first.length > 0)
    checks.push((values, effort) => {
      let fits = true
      const end = Math.min(first.length, values.length)
      for (let at = 0; at < end; at++) {
        if (first[at]!.fitsBelow(at, values[at], effort)) continue
        fits = false
        if (effort.isDecided) return false
      }
      markItems(effort, end)
      return fits
    })
  if (rest === false)
    checks.push(
      (values, effort) =>
        values.length <= first.length || effort.fail(`must NOT have more than ${first.length} items`),
    )
  else if (rest !== undefined) {
    const part = places.part(rest)
    checks.push((values, effort) => {
      let fits = true
      for (let at = first.length; at < values.length; at++) {
        if (part.fitsBelow(at, values[at], effort)) continue
        fits = false
        if (effort.isDecided) return false
      }
      markItems(effort, values.length)
      return fits
    })
  }
  return checks
}

function markItems(effort: Effort, end: number): void {
  if (effort.evaluated !== null) effort.evaluated.items = Math.max(effort.evaluated.items, end)
}

function containsCheck(schema: Plain, places: Places): ArrayCheck {
  const part = places.part(schema['contains'])
  const { minContains, maxContains } = places.isModern ? schema : ({} as Plain)
  const min = typeof minContains === 'number' ? minContains : 1
  const max = typeof maxContains === 'number' ? maxContains : Number.POSITIVE_INFINITY
  const reason =
    max === Number.POSITIVE_INFINITY
      ? `must contain at least ${min} valid item(s)`
      : `must contain at least ${min} and no more than ${max} valid item(s)`
  return (items, effort) => {
    const { evaluated, goal } = effort
    effort.evaluated = null
    effort.goal = 'fits'
    let found = 0
    for (let at = 0; at < items.length; at++) {
      if (!part.fits(items[at], effort)) continue
      found++
      evaluated?.indexes.add(at)
      if (evaluated === null && (found > max || (max === Number.POSITIVE_INFINITY && found >= min))) break
    }
    effort.evaluated = evaluated
    effort.goal = goal
    return (found >= min && found <= max) || effort.fail(reason)
  }
}

/** Comes after all that evaluates items. */
function unevaluatedCheck(schema: unknown, places: Places): ArrayCheck {
  const part = places.part(schema)
  return (items, effort) => {
    const evaluated = effort.evaluated!
    let fits = true
    for (let at = evaluated.items; at < items.length; at++) {
      effort.spend(1)
      if (evaluated.indexes.has(at)) continue
      if (schema === false) fits = effort.fail(`must NOT have more than ${at} items`)
      else if (!part.fitsBelow(at, items[at], effort)) fits = false
      if (!fits && (schema === false || effort.isDecided)) return false
    }
    evaluated.items = items.length
    return fits
  }
}
