import { pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import type { Judge, SchemaJudges } from '../../snapshot/schema/judge.ts'
import { ALL_TYPES, itemTypesOf, propertyTypesOf, typesOf } from '../../snapshot/schema/types.ts'
import { isJsonType, readJsonBody } from './json-body.ts'
import {
  inexactOf,
  isNested,
  itemsOf,
  listsOf,
  membersIn,
  objectsOf,
  scalarsOf,
} from './parameter-readings.ts'

/**
 * Adds what is wrong with a parameter to `errors`.
 * @param raw its values as they came; of a list or object in a query also those of `name[...]`
 * @param decode null for text that is no UTF-8
 * @param query the values of all query parameters by name
 */
export type SchemaCheck = (
  raw: readonly string[],
  errors: FieldError[],
  decode: (text: string) => string | null,
  query: ReadonlyMap<string, readonly string[]>,
) => void

/** The check of a parameter that has a schema. The schema is compiled when a value first needs it. */
export function compileSchemaCheck(parameter: Parameter, judges: SchemaJudges): SchemaCheck {
  const { name, in: place, required, schema = true, content_type } = parameter
  const pointer = pointerTo('', place, name)
  let compiled: Judge | null = null
  const judge: Judge = (value, inexact) => {
    compiled ??= judges.of(schema, 'request')
    return compiled(value, inexact)
  }
  const types = typesOf(schema, judges.shared)
  const itemTypes = itemTypesOf(schema, judges.shared)
  /** Its members are query parameters of their own. */
  const isScattered = types.has('object') && types.size < ALL_TYPES.size && delimitsNothing(parameter)

  return (given, errors, decode, query) => {
    // Lines of one field are one list (RFC 9110 section 5.3).
    const raw = place === 'header' && given.length > 1 && types.has('array') ? [given.join(',')] : given
    if (raw.length === 0) {
      if (required && !isScattered) errors.push({ pointer, reason: 'is required' })
      return
    }
    if (content_type !== undefined) {
      const reason = contentFault(content_type, raw, decode, judge)
      if (reason !== null) errors.push({ pointer, reason })
      return
    }
    const readings = readingsOf(raw, decode, query)
    if (readings === null) return
    let first: FieldError[] | null = null
    for (const { value, texts } of readings) {
      const found = judge(value, inexactOf(texts))
      if (found === null) return
      first ??= found
    }
    if (first === null) errors.push({ pointer, reason: 'must not be repeated' })
    else errors.push(...first.map((error) => ({ ...error, pointer: pointer + error.pointer })))
  }

  interface Reading {
    readonly value: unknown
    readonly texts: readonly string[]
  }

  /** Everything that the values may mean, the likeliest first; null when that cannot be said. */
  function readingsOf(
    raw: readonly string[],
    decode: (text: string) => string | null,
    query: ReadonlyMap<string, readonly string[]>,
  ): Reading[] | null {
    const found: Reading[] = []
    const only = raw.length === 1 ? decode(raw[0]!) : null
    if (only !== null) {
      const texts = [only]
      for (const value of scalarsOf(only, types)) found.push({ value, texts })
      // Told what it should have been.
      if (found.length === 0 && !types.has('array') && !types.has('object')) return [{ value: only, texts }]
    }
    if (types.has('array'))
      for (const texts of itemsOf(parameter, raw, decode)) {
        const lists = listsOf(texts, itemTypes)
        if (lists === null || isNested(itemTypes)) return null
        for (const value of lists) found.push({ value, texts })
      }
    if (types.has('object') && types.size < ALL_TYPES.size) {
      const members = isScattered ? null : membersIn(parameter, raw, query, decode)
      const objects =
        members && objectsOf(members, (member) => propertyTypesOf(schema, member, judges.shared))
      if (members === null || objects === null) return null
      for (const value of objects) found.push({ value, texts: [...members.values()] })
    }
    return found
  }
}

/** An object of this parameter has no value of its own: each member is a parameter. */
function delimitsNothing({ in: place, style, explode }: Parameter): boolean {
  return (place === 'query' || place === 'cookie') && (style ?? 'form') === 'form' && explode !== false
}

function contentFault(
  mediaType: string,
  raw: readonly string[],
  decode: (text: string) => string | null,
  judge: Judge,
): string | null {
  if (raw.length > 1) return 'must not be repeated'
  if (!isJsonType(mediaType)) return null
  const read = readJsonBody(Buffer.from(decode(raw[0]!) ?? ''))
  if (!read.ok) return read.reason
  const error = judge(read.value, read.inexact)?.[0]
  return error === undefined ? null : `${error.pointer} ${error.reason}`.trim()
}
