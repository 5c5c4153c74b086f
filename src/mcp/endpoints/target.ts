/** Builds the request of a call from the parameters of an agent, as REST would have sent it. */
import { pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { type BodyForm, bodyFormOf } from '../../model/api/body-form.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import { isOfMessage } from '../../model/http-names.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { bodyBytes } from './body-bytes.ts'
import {
  cookieText,
  type Form,
  fillPattern,
  headerText,
  ifEncodable,
  type PathText,
  type Pattern,
  pathText,
  queryText,
  scalarText,
} from './parameter-text.ts'

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

const PLACES = ['path', 'query', 'headers', 'cookies'] as const
/** Where a parameter goes, as the groups of `params` are called. */
export type Place = (typeof PLACES)[number]

/** What a call is built by. Each function is called only for a call that needs it. */
export interface Told {
  /** Declared parameters, by whose names parameters without a group find their place. */
  readonly parameters: () => readonly Pick<Parameter, 'in' | 'name'>[]
  /** How a declared parameter is written; undefined for one that is not declared. */
  readonly formOf: (place: Place, name: string) => Form | undefined
  /** How the body is written. @param type the media type that the agent names, in lower case and without parameters */
  readonly bodyForm: (type: string | undefined, body: unknown) => BodyForm
}

/** Parameters sorted by where they go. Keys of headers are as given. */
interface Sorted extends Readonly<Record<Place, Map<string, unknown>>> {
  body: unknown
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
const HEADER_VALUE = /^([!-~]([\t -~]*[!-~])?)?$/
const COOKIE_NAME = HEADER_NAME
const RAW_QUERY = /^[!"$-~]*$/
const PARAMETERS_MAX = 500
const NO_FORM: Form = Object.freeze({})

const ACCEPT = 'accept: application/json, */*;q=0.5\r\n'

/**
 * Builds the call of an endpoint from an agent's parameters.
 * @param known values that a concrete path gave
 */
export function buildTarget(
  pattern: Pattern,
  known: ReadonlyMap<string, string>,
  rawQuery: string,
  params: Members,
  told: Told,
  idempotencyKey: string | undefined,
): Built {
  const errors: FieldError[] = []
  const sorted = sortParameters(pattern, params, told, errors)
  const path = fillPath(pattern, known, sorted.path, told, errors)
  const query = buildQuery(rawQuery, sorted.query, told, errors)
  const { fields, dropped, type, hasAccept } = buildHeaders(sorted, told, errors)
  const body = buildBody(sorted.body, type, told, errors)
  if (errors.length > 0) return { ok: false, errors }
  const key = idempotencyKey === undefined ? '' : `idempotency-key: ${idempotencyKey}\r\n`
  if (key !== '' && !HEADER_VALUE.test(idempotencyKey ?? ''))
    return { ok: false, errors: [{ pointer: '/idempotency_key', reason: 'must be visible ASCII' }] }
  const typeOfBody = body?.type ?? type
  const typeLine = typeOfBody === undefined ? '' : `content-type: ${typeOfBody}\r\n`
  return {
    ok: true,
    built: {
      target: query === '' ? path : `${path}?${query}`,
      fields: fields + (type === undefined ? '' : typeLine) + key,
      ownFields: (hasAccept ? '' : ACCEPT) + (type === undefined ? typeLine : ''),
      body: body?.bytes ?? null,
      dropped,
    },
  }
}

function sortParameters(pattern: Pattern, params: Members, told: Told, errors: FieldError[]): Sorted {
  const sorted: Sorted = {
    path: new Map(),
    query: new Map(),
    headers: new Map(),
    cookies: new Map(),
    body: undefined,
  }
  const flat: [string, unknown][] = []
  for (const key of Object.keys(params)) {
    const value = params[key]
    const place = PLACES.find((one) => one === key)
    if (place !== undefined && (isMembers(value) || value === null)) {
      for (const name of Object.keys(value ?? {})) sorted[place].set(name, value![name])
    } else if (key === 'body') sorted.body = value
    else flat.push([key, value])
  }
  if (flat.length > 0) sortFlat(pattern, flat, told.parameters(), sorted, errors)
  if (PLACES.reduce((sum, place) => sum + sorted[place].size, 0) > PARAMETERS_MAX)
    errors.push({ pointer: '/params', reason: `at most ${PARAMETERS_MAX} parameters` })
  return sorted
}

/** Puts parameters that stand without a group where the contract declares their name, if that is one place. */
function sortFlat(
  pattern: Pattern,
  flat: readonly (readonly [string, unknown])[],
  declared: ReturnType<Told['parameters']>,
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
        reason: 'the contract declares no such name; put it in path, query, headers, cookies or body',
      })
    } else if (places.length > 1) {
      errors.push({ pointer, reason: `is declared in ${places.join(' and ')}; put it into one of them` })
    } else if (hasName(sorted[place], key, place === 'headers')) {
      errors.push({ pointer, reason: `is also given in ${place}` })
    } else sorted[place].set(key, value)
  }
}

