/**
 * What the text of a parameter may mean. The text `7` is a number or a string, `a,b` is a list or a string: only the schema
 * tells, and sometimes not even that. A parameter fits when one of its readings fits.
 */
import { isExactNumber } from '../../base/json/exact.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import { ALL_TYPES, type Type } from '../../snapshot/schema/types.ts'

/** Lists of items that may each be read in several ways: more combinations than these are not tried. */
const COMBINATIONS_MAX = 64

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/** One text as the scalars that it may be, the narrowest first. Empty when it is none of the types. */
export function scalarsOf(text: string, types: ReadonlySet<Type>): unknown[] {
  const found: unknown[] = []
  if (types.has('number') && NUMBER.test(text)) found.push(Number(text))
  if (types.has('boolean') && (text === 'true' || text === 'false')) found.push(text === 'true')
  if (types.has('null') && (text === '' || text === 'null')) found.push(null)
  if (types.has('string')) found.push(text)
  return found
}

/** A text is a number that a double does not hold: the double. */
export function inexactOf(texts: readonly string[]): ReadonlySet<number> {
  return new Set(texts.filter((text) => NUMBER.test(text) && !isExactNumber(text)).map(Number))
}

/** True for values that are not written as one text, by no settled form. What may be anything may be a scalar. */
export function isNested(types: ReadonlySet<Type>): boolean {
  return types.size < ALL_TYPES.size && (types.has('array') || types.has('object'))
}

/**
 * Lists that the texts of items may be. Null when there are too many to try, so that nothing can be said. An item that is
 * none of the types stands as it is written.
 */
export function listsOf(texts: readonly string[], types: ReadonlySet<Type>): unknown[][] | null {
  const choices = texts.map((text) => {
    const scalars = scalarsOf(text, types)
    return scalars.length === 0 ? [text] : scalars
  })
  if (
    choices.reduce((count, { length }) => Math.min(count * length, COMBINATIONS_MAX + 1), 1) >
    COMBINATIONS_MAX
  )
    return null
  return choices.reduce<unknown[][]>(
    (lists, some) => lists.flatMap((list) => some.map((one) => [...list, one])),
    [[]],
  )
}

/**
 * Texts of the items of a list, in each way in which it may be written; that of its style first. Delimiters are looked for
 * before and after decoding: clients escape them or not.
 *
 * @param raw the values as they came, without the prefix of their style
 * @param decode null for text that is no UTF-8
 */
export function itemsOf(
  parameter: Parameter,
  raw: readonly string[],
  decode: (text: string) => string | null,
): string[][] {
  const found: string[][] = []
  const add = (texts: readonly string[]): void => {
    const decoded = texts.map(decode)
    if (decoded.every((text) => text !== null)) found.push(decoded)
  }
  const [only] = raw
  if (raw.length !== 1 || only === undefined) {
    add(raw)
    return found
  }
  const delimiter = delimiterOf(parameter)
  const whole = decode(only)
  if (delimiter !== null) add(only.split(delimiter))
  add(raw)
  if (delimiter === null) add(only.split(','))
  if (whole !== null) found.push(whole.split(','), ...(delimiter === null ? [] : [whole.split(delimiter)]))
  // `tsv` of OpenAPI 2.0, which later versions have no style for
  if (whole?.includes('\t') === true) found.push(whole.split('\t'))
  // A list without items, and a list of one empty text
  if (only === '') found.push([])
  if (parameter.in === 'header') return found.map((items) => items.map((item) => item.trim()))
  return found
}

/** What stands between the items of a list in one value; null when each has a value of its own. */
function delimiterOf({ in: place, name, style, explode }: Parameter): RegExp | string | null {
  switch (style ?? (place === 'query' || place === 'cookie' ? 'form' : 'simple')) {
    case 'spaceDelimited':
      return /%20|\+| /
    case 'pipeDelimited':
      return /%7C|\|/i
    case 'label':
      return explode === true ? '.' : /[.,]/
    case 'matrix':
      return explode === true ? `;${name}=` : ','
    case 'form':
      return explode === false ? ',' : null
    default:
      return ','
  }
}

/** The value of a path parameter without what its style puts before it. */
export function withoutPrefix({ name, style }: Parameter, raw: string): string {
  if (style === 'label') return raw.startsWith('.') ? raw.slice(1) : raw
  if (style !== 'matrix') return raw
  const text = raw.replace(/^(?:;|%3B)/i, '')
  // The pattern has it already
  if (text === raw) return raw
  if (text === name) return ''
  for (const equals of ['=', '%3D', '%3d'])
    if (text.startsWith(name + equals)) return text.slice(name.length + equals.length)
  return text
}

/** Members of an object by name, as the texts that were sent; null where its style does not tell which they are. */
export function membersIn(
  parameter: Parameter,
  raw: readonly string[],
  query: ReadonlyMap<string, readonly string[]>,
  decode: (text: string) => string | null,
): ReadonlyMap<string, string> | null {
  const { name, style, explode } = parameter
  const found = new Map<string, string>()
  if (style === 'deepObject') {
    for (const [key, values] of query) {
      if (!key.startsWith(`${name}[`)) continue
      const member = /^\[([^[\]]+)\]$/.exec(key.slice(name.length))?.[1]
      const text = values.length === 1 ? decode(values[0]!) : null
      if (member === undefined || text === null) return null
      found.set(member, text)
    }
    return found
  }
  const [only] = raw
  const delimiter = delimiterOf(parameter)
  if (raw.length !== 1 || only === undefined || delimiter === null) return null
  const parts = only.split(style === 'matrix' && explode === true ? ';' : delimiter)
  const isPairs = explode === true
  if (!isPairs && parts.length % 2 === 1) return null
  for (let at = 0; at < parts.length; at += isPairs ? 1 : 2) {
    const [member, value] = isPairs ? pairOf(parts[at]!) : [parts[at]!, parts[at + 1]!]
    const [key, text] = [decode(member.trim()), value === undefined ? null : decode(value.trim())]
    if (key === null || text === null || found.has(key)) return null
    found.set(key, text)
  }
  return found
}

function pairOf(text: string): [string, string | undefined] {
  const equals = text.indexOf('=')
  return equals === -1 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)]
}

/** Objects that members may be; null when there are too many, or a member is no scalar, whose forms nobody has settled. */
export function objectsOf(
  members: ReadonlyMap<string, string>,
  typesOfMember: (name: string) => ReadonlySet<Type>,
): object[] | null {
  const names = [...members.keys()]
  let values: unknown[][] = [[]]
  for (const name of names) {
    const types = typesOfMember(name)
    if (isNested(types)) return null
    const text = members.get(name)!
    const scalars = scalarsOf(text, types)
    const some = scalars.length === 0 ? [text] : scalars
    values = values.flatMap((list) => some.map((one) => [...list, one]))
    if (values.length > COMBINATIONS_MAX) return null
  }
  return values.map((list) => Object.fromEntries(list.map((value, index) => [names[index]!, value])))
}
