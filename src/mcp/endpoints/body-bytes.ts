/**
 * Makes the body of a call: JSON, forms (WHATWG URL section 5.2, RFC 7578), text, or bytes that the caller gives as base64 or
 * as a data URL.
 */
import { hash } from 'node:crypto'
import { pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { type BodyForm, isJson, isMultipart, isUrlEncoded } from '../../model/api/body-form.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { ifEncodable, isDocument, queryText, scalarText } from './parameter-text.ts'

/** A body, and the media type with its parameters. */
interface Body {
  readonly bytes: Uint8Array
  readonly type: string
}

const POINTER = '/params/body'
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/
const DATA_URL = /^data:([^,;]*)((?:;[^,;]*)*),/i
const NOT_BYTES = 'must be base64, or a data: URL'

/**
 * The bytes of a body.
 * @param line the media type with parameters, as the caller has named it; undefined for that of the form
 * @returns null where something is wrong, which stands in `errors` then
 */
export function bodyBytes(
  body: unknown,
  form: BodyForm,
  line: string | undefined,
  errors: FieldError[],
): Body | null {
  const type = line ?? form.type
  const wrong = (reason: string): null => {
    errors.push({ pointer: POINTER, reason })
    return null
  }
  if (isJson(form.type)) {
    // Models often send the document as a string; it is meant as the document
    const text = typeof body === 'string' && isDocument(body) ? body : JSON.stringify(body)
    return { bytes: Buffer.from(text), type }
  }
  const scalar = scalarText(body)
  if (scalar === null && isMembers(body) && isUrlEncoded(form.type)) {
    const text = urlEncoded(body, errors)
    return text === null ? null : { bytes: Buffer.from(text), type }
  }
  if (scalar === null && isMembers(body) && isMultipart(form.type)) return multipart(body, form, errors)
  if (form.base64 === true) {
    const file = typeof body === 'string' ? fileOf(body) : null
    // The description says which type the body has, or which range its type is of
    return file === null ? wrong(NOT_BYTES) : { bytes: file.bytes, type: line ?? file.type ?? form.type }
  }
  if (scalar === null) return wrong(`must be a string for content-type ${type.slice(0, 64)}`)
  return { bytes: Buffer.from(scalar), type }
}

function urlEncoded(body: Members, errors: FieldError[]): string | null {
  const pairs: string[] = []
  for (const name of Object.keys(body)) {
    const value = body[name]
    if (value === null || value === undefined) continue
    const text = ifEncodable(() => queryText(name, value, undefined))
    if (text === null) {
      errors.push({
        pointer: pointerTo(POINTER, name.slice(0, 128)),
        reason: 'must be text, or a list or object of it',
      })
      return null
    }
    if (text !== '') pairs.push(text)
  }
  return pairs.join('&')
}

/** A part: of a list each item is one (OpenAPI 3.1.1 section 4.8.15.3). */
function multipart(body: Members, { base64 }: BodyForm, errors: FieldError[]): Body | null {
  const files = new Set(base64 === true ? [] : base64)
  const parts: Buffer[] = []
  for (const name of Object.keys(body)) {
    const value = body[name]
    for (const one of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (one === null || one === undefined) continue
      if (!files.has(name)) {
        parts.push(fieldPart(name, one))
        continue
      }
      const file = typeof one === 'string' ? fileOf(one) : null
      if (file === null) {
        errors.push({ pointer: pointerTo(POINTER, name.slice(0, 128)), reason: NOT_BYTES })
        return null
      }
      const head = `${disposition(name)}; filename="${quoted(file.name ?? name)}"\r\nContent-Type: ${file.type ?? 'application/octet-stream'}\r\n\r\n`
      parts.push(Buffer.concat([Buffer.from(head), file.bytes]))
    }
  }
  // The same body has the same boundary, so that a repeated idempotency key meets the same bytes
  const boundary = `postern-${hash('sha256', Buffer.concat(parts), 'hex').slice(0, 40)}`
  const line = Buffer.from(`--${boundary}\r\n`)
  const end = Buffer.from('\r\n')
  const bytes = Buffer.concat([
    ...parts.flatMap((part) => [line, part, end]),
    Buffer.from(`--${boundary}--\r\n`),
  ])
  return { bytes, type: `multipart/form-data; boundary=${boundary}` }
}

function fieldPart(name: string, value: unknown): Buffer {
  const text = scalarText(value)
  const type = text === null ? '\r\nContent-Type: application/json' : ''
  return Buffer.from(`${disposition(name)}${type}\r\n\r\n${text ?? JSON.stringify(value)}`)
}

function disposition(name: string): string {
  return `Content-Disposition: form-data; name="${quoted(name)}"`
}

/** As browsers write names of fields and files (WHATWG HTML section 4.10.21.8). */
function quoted(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

interface File {
  readonly bytes: Buffer
  readonly type: string | undefined
  readonly name: string | undefined
}

/** Bytes of base64 in either alphabet, or of a data URL (RFC 2397), whose parameter `name` names the file; null for other texts. */
function fileOf(text: string): File | null {
  const url = DATA_URL.exec(text)
  if (url === null) {
    const bytes = fromBase64(text)
    return bytes === null ? null : { bytes, type: undefined, name: undefined }
  }
  const parameters = url[2]!.slice(1).split(';')
  const data = text.slice(url[0].length)
  const bytes = parameters.at(-1)?.toLowerCase() === 'base64' ? fromBase64(data) : percentDecoded(data)
  if (bytes === null) return null
  const name = parameters.find((one) => one.startsWith('name='))?.slice('name='.length)
  const type = /^[\w.+-]+\/[\w.+-]+$/.test(url[1]!) ? url[1]!.toLowerCase() : undefined
  return {
    bytes,
    type,
    name: name === undefined ? undefined : (percentDecoded(name)?.toString('utf8') ?? name),
  }
}

function fromBase64(text: string): Buffer | null {
  const plain = text.replaceAll(/[\r\n]/g, '')
  if (!BASE64.test(plain) || plain.replace(/=+$/, '').length % 4 === 1) return null
  return Buffer.from(plain, 'base64')
}

function percentDecoded(text: string): Buffer | null {
  try {
    return Buffer.from(decodeURIComponent(text))
  } catch {
    return null
  }
}