function placesOf(key: string, pattern: Pattern, declared: ReturnType<Told['parameters']>): Place[] {
  const places: Place[] = pattern.names.includes(key) ? ['path'] : []
  if (declared.some((parameter) => parameter.in === 'query' && parameter.name === key)) places.push('query')
  const lower = key.toLowerCase()
  if (declared.some((parameter) => parameter.in === 'header' && parameter.name.toLowerCase() === lower))
    places.push('headers')
  if (declared.some((parameter) => parameter.in === 'cookie' && parameter.name === key))
    places.push('cookies')
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
  told: Told,
  errors: FieldError[],
): string {
  const values = new Map<string, string | PathText>(known)
  for (const [name, value] of given) {
    const text = scalarText(value)
    const form = told.formOf('path', name)
    const isPlainText = text !== null && (name === '*' || isSimple(form))
    const made = isPlainText ? text : ifEncodable(() => pathText(name, value, form ?? NO_FORM))
    const wrong = (reason: string): void =>
      void errors.push({ pointer: pointerOf('/params/path', name), reason })
    if (!pattern.names.includes(name))
      wrong(`no such path parameter; there are: ${pattern.names.join(', ') || 'none'}`)
    else if (made === null) wrong('must be a string, number, boolean, or a list or object of these')
    else if (known.has(name) && known.get(name) !== text)
      wrong('differs from the path that names the endpoint')
    // A concrete path has its values as they are written
    else if (!known.has(name)) values.set(name, made)
  }
  return errors.length > 0 ? '' : fillPatternOrReport(pattern, values, errors)
}

/** A scalar of this form is written as it is. */
function isSimple(form: Form | undefined): boolean {
  return (form?.style ?? 'simple') === 'simple' && form?.content_type === undefined
}

function fillPatternOrReport(
  pattern: Pattern,
  values: ReadonlyMap<string, string | PathText>,
  errors: FieldError[],
): string {
  const filled = fillPattern(pattern, values)
  if (filled.ok) return filled.path
  errors.push({ pointer: pointerOf('/params/path', filled.name), reason: filled.reason })
  return ''
}

function buildQuery(
  raw: string,
  given: ReadonlyMap<string, unknown>,
  told: Told,
  errors: FieldError[],
): string {
  if (!RAW_QUERY.test(raw)) {
    errors.push({ pointer: '/endpoint', reason: 'the query must be percent-encoded' })
    return ''
  }
  const pairs = raw === '' ? [] : [raw]
  for (const [name, value] of given) {
    if (value === null || value === undefined) continue
    const text = ifEncodable(() => queryText(name, value, told.formOf('query', name)))
    if (text === null)
      errors.push({
        pointer: pointerOf('/params/query', name),
        reason: 'must be a string, number, boolean, or a list or object of these',
      })
    else if (text !== '') pairs.push(text)
  }
  return pairs.join('&')
}

interface Headers {
  /** Without the line of the media type. */
  readonly fields: string
  readonly dropped: readonly string[]
  /** Media type of the body; undefined when the agent names none. */
  readonly type: string | undefined
  readonly hasAccept: boolean
}

