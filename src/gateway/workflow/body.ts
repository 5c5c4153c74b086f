/**
 * Bodies as expressions see them: JSON is parsed, other text is a string, and anything else bytes, which can only be passed on. A
 * value that is passed on as it came leaves with the very bytes that came, so JSON that another reader may understand in another way
 * (a member that stands twice) is not read as JSON. A number that no double holds is a text: expressions would see another number.
 */
import { jsonWithin } from '../../base/json/canonical.ts'
import { isPlain, type Plain, scalarText } from '../../base/json/storable.ts'
import { isNeverPassed } from '../../model/http-names.ts'
import { NodeFailure } from '../../nodes/run.ts'
import { toParameters } from '../../snapshot/find/target.ts'
import type { LinkedProxy } from '../../snapshot/linked-types/collection.ts'
import { readJsonBody } from '../contract/json-body.ts'
import { keptIn } from '../contract/parsed-contracts.ts'
import type { Routed } from '../exchange.ts'
import { firstFieldValue } from '../request-headers.ts'

/** Bytes that came, by the value that they were read as. */
const CAME = new WeakMap<object, Uint8Array>()

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\b/i
const TEXT_TYPE =
  /^(?:text\/|application\/(?:[\w.+-]+\+)?xml\b|application\/(?:javascript|x-www-form-urlencoded|graphql)\b)/i
const UTF_8 = new TextDecoder('utf-8', { fatal: true })
/** Characters of a body that a run makes. */
const JSON_CHARS_MAX = 32 * 1024 * 1024
const EMPTY = new Uint8Array(0)

/** True for the media types whose bodies are JSON. */
export function isJsonType(contentType: string): boolean {
  return JSON_TYPE.test(contentType)
}

/** True for the media types whose bodies are texts for expressions, besides JSON. */
export function isTextType(contentType: string): boolean {
  return TEXT_TYPE.test(contentType)
}

/** The value of the body of a request; null for an empty one. @throws NodeFailure where it is not the JSON that its type promises */
function readRequestBody(bytes: Uint8Array, contentType: string): unknown {
  const value = readBody(bytes, contentType)
  if (value !== bytes || !isJsonType(contentType)) return value
  const read = readJsonBody(bytes)
  throw new NodeFailure('body', `the body ${read.ok ? 'cannot be read' : read.reason}`, 'body_invalid')
}

/** The value of a body; null for an empty one. A body that does not fit its media type stays bytes. */
export function readBody(bytes: Uint8Array, contentType: string): unknown {
  if (bytes.length === 0) return null
  if (isJsonType(contentType)) {
    const read = readJsonBody(bytes, true)
    if (!read.ok) return bytes
    if (typeof read.value === 'object' && read.value !== null) CAME.set(read.value, bytes)
    return read.value
  }
  if (!isTextType(contentType)) return bytes
  try {
    return UTF_8.decode(bytes)
  } catch {
    return bytes
  }
}

/** The bytes of a value, as JSON unless the type is another one and the value a text. @throws NodeFailure for JSON that is too long */
export function bodyBytes(value: unknown, contentType: string): Uint8Array {
  if (value === undefined || value === null) return EMPTY
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string' && !isJsonType(contentType)) return Buffer.from(value)
  const came = isPlain(value) || Array.isArray(value) ? CAME.get(value) : undefined
  if (came !== undefined) return came
  const json = jsonWithin(value, JSON_CHARS_MAX)
  if (json === null)
    throw new NodeFailure('body', `the body is longer than ${JSON_CHARS_MAX} characters of JSON`)
  return Buffer.from(json)
}

/** What a run answers. */
export interface RunAnswer {
  readonly status: number
  /** Header lines. */
  readonly fields: string
  readonly body: Uint8Array
}

/** Names that the gateway itself sets. */
const OWN: ReadonlySet<string> = new Set([
  'date',
  'server',
  'x-request-id',
  'ratelimit',
  'ratelimit-policy',
  'x-cache',
])
const PROBLEM_TYPE = 'application/problem+json'
/** Statuses whose answers have no body (RFC 9110 section 6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** The answer that the outputs of a response node describe. @throws NodeFailure for what is no answer */
export function runAnswer(outputs: Plain, requestId: string): RunAnswer {
  const { status, fields, type, value } = partsOf(outputs, requestId)
  const bytes = bodyBytes(value, type)
  const isEmpty = bytes.length === 0 || BODILESS.has(status)
  if (!isEmpty) fields.set('content-type', [type])
  return { status, fields: toLines(fields), body: isEmpty ? new Uint8Array(0) : bytes }
}

/** The same as the outputs of a node that got it: `status`, `headers` and `body`. @throws NodeFailure for what is no answer */
export function answerValues(outputs: Plain, requestId: string): Plain {
  const { status, fields, type, value } = partsOf(outputs, requestId)
  const body = BODILESS.has(status) ? null : (value ?? null)
  if (body !== null) fields.set('content-type', [type])
  return { status, headers: toFieldObject(toLines(fields)), body }
}

function partsOf({ status, headers, content_type, body, problem }: Plain, requestId: string) {
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    throw new NodeFailure('status', 'status is no whole number from 200 to 599')
  const fields = new Map(readFields(headers, (name) => !OWN.has(name) && !isNeverPassed(name)))
  const isProblem = problem !== undefined && problem !== null
  const type = isProblem ? PROBLEM_TYPE : (fields.get('content-type')?.[0] ?? String(content_type))
  fields.delete('content-type')
  return { status, fields, type, value: isProblem ? toProblem(problem, status, requestId) : body }
}

