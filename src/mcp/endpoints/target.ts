import { pointerTo } from '../../base/pointer.ts'
import type { FieldError } from '../../base/refusal.ts'
import { isOfMessage } from '../../model/header-names.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { fillPattern, type Pattern } from './pattern.ts'

/** One call as REST would have sent it. */
export interface Target {
  readonly target: string
  /** Header lines ending in CRLF: those of the agent, and those that stand in for what it left out. */
  readonly fields: string
  readonly ownFields: string
  readonly body: Uint8Array | null
  /** Headers that the agent gave and the gateway sets itself. */
  readonly dropped: readonly string[]
}

type Built =
  | { readonly ok: true; readonly built: Target }
  | { readonly ok: false; readonly errors: readonly FieldError[] }

/** Parameters sorted by where they go. Keys of headers are as given. */
interface Sorted {
  readonly path: Map<string, unknown>
  readonly query: Map<string, unknown>
  readonly headers: Map<string, unknown>
  body: unknown
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
const HEADER_VALUE = /^([!-~]([\t -~]*[!-~])?)?$/
const RAW_QUERY = /^[!"$-~]*$/
const PARAMETERS_MAX = 500

const ACCEPT = 'accept: application/json, */*;q=0.5\r\n'
const JSON_TYPE = 'content-type: application/json\r\n'

/**
 * Builds the call of an endpoint from an agent's parameters.
 * @param known values that a concrete path gave. @param contract asked for only when a parameter stands flat.
 */
export function buildTarget(
  pattern: Pattern,
  known: ReadonlyMap<string, string>,
  rawQuery: string,
  params: Members,
  contract: () => Contract | null,
  idempotencyKey: string | undefined,
): Built {
  const errors: FieldError[] = []
  const sorted = sortParameters(pattern, params, contract, errors)
  const path = fillPath(pattern, known, sorted.path, errors)
  const query = buildQuery(rawQuery, sorted.query, errors)
  const { fields, dropped, type, hasAccept } = buildHeaders(sorted.headers, errors)
  const body = buildBody(sorted.body, type, errors)
  if (errors.length > 0) return { ok: false, errors }
  const key = idempotencyKey === undefined ? '' : `idempotency-key: ${idempotencyKey}\r\n`
  if (key !== '' && !HEADER_VALUE.test(idempotencyKey ?? ''))
    return { ok: false, errors: [{ pointer: '/idempotency_key', reason: 'must be visible ASCII' }] }
  return {
    ok: true,
    built: {
      target: query === '' ? path : `${path}?${query}`,
      fields: fields + key,
      ownFields: (hasAccept ? '' : ACCEPT) + (body !== null && type === undefined ? JSON_TYPE : ''),
      body,
      dropped,
    },
  }
}

function sortParameters(
  pattern: Pattern,
  params: Members,
  contract: () => Contract | null,
  errors: FieldError[],
): Sorted {
  const sorted: Sorted = { path: new Map(), query: new Map(), headers: new Map(), body: undefined }
  const flat: [string, unknown][] = []
  for (const key of Object.keys(params)) {
    const value = params[key]
    if ((key === 'path' || key === 'query' || key === 'headers') && (isMembers(value) || value === null)) {
      for (const name of Object.keys(value ?? {})) sorted[key].set(name, value![name])
    } else if (key === 'body') sorted.body = value
    else flat.push([key, value])
  }
  if (flat.length > 0) sortFlat(pattern, flat, contract()?.parameters ?? [], sorted, errors)
  const size = sorted.path.size + sorted.query.size + sorted.headers.size
  if (size > PARAMETERS_MAX)
    errors.push({ pointer: '/params', reason: `at most ${PARAMETERS_MAX} parameters` })
  return sorted
}

/** Puts parameters that stand without a group where the contract declares their name, if that is one place. */
function sortFlat(
  pattern: Pattern,
  flat: readonly (readonly [string, unknown])[],
  declared: Contract['parameters'],
  sorted: Sorted,
  errors: FieldError[],
): void {
  for (const [key, value] of flat) {
    const pointer = pointerOf('/params', key)
    const places = placesOf(key, pattern, declared)
    const place = places[0]
    if (place === undefined) {
      errors.push({
        pointer,
        reason: 'the contract declares no such name; put it in path, query, headers or body',
      })
    } else if (places.length > 1) {
      errors.push({ pointer, reason: `is declared in ${places.join(' and ')}; put it into one of them` })
    } else if (hasName(sorted[place], key, place === 'headers')) {
      errors.push({ pointer, reason: `is also given in ${place}` })
    } else sorted[place].set(key, value)
  }
}

type Place = 'path' | 'query' | 'headers'

function placesOf(key: string, pattern: Pattern, declared: Contract['parameters']): Place[] {
  const places: Place[] = pattern.names.includes(key) ? ['path'] : []
  if (declared.some((parameter) => parameter.in === 'query' && parameter.name === key)) places.push('query')
  const lower = key.toLowerCase()
  if (declared.some((parameter) => parameter.in === 'header' && parameter.name.toLowerCase() === lower))
    places.push('headers')
  return places
}

function hasName(group: ReadonlyMap<string, unknown>, key: string, anyCase: boolean): boolean {
  if (!anyCase) return group.has(key)
  return [...group.keys()].some((name) => name.toLowerCase() === key.toLowerCase())
}

function fillPath(
  pattern: Pattern,
  known: ReadonlyMap<string, string>,
  given: ReadonlyMap<string, unknown>,
  errors: FieldError[],
): string {
  if (given.size === 0 && pattern.names.length === 0) return fillPatternOrReport(pattern, known, errors)
  const values = new Map(known)
  for (const [name, value] of given) {
    const text = toText(value)
    const wrong = (reason: string): void =>
      void errors.push({ pointer: pointerOf('/params/path', name), reason })
    if (!pattern.names.includes(name))
      wrong(`no such path parameter; there are: ${pattern.names.join(', ') || 'none'}`)
    else if (text === null) wrong('must be a string, number or boolean')
    else if (known.has(name) && known.get(name) !== text)
      wrong('differs from the path that names the endpoint')
    else values.set(name, text)
  }
  return errors.length > 0 ? '' : fillPatternOrReport(pattern, values, errors)
}

function fillPatternOrReport(
  pattern: Pattern,
  values: ReadonlyMap<string, string>,
  errors: FieldError[],
): string {
  const filled = fillPattern(pattern, values)
  if (filled.ok) return filled.path
  errors.push({ pointer: pointerOf('/params/path', filled.name), reason: filled.reason })
  return ''
}

function buildQuery(raw: string, given: ReadonlyMap<string, unknown>, errors: FieldError[]): string {
  if (!RAW_QUERY.test(raw)) {
    errors.push({ pointer: '/endpoint', reason: 'the query must be percent-encoded' })
    return ''
  }
  let query = raw
  const add = (name: string, text: string): void => {
    query += `${query === '' ? '' : '&'}${encodeURIComponent(name)}=${encodeURIComponent(text)}`
  }
  for (const [name, value] of given) {
    if (value === null || value === undefined) continue
    const items: [string, unknown][] = isMembers(value)
      ? Object.keys(value).map((key) => [`${name}[${key}]`, value[key]])
      : (Array.isArray(value) ? value : [value]).map((item: unknown) => [name, item])
    for (const [key, item] of items) {
      const text = toText(item)
      if (text === null || !text.isWellFormed() || !key.isWellFormed()) {
        errors.push({
          pointer: pointerOf('/params/query', name),
          reason: 'must be a string, number, boolean, a list or a flat object of these',
        })
        break
      }
      add(key, text)
    }
  }
  return query
}

interface Headers {
  readonly fields: string
  readonly dropped: readonly string[]
  /** Media type of the body; undefined when the agent names none. */
  readonly type: string | undefined
  readonly hasAccept: boolean
}

const NO_HEADERS: Headers = { fields: '', dropped: [], type: undefined, hasAccept: false }

function buildHeaders(given: ReadonlyMap<string, unknown>, errors: FieldError[]): Headers {
  if (given.size === 0) return NO_HEADERS
  const dropped: string[] = []
  const names = new Set<string>()
  let fields = ''
  let type: string | undefined
  for (const [name, value] of given) {
    if (value === null || value === undefined) continue
    const lower = name.toLowerCase()
    const text = toText(value)
    const wrong = (reason: string): void =>
      void errors.push({ pointer: pointerOf('/params/headers', name), reason })
    if (!HEADER_NAME.test(name)) wrong('is no header name')
    else if (text === null || !HEADER_VALUE.test(text)) wrong('must be visible ASCII without line breaks')
    else if (names.has(lower)) wrong('is given twice')
    else if (isOfMessage(lower)) dropped.push(name)
    else {
      fields += `${lower}: ${text}\r\n`
      if (lower === 'content-type') type = text
    }
    names.add(lower)
  }
  return { fields, dropped, type, hasAccept: names.has('accept') }
}

/** JSON unless the agent names another media type: forms from a flat object, else text as it stands. */
function buildBody(body: unknown, type: string | undefined, errors: FieldError[]): Uint8Array | null {
  if (body === undefined) return null
  if (type === undefined || /[/+]json\b/i.test(type)) {
    // Models often send the document as a string; it is meant as the document.
    if (typeof body === 'string' && isDocument(body)) return Buffer.from(body)
    return Buffer.from(JSON.stringify(body))
  }
  if (typeof body === 'string') return Buffer.from(body)
  if (/^application\/x-www-form-urlencoded\b/i.test(type) && isMembers(body)) {
    const before = errors.length
    const form = buildQuery('', new Map(Object.entries(body)), errors)
    return errors.length === before ? Buffer.from(form) : null
  }
  errors.push({ pointer: '/params/body', reason: `must be a string for content-type ${type.slice(0, 64)}` })
  return null
}

function isDocument(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function toText(value: unknown): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function pointerOf(base: string, key: string): string {
  return pointerTo(base, key.slice(0, 128))
}
