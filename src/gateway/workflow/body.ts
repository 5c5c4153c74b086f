/**
 * Bodies as expressions see them: JSON is parsed, other text is a string, and anything else bytes, which can only be passed on. A
 * value that is passed on as it came leaves with the very bytes that came, so JSON that another reader may understand in another way
 * (a member that stands twice) is not read as JSON.
 */
import { jsonWithin } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/plain.ts'
import { NodeFailure } from '../../nodes/run.ts'
import { readJsonBody } from '../contract/json-body.ts'

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
export function readRequestBody(bytes: Uint8Array, contentType: string): unknown {
  const value = readBody(bytes, contentType)
  if (value !== bytes || !isJsonType(contentType)) return value
  const read = readJsonBody(bytes)
  throw new NodeFailure('body', `the body ${read.ok ? 'cannot be read' : read.reason}`, 'body_invalid')
}

/** The value of a body; null for an empty one. A body that does not fit its media type stays bytes. */
export function readBody(bytes: Uint8Array, contentType: string): unknown {
  if (bytes.length === 0) return null
  if (isJsonType(contentType)) {
    const read = readJsonBody(bytes)
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