/** A problem (RFC 9457) of `code` and `detail`. */
function toProblem(problem: unknown, status: number, requestId: string): Plain {
  if (!isPlain(problem)) throw new NodeFailure('problem', 'problem is no object')
  const { code, title, detail, ...rest } = problem
  return {
    type: 'about:blank',
    title: scalarText(title) ?? scalarText(code) ?? 'Error',
    status,
    ...(detail === undefined ? {} : { detail }),
    ...(code === undefined ? {} : { code }),
    ...rest,
    request_id: requestId,
  }
}

// Header fields that nodes set, as lines.

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
/** RFC 9110 section 5.5, without bytes above ASCII. */
const VALUE = /^[\t -~]*$/
const BYTES_MAX = 32 * 1024

/** Values by name, lower case. A list is a field for each item. */
export type FieldList = ReadonlyMap<string, readonly string[]>

/**
 * Reads header fields that a node has computed. Null and undefined leave a field out.
 * @param isKept names, lower case, that no node may set are left out
 * @throws NodeFailure for what is no field
 */
export function readFields(value: unknown, isKept: (name: string) => boolean): FieldList {
  const fields = new Map<string, readonly string[]>()
  if (value === undefined || value === null) return fields
  if (!isPlain(value)) throw new NodeFailure('headers', 'headers is no object')
  let bytes = 0
  for (const [name, given] of Object.entries(value as Plain)) {
    if (given === undefined || given === null || !isKept(name.toLowerCase())) continue
    if (!NAME.test(name)) throw new NodeFailure('headers', 'headers has a name that no header can have')
    const values = [given].flat().map((one) => scalarText(one)?.trim())
    if (!values.every((one) => one !== undefined && VALUE.test(one)))
      throw new NodeFailure('headers', `the value of the header ${name} is no text that a header can hold`)
    for (const one of values) bytes += name.length + one!.length
    if (bytes > BYTES_MAX) throw new NodeFailure('headers', `the headers are longer than ${BYTES_MAX} bytes`)
    fields.set(name.toLowerCase(), values as string[])
  }
  return fields
}

/** Lines that end in CRLF. */
export function toLines(fields: FieldList): string {
  let lines = ''
  for (const [name, values] of fields) for (const value of values) lines += `${name}: ${value}\r\n`
  return lines
}

/** Header lines as an object: names in lower case, values of a repeated header joined by `, `; those of set-cookie are a list. */
export function toFieldObject(lines: string): Plain {
  const found: Plain = Object.create(null) as Plain
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = found[name]
    if (name !== 'set-cookie') found[name] = before === undefined ? value : `${String(before)}, ${value}`
    else if (before === undefined) found[name] = [value]
    else (before as string[]).push(value)
  }
  return found
}

const NOTHING = new Uint8Array(0)
/** What reads the parameters of the path, by proxy. */
const readers = new WeakMap<LinkedProxy, ReturnType<typeof toParameters>>()

/**
 * `request` of an http_trigger. Credentials of the caller are not among the headers. What costs something is read when an expression
 * first asks for it.
 * @param input stands in the place of the body; undefined for the body itself
 */
export function requestValues(exchange: Routed, input?: unknown): Plain {
  const { identity, method, path, ip, requestId, proxy, collection } = exchange
  return lazily(
    {
      method,
      path,
      ip,
      id: requestId,
      client: identity.client.fragment.slug,
      profile: identity.profile.fragment.slug,
      subject: identity.subject,
    },
    {
      path_params: () =>
        Object.fromEntries(
          keptIn(readers, proxy, () => toParameters(proxy.fragment.path, proxy.fragment.target_path))(
            path.slice(collection.fragment.base_path.length),
          )[0] ?? [],
        ),
      query: () => toQueryObject(exchange.query),
      headers: () => toFieldObject(exchange.pass),
      body() {
        if (input !== undefined) return input
        // Plans that look at it have it read before they run
        if (exchange.body === null && exchange.bodyBytes !== 0) throw new TypeError('the body was not read')
        return readRequestBody(exchange.body ?? NOTHING, firstFieldValue(exchange.pass, 'content-type') ?? '')
      },
      claims: () => Object.fromEntries(identity.claims),
    },
  )
}

/** An object with members that are made when they are first asked for. */
export function lazily(values: Plain, makers: Readonly<Record<string, () => unknown>>): Plain {
  const object: Plain = { ...values }
  for (const [name, make] of Object.entries(makers))
    Object.defineProperty(object, name, {
      enumerable: true,
      configurable: true,
      get() {
        const value = make()
        Object.defineProperty(object, name, { value, enumerable: true })
        return value
      },
    })
  return object
}

/** Parameters by name; a repeated one is a list. Takes time linear in the query. */
export function toQueryObject(query: string): Plain {
  const found = Object.create(null) as Record<string, string | string[]>
  for (const [name, value] of new URLSearchParams(query)) {
    const before = found[name]
    if (before === undefined) found[name] = value
    else if (typeof before === 'string') found[name] = [before, value]
    else before.push(value)
  }
  return found
}
