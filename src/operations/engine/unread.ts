/**
 * Documents of inputs that the main thread has not read: an API description of 64 MiB would hold it for a second. A thread apart takes
 * them out of the body of a request (`surfaces/rest/body.ts`), and the thread that does the job of the operation reads them. No JSON
 * has such a value, so what a caller sends is never taken for one.
 */
import { canonicalJson, textHash } from '../../base/json/canonical.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'

/** A document as bytes of UTF-8, in memory that threads share, so that it is never copied. */
export interface UnreadDocument {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** Given as a text, or as an object whose JSON this is. */
  readonly form: 'text' | 'object'
  /** Of the canonical JSON of what was given. */
  readonly hash: string
}

/** True for what {@link unread} has made, also after a schema has copied the object. */
export function isUnread(value: unknown): value is UnreadDocument {
  return isPlain(value) && value['bytes'] instanceof Uint8Array
}

/** The document as bytes. It takes as long as writing its JSON. */
export function unread(document: string | Plain): UnreadDocument {
  const isText = typeof document === 'string'
  const text = isText ? document : JSON.stringify(document)
  const bytes = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(text)))
  new TextEncoder().encodeInto(text, bytes)
  return { bytes, form: isText ? 'text' : 'object', hash: textHash(isText ? text : canonicalJson(document)) }
}

/** The document that was given. */
export function readUnread(document: string | Plain | UnreadDocument): string | Plain {
  if (typeof document === 'string' || !isUnread(document)) return document
  const { buffer, byteOffset, length } = document.bytes
  const text = Buffer.from(buffer, byteOffset, length).toString()
  // Written from an object
  return document.form === 'text' ? text : (JSON.parse(text) as Plain)
}

/** An input for its fingerprint, which costs no reading of documents. */
export function fingerprinted(input: unknown): unknown {
  return mapped(input, ({ form, hash }) => ({ form, hash }))
}

/** Bytes of all documents of an input that are not read. */
export function unreadBytes(input: Readonly<Record<string, unknown>>): number {
  return Object.values(input).reduce<number>((sum, one) => sum + (isUnread(one) ? one.bytes.length : 0), 0)
}

/** An input as it can be kept. The main thread reads what is small enough for it. */
export function withRead(input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapped(input, readUnread) as Record<string, unknown>
}

function mapped(input: unknown, change: (document: UnreadDocument) => unknown): unknown {
  if (!isPlain(input)) return input
  return Object.fromEntries(
    Object.entries(input).map(([name, one]) => [name, isUnread(one) ? change(one) : one]),
  )
}
