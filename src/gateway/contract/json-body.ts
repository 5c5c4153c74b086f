import { isExactNumber, keepDoubles, withLongNumbersAsTexts } from '../../base/json/exact.ts'
import {
  beginsNumber,
  endOfString,
  lookAtNames,
  numberAt,
  parseEscapedNames,
  QUOTE,
} from '../../base/json/scan.ts'
import { isPlain } from '../../base/json/storable.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import type { Judge, SchemaJudges } from '../../snapshot/schema/judge.ts'

/**
 * Reading of JSON bodies that a later reader must understand in the same way: a member that stands twice, or nesting
 * that one parser refuses and another does not, would let a body say one thing here and another thing there.
 */
const DEPTH_MAX = 100
const NO_NUMBERS: ReadonlySet<number> = new Set()

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export type ReadBody =
  | {
      readonly ok: true
      readonly value: unknown
      /** Doubles that stand for numbers that they do not hold exactly. */
      readonly inexact: ReadonlySet<number>
    }
  | { readonly ok: false; readonly reason: string }

/**
 * The value of a body (RFC 8259), or one sentence on why it has none.
 * @param hasLongTexts numbers that no double holds are texts: for what computes with the value. Then none is inexact
 */
export function readJsonBody(body: Uint8Array, hasLongTexts = false): ReadBody {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    return { ok: false, reason: 'must be UTF-8' }
  }
  if (text.charCodeAt(0) === 0xfeff) return { ok: false, reason: 'must not begin with a byte order mark' }
  const { doubt, hasEscapes } = lookAtNames(text, DEPTH_MAX)
  if (doubt === 'deep') return { ok: false, reason: `is nested more than ${DEPTH_MAX} deep` }
  if (doubt !== null) {
    const name = JSON.stringify(doubt.twice.slice(0, 80))
    return { ok: false, reason: `has the member ${name} twice in one object` }
  }
  try {
    const plain: unknown = JSON.parse(text)
    const read = hasLongTexts ? withLongNumbersAsTexts(text) : text
    const again = (): unknown => (hasEscapes ? parseEscapedNames(read) : JSON.parse(read))
    const value = hasEscapes || read !== text ? again() : plain
    // The bytes may be passed on: a schema must not take their numbers for texts
    if (read !== text) keepDoubles(value, hasEscapes ? parseEscapedNames(text) : plain)
    return { ok: true, value, inexact: hasLongTexts ? NO_NUMBERS : inexactIn(text) }
  } catch {
    return { ok: false, reason: 'must be JSON' }
  }
}

/** Stands in every text with a number that a double may not hold. */
const LONG = /\d[\d.]{14}|[eE][+-]?\d\d/

/** The doubles of a JSON text that are not the numbers that were written. */
function inexactIn(text: string): ReadonlySet<number> {
  if (!LONG.test(text)) return NO_NUMBERS
  const found = new Set<number>()
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) at = endOfString(text, at) - 1
    else if (beginsNumber(code)) {
      const number = numberAt(text, at)
      if (!isExactNumber(number)) found.add(Number(number))
      at += number.length - 1
    }
  }
  return found
}

/** What the contract asks of a body. */
export interface BodyRule {
  /** There must be one. */
  readonly required: boolean
  /** Media types and ranges that are taken. */
  readonly types: readonly string[]
  /** Of JSON bodies of a media type; null when any is good. */
  judgeFor(essence: string): Judge | null
}

const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH'])
const JSON_TYPES = ['application/json', 'application/*+json', 'text/json']

/** Null when the contract says nothing about bodies. */
export function compileBodyRule(contract: Contract, method: string, judges: SchemaJudges): BodyRule | null {
  const { request_schema: schema, request_schemas = {}, request_types: given, request_required } = contract
  if (schema === null && given.length === 0) return null
  // The importer notes the type of bodies that are no JSON in their schema.
  const other = isPlain(schema) ? schema['contentMediaType'] : undefined
  const types = given.length > 0 ? given : typeof other === 'string' ? [other.toLowerCase()] : JSON_TYPES
  const judgeOf = (one: JsonSchema | null): Judge | null =>
    one === null || one === true ? null : judges.of(one, 'request')
  const common = typeof other === 'string' ? null : judgeOf(schema)
  const own = new Map(Object.entries(request_schemas).map(([type, one]) => [type, judgeOf(one)]))
  return {
    required: request_required && BODY_METHODS.has(method),
    types,
    judgeFor(essence) {
      if (own.size === 0) return common
      const type = bestOf(essence, types)
      const judge = type === null ? undefined : own.get(type)
      return judge === undefined ? common : judge
    },
  }
}

const ESSENCE = /[!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+/y
/**
 * One parameter, or none between two semicolons. Clients often leave quotes out though a value needs them
 * (`type=application/dicom`, `action=urn:a`): it is taken where nobody could read something else of it.
 */
const PARAMETER =
  /[\t ]*;[\t ]*(?:([!#$%&'*+.^_`|~0-9a-z-]+)=(?:([!#$%&'*+.^_`|~0-9a-z:/?@<>()-]+)|"((?:[^"\\]|\\.)*)"))?/y

/** What a Content-Type says, in lower case; null when it is no media type (RFC 9110 8.3.1), or says two things of its charset. */
export function mediaTypeOf(value: string): { readonly essence: string; readonly charset: string } | null {
  const text = value.toLowerCase().trimEnd()
  ESSENCE.lastIndex = 0
  const essence = ESSENCE.exec(text)?.[0]
  if (essence === undefined) return null
  let charset: string | null = null
  for (let at = essence.length; at < text.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at
    const found = PARAMETER.exec(text)
    if (found === null) return null
    const [, name, token, quoted] = found
    if (name !== 'charset') continue
    const said = token ?? quoted!.replace(/\\(.)/g, '$1')
    // Readers differ in which of two they take.
    if (charset !== null && charset !== said) return null
    charset = said
  }
  return { essence, charset: charset ?? 'utf-8' }
}

/** A body of this charset is read as UTF-8. */
export function isUtf8(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii'
}

/** True for media types whose bodies are JSON, in lower case and without parameters (RFC 6839 section 3.1). */
export function isJsonType(essence: string): boolean {
  return essence === 'application/json' || essence === 'text/json' || essence.endsWith('+json')
}

/** Whether a media type is in a list of types and ranges (`image/*`, `application/*+json`). */
export function isTaken(essence: string, types: readonly string[]): boolean {
  return types.some((type) => fits(essence, type))
}

/** The narrowest of the types and ranges that a media type is in, as RFC 9110 12.5.1 has it for Accept; null when in none. */
function bestOf(essence: string, types: readonly string[]): string | null {
  const found = types.filter((type) => fits(essence, type))
  return found.sort((a, b) => widthOf(a) - widthOf(b) || b.length - a.length)[0] ?? null
}

function widthOf(type: string): number {
  if (type === '*/*') return 3
  return type.includes('*') ? (type.endsWith('*') ? 2 : 1) : 0
}

function fits(essence: string, type: string): boolean {
  if (type === essence || type === '*/*') return true
  const star = type.indexOf('*')
  return star !== -1 && essence.startsWith(type.slice(0, star)) && essence.endsWith(type.slice(star + 1))
}