const NO_HEADERS: Headers = { fields: '', dropped: [], type: undefined, hasAccept: false }

function buildHeaders({ headers: given, cookies }: Sorted, told: Told, errors: FieldError[]): Headers {
  if (given.size === 0 && cookies.size === 0) return NO_HEADERS
  const dropped: string[] = []
  const names = new Set<string>()
  let fields = ''
  let type: string | undefined
  const cookie = buildCookies(cookies, told, errors)
  for (const [name, value] of given) {
    if (value === null || value === undefined) continue
    const lower = name.toLowerCase()
    const text = headerText(value, told.formOf('headers', name) ?? NO_FORM)
    const wrong = (reason: string): void =>
      void errors.push({ pointer: pointerOf('/params/headers', name), reason })
    if (!HEADER_NAME.test(name)) wrong('is no header name')
    else if (text === null || !HEADER_VALUE.test(text)) wrong('must be visible ASCII without line breaks')
    else if (names.has(lower)) wrong('is given twice')
    else if (isOfMessage(lower)) dropped.push(name)
    else if (lower === 'cookie') cookie.unshift(text)
    else if (lower === 'content-type') type = text
    else fields += `${lower}: ${text}\r\n`
    names.add(lower)
  }
  if (cookie.length > 0) fields += `cookie: ${cookie.join('; ')}\r\n`
  return { fields, dropped, type, hasAccept: names.has('accept') }
}

function buildCookies(given: ReadonlyMap<string, unknown>, told: Told, errors: FieldError[]): string[] {
  const pairs: string[] = []
  for (const [name, value] of given) {
    if (value === null || value === undefined) continue
    const text = ifEncodable(() => cookieText(name, value, told.formOf('cookies', name) ?? NO_FORM))
    const wrong = (reason: string): void =>
      void errors.push({ pointer: pointerOf('/params/cookies', name), reason })
    if (!COOKIE_NAME.test(name)) wrong('is no cookie name')
    else if (text === null || !HEADER_VALUE.test(text))
      wrong('must be a string, number, boolean, or a list or object of these')
    else if (text !== '') pairs.push(text)
  }
  return pairs
}

function buildBody(body: unknown, line: string | undefined, told: Told, errors: FieldError[]) {
  if (body === undefined) return null
  const [named] = line === undefined ? [] : line.toLowerCase().split(/\s*;/, 1)
  const form = told.bodyForm(named, body)
  return bodyBytes(body, form, line, errors)
}

function pointerOf(base: string, key: string): string {
  return pointerTo(base, key.slice(0, 128))
}

/** A contract, with the schemas that its references lead to. */
export interface FoundContract {
  readonly contract: Contract
  readonly schemas: Readonly<Record<string, unknown>>
}

const NO_PARAMETERS: readonly Parameter[] = []
const NO_CONTRACT = { request_schema: null }
const PLACE_OF = { path: 'path', query: 'query', header: 'headers', cookie: 'cookies' } as const

/**
 * How a contract says that a call is built.
 * @param find asked at most once, and only for a call with parameters or a body
 */
export function toldByContract(find: () => FoundContract | null): Told {
  let found: FoundContract | null | undefined
  const contract = (): FoundContract | null => {
    if (found === undefined) found = find()
    return found
  }
  const parameters = (): readonly Parameter[] => contract()?.contract.parameters ?? NO_PARAMETERS
  return {
    parameters,
    formOf: (place, name) => parameters().find((one) => isCalled(one, place, name)),
    bodyForm: (type, body) =>
      bodyFormOf(contract()?.contract ?? NO_CONTRACT, contract()?.schemas ?? {}, type, Array.isArray(body)),
  }
}

function isCalled(parameter: Parameter, place: Place, name: string): boolean {
  if (PLACE_OF[parameter.in] !== place) return false
  return place === 'headers' ? parameter.name.toLowerCase() === name.toLowerCase() : parameter.name === name
}
