/**
 * Serialization of parameters as OpenAPI 3.1.1 sections 4.8.12.2 to 4.8.12.4 and RFC 6570 define it: a value becomes the text that
 * stands in the path, the query, a header or a cookie.
 *
 * 1. Null and undefined are absent values, also as an item of a list or a member of an object.
 * 2. A text with unpaired surrogates has no encoding: the functions throw a URIError, which {@link ifEncodable} turns into null.
 * 3. Where OpenAPI defines nothing, the text is what servers commonly read: a list or object inside a list or object becomes JSON, and
 *    style deepObject nests brackets.
 */
import { rawNumber } from '../../base/json/exact.ts'
import { isMembers } from '../protocol/message.ts'

/** How a parameter is written. Absent members have the defaults of OpenAPI. */
export interface Form {
  readonly style?: string | undefined
  readonly explode?: boolean | undefined
  /** Media type of a parameter that the description declares with `content`. */
  readonly content_type?: string | undefined
}

/** The text of a path parameter: encoded, with the separator that its style puts before it. */
export interface PathText {
  readonly prefix: string
  readonly encoded: string
  /** The texts that are encoded in it. */
  readonly parts: readonly string[]
}

/** Brackets inside each other in a query. */
const NESTED_MAX = 16
const JSON_TYPE = /[/+]json$/i

/** A string, number or boolean as text, a number with the digits that came; null for anything else. */
export function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : rawNumber(value)
}

/** A value flattened: an item has one text, a member has a name and a text. Null for a value that is no list and no object. */
type Flat = { readonly items: string[] } | { readonly members: [string, string][] } | null

function flatOf(value: unknown): Flat {
  if (Array.isArray(value)) return { items: value.filter(isThere).map(textOf) }
  if (!isMembers(value) || scalarText(value) !== null) return null
  return {
    members: Object.keys(value)
      .filter((name) => isThere(value[name]))
      .map((name) => [name, textOf(value[name])]),
  }
}

function isThere(value: unknown): boolean {
  return value !== null && value !== undefined
}

function textOf(value: unknown): string {
  return scalarText(value) ?? JSON.stringify(value)
}

/** A value that is declared with `content`; null where it has no text in that media type. */
function contentText(type: string, value: unknown): string | null {
  if (!JSON_TYPE.test(type)) return scalarText(value)
  // Models often send the document as a string; it is meant as the document
  return typeof value === 'string' && isDocument(value) ? value : JSON.stringify(value)
}

