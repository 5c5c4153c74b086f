import { isPlain } from '../../base/json/plain.ts'

export type Variables = Readonly<Record<string, string | number | boolean>>

/** The name of a variable. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/

/** `${var.NAME}`; each dollar more in front of it is one that stands for itself. */
const PLACE = /(\$+)\{var\.([A-Za-z_][A-Za-z0-9_-]{0,63})\}/g

/**
 * A copy with the values of variables in the place of `${var.NAME}`, in texts at any depth; `$${var.NAME}` is the text
 * `${var.NAME}`. A text that is nothing but one variable becomes its value, also a number or a truth value.
 * @param missing told of each name that has no value
 */
export function withVariables(value: unknown, values: Variables, missing: (name: string) => void): unknown {
  const known = (name: string): string | number | boolean => {
    if (Object.hasOwn(values, name)) return values[name]!
    missing(name)
    return ''
  }
  const fill = (item: unknown): unknown => {
    if (typeof item === 'string') return filled(item, known)
    if (Array.isArray(item)) return item.map(fill)
    if (isPlain(item))
      return Object.fromEntries(Object.entries(item).map(([name, inner]) => [name, fill(inner)]))
    return item
  }
  return fill(value)
}

function filled(text: string, known: (name: string) => string | number | boolean): unknown {
  if (!text.includes('{var.')) return text
  const whole = /^\$\{var\.([A-Za-z0-9_-]+)\}$/.exec(text)?.[1]
  if (whole !== undefined && VARIABLE_NAME.test(whole)) return known(whole)
  return text.replaceAll(PLACE, (place, dollars: string, name: string) =>
    dollars.length === 1 ? String(known(name)) : place.slice(1),
  )
}

/** A copy in which nothing is taken for a variable: the inverse of {@link withVariables}. */
export function withoutVariables(value: unknown): unknown {
  if (typeof value === 'string')
    return value.includes('{var.') ? value.replaceAll(PLACE, (place) => `$${place}`) : value
  if (Array.isArray(value)) return value.map(withoutVariables)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutVariables(inner)]))
}