/** True for the JSON text of an object or a list. */
export function isDocument(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The text of a path parameter (styles simple, label and matrix); null for a value that has none. */
export function pathText(name: string, value: unknown, form: Form): PathText | null {
  const { style = 'simple', explode = false, content_type } = form
  if (content_type !== undefined) {
    const text = contentText(content_type, value)
    return text === null ? null : { prefix: '', encoded: encoded(text), parts: [text] }
  }
  const flat = flatOf(value)
  const scalar = scalarText(value)
  if (flat === null && scalar === null) return null
  const parts = flat === null ? [scalar!] : 'items' in flat ? flat.items : flat.members.flat()
  const isScattered = explode && flat !== null && 'members' in flat
  const separator = !explode ? ',' : style === 'label' ? '.' : style === 'matrix' ? ';' : ','
  const repeated = style === 'matrix' && explode ? `${separator}${encoded(name)}=` : separator
  const text = isScattered
    ? flat.members.map(([key, one]) => `${encoded(key)}=${encoded(one)}`).join(separator)
    : parts.map(encoded).join(repeated)
  const prefix = style === 'label' ? '.' : style !== 'matrix' ? '' : isScattered ? ';' : `;${encoded(name)}=`
  return { prefix, encoded: text, parts }
}

/**
 * The pairs of a query parameter (styles form, spaceDelimited, pipeDelimited and deepObject), encoded: `id=1&id=2`. Empty for a list or
 * object without anything in it; null for a value that has no text.
 * @param form undefined for a parameter that nobody has declared: its objects are written with brackets
 */
export function queryText(name: string, value: unknown, form: Form | undefined): string | null {
  const { style = form === undefined ? 'deepObject' : 'form', content_type } = form ?? {}
  const explode = form?.explode ?? (style === 'form' || style === 'deepObject')
  const pair = (key: string, text: string): string => `${encoded(key)}=${encoded(text)}`
  if (content_type !== undefined) {
    const text = contentText(content_type, value)
    return text === null ? null : pair(name, text)
  }
  const flat = flatOf(value)
  if (flat === null) {
    const text = scalarText(value)
    return text === null ? null : pair(name, text)
  }
  if (style === 'deepObject') return bracketed(name, value, form !== undefined)
  if (explode)
    return 'items' in flat
      ? flat.items.map((one) => pair(name, one)).join('&')
      : flat.members.map(([key, one]) => pair(key, one)).join('&')
  const delimiter = style === 'spaceDelimited' ? '%20' : style === 'pipeDelimited' ? '%7C' : ','
  const texts = 'items' in flat ? flat.items : flat.members.flat()
  return texts.length === 0 ? '' : `${encoded(name)}=${texts.map(encoded).join(delimiter)}`
}

/** Pairs such as `filter[state]=open`. @param marks items of a list have a name of their own, `name[]` */
function bracketed(name: string, value: unknown, marks: boolean): string | null {
  const pairs: string[] = []
  const add = (key: string, one: unknown, depth: number): boolean => {
    if (!isThere(one)) return true
    const text = scalarText(one)
    if (text !== null) {
      pairs.push(`${encoded(key)}=${encoded(text)}`)
      return true
    }
    if (depth > NESTED_MAX) return false
    if (!Array.isArray(one))
      return (
        isMembers(one) && Object.keys(one).every((inner) => add(`${key}[${inner}]`, one[inner], depth + 1))
      )
    return one.every((item: unknown, index) => {
      const isFlat = scalarText(item) !== null
      if (isFlat) return add(marks ? `${key}[]` : key, item, depth + 1)
      return add(`${key}[${index}]`, item, depth + 1)
    })
  }
  return add(name, value, 0) ? pairs.join('&') : null
}

/** The value of a header (style simple); null for a value that has none. Header values are not encoded. */
export function headerText(value: unknown, form: Form): string | null {
  if (form.content_type !== undefined) return contentText(form.content_type, value)
  const flat = flatOf(value)
  if (flat === null) return scalarText(value)
  if ('items' in flat) return flat.items.join(',')
  return form.explode === true
    ? flat.members.map(([key, one]) => `${key}=${one}`).join(',')
    : flat.members.flat().join(',')
}

/** The pairs of a cookie (style form): `id=1`, or `id=1; id=2` for an exploded list. Null for a value that has no text. */
export function cookieText(name: string, value: unknown, form: Form): string | null {
  if (form.content_type !== undefined) {
    const text = contentText(form.content_type, value)
    return text === null ? null : `${name}=${cookieOctets(text)}`
  }
  const flat = flatOf(value)
  if (flat === null) {
    const text = scalarText(value)
    return text === null ? null : `${name}=${cookieOctets(text)}`
  }
  const isList = 'items' in flat
  if (form.explode === false) {
    const texts = isList ? flat.items : flat.members.flat()
    return texts.length === 0 ? '' : `${name}=${texts.map(cookieOctets).join(',')}`
  }
  const pairs: readonly (readonly [string, string])[] = isList
    ? flat.items.map((one) => [name, one])
    : flat.members
  return pairs.map(([key, one]) => `${key}=${cookieOctets(one)}`).join('; ')
}

/** Characters that cannot stand in the value of a cookie, encoded (RFC 6265 section 4.1.1). A comma may, to most readers. */
function cookieOctets(text: string): string {
  return text.replaceAll(/[^!#-:<-[\]-~]/gu, encoded)
}

/** Percent-encoded. Throws a URIError for a text with unpaired surrogates, which has no encoding. */
function encoded(text: string): string {
  return encodeURIComponent(text)
}

/** What `work` gives; null where a text has no encoding. */
export function ifEncodable<T>(work: () => T | null): T | null {
  try {
    return work()
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

// Path patterns such as `/orders/{id}`, as agents use them.

/**
 * Path patterns as an agent uses them: filled with values, or recognised in a concrete path. Only finds and
 * fills; what a path may reach is decided by the gateway's own router when the call runs.
 */
export interface Pattern {
  readonly segments: readonly Segment[]
  /** Names of the parameters in order; `*` for a final wildcard. */
  readonly names: readonly string[]
}

/** Literals and parameter names in turn, starting with a literal: `v{major}.{minor}` is `v`, `major`, `.`, `minor`, ``. */
type Segment = readonly string[]

const PARAMETER = /\{([^{}]+)\}/
const WILDCARD = '*'

/** Reads a pattern such as `/orders/{id}:cancel` or `/files/*`. */
export function toPattern(path: string): Pattern {
  const texts = path.slice(1).split('/')
  const segments = texts.map((text, index) =>
    text === WILDCARD && index === texts.length - 1 ? ['', WILDCARD, ''] : text.split(PARAMETER),
  )
  return { segments, names: segments.flatMap((segment) => segment.filter((_, index) => index % 2 === 1)) }
}

/**
 * The values that make a pattern equal to a concrete path, decoded; null when it cannot be. A value that is read
 * from between two literals ends at the first place that fits.
 */
export function matchPath(pattern: Pattern, path: string): Map<string, string> | null {
  return matchTexts(pattern, toTexts(path))
}

/** The segments of a concrete path, decoded: what {@link matchTexts} compares with many patterns. */
export function toTexts(path: string): string[] {
  return path.slice(1).split('/').map(decoded)
}

/** As {@link matchPath}, for segments that were decoded already. */
export function matchTexts(pattern: Pattern, texts: readonly string[]): Map<string, string> | null {
  const values = new Map<string, string>()
  for (const [index, segment] of pattern.segments.entries()) {
    if (isWildcard(segment)) {
      const rest = texts.slice(index)
      if (rest.length === 0 || rest.some((text) => text.includes('/'))) return null
      values.set(WILDCARD, rest.join('/'))
      return values
    }
    const text = texts[index]
    if (text === undefined || !matchSegment(segment, text, values)) return null
  }
  return texts.length === pattern.segments.length ? values : null
}

/** True when the pattern ends in `/*` and so fits paths of any length. */
export function isOpen(pattern: Pattern): boolean {
  return isWildcard(pattern.segments.at(-1)!)
}

/** The first segment, decoded, when it is a literal; else null. */
export function firstLiteral(pattern: Pattern): string | null {
  const first = pattern.segments[0]!
  return first.length === 1 ? decoded(first[0]!) : null
}

function isWildcard(segment: Segment): boolean {
  return segment[1] === WILDCARD
}

function matchSegment(segment: Segment, text: string, values: Map<string, string>): boolean {
  const head = decoded(segment[0]!)
  if (segment.length === 1) return head === text
  if (!text.startsWith(head)) return false
  let at = head.length
  for (let index = 1; index < segment.length; index += 2) {
    const literal = decoded(segment[index + 1]!)
    const last = index + 2 >= segment.length
    const end = last ? text.length - literal.length : text.indexOf(literal, at + 1)
    if (end <= at || !text.startsWith(literal, end)) return false
    values.set(segment[index]!, text.slice(at, end))
    at = end + literal.length
  }
  return at === text.length
}

/** Percent-decoded once; as it stands when it is no valid encoding. */
function decoded(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Which of two patterns says more about a path, segment by segment: literal, mixed, parameter, wildcard. */
export function moreSpecific(a: Pattern, b: Pattern): number {
  const length = Math.max(a.segments.length, b.segments.length)
  for (let index = 0; index < length; index++) {
    const difference = rankOf(b.segments[index]) - rankOf(a.segments[index])
    if (difference !== 0) return difference
  }
  return 0
}

function rankOf(segment: Segment | undefined): number {
  if (segment === undefined) return -1
  if (segment.length === 1) return 3
  if (isWildcard(segment)) return 0
  return segment[0] === '' && segment.length === 3 && segment[2] === '' ? 1 : 2
}

export type Filled =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly name: string; readonly reason: string }

/**
 * Fills a pattern. Every value is percent-encoded as a whole, so that it stays inside its segment; values that
 * could not (separators, control characters, dot segments, nothing at all) are refused by name. A text that is encoded already stands
 * as it is, without the prefix that the pattern has.
 */
export function fillPattern(pattern: Pattern, values: ReadonlyMap<string, string | PathText>): Filled {
  let path = ''
  for (const segment of pattern.segments) {
    if (segment.length === 1) {
      path += `/${segment[0]}`
      continue
    }
    let text = ''
    for (const [index, part] of segment.entries()) {
      if (index % 2 === 0) {
        text += part
        continue
      }
      const value = values.get(part)
      if (value === undefined) return { ok: false, name: part, reason: 'is required' }
      if (typeof value !== 'string') {
        const fault = value.encoded === '' ? EMPTY : firstFault(value.parts)
        if (fault !== null) return { ok: false, name: part, reason: fault }
        text += (value.prefix !== '.' && text.endsWith(value.prefix) ? '' : value.prefix) + value.encoded
        continue
      }
      const pieces = part === WILDCARD ? value.split('/') : [value]
      for (const [at, piece] of pieces.entries()) {
        const fault = faultOf(piece)
        if (fault !== null) return { ok: false, name: part, reason: fault }
        text += (at === 0 ? '' : '/') + encodeURIComponent(piece)
        if (part === WILDCARD && isDots(piece)) return { ok: false, name: part, reason: DOTS }
      }
    }
    if (isDots(text)) return { ok: false, name: segment[1]!, reason: DOTS }
    path += `/${text}`
  }
  return { ok: true, path }
}

const DOTS = 'must not make a dot segment'

function isDots(text: string): boolean {
  return text === '.' || text === '..'
}

function firstFault(texts: readonly string[]): string | null {
  return texts.map((text) => (text === '' ? null : faultOf(text))).find((fault) => fault !== null) ?? null
}

const EMPTY = 'must not be empty'

function faultOf(value: string): string | null {
  if (value === '') return EMPTY
  if (/[/\\]/.test(value)) return 'must not contain a slash or backslash'
  if (/[\x00-\x1f\x7f]/.test(value)) return 'must not contain control characters'
  return value.isWellFormed() ? null : 'must be valid Unicode'
}
