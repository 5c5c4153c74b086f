import { jsonFaultText } from '../../base/json/fault.ts'
import { isDeep, isPlain, NESTED_MAX } from '../../base/json/storable.ts'
import { type ByteBudget, ByteBuffer } from '../../base/memory/bytes.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import type { Job, RunApart } from '../../operations/engine/apart.ts'
import { withoutExcess } from '../../operations/engine/parse-input.ts'
import { unread } from '../../operations/engine/unread.ts'

/** Bytes of a body that the main thread reads itself. */
const SMALL_BYTES = 256 * 1024

/** Reads a body, which may be large. Documents in it stay unread. Refuses as {@link parseObject} does. */
export const readJsonBody: Job<
  { readonly parts: readonly Uint8Array[]; readonly documents: readonly string[] },
  Record<string, unknown>
> = {
  name: 'rest.body',
  isAlwaysApart: true,
  tooMuch: () =>
    refuse('payload_rejected', { detail: 'The body takes too long to read. Send a smaller body.' }),
  run: ({ parts, documents }) => {
    const body = parseObject(Buffer.concat(parts))
    for (const name of documents) {
      const document = body[name]
      if (typeof document === 'string' || isPlain(document)) body[name] = unread(document)
    }
    return withoutExcess(body)
  },
}

/**
 * The JSON object in the body of a request; an empty body is an empty object.
 * Refuses with unsupported_media_type, body_too_large, overloaded or payload_rejected. Of a repeated member the last counts:
 * the text is read once, here, and only the value goes on, so no second reader can see it differently.
 */
export async function readBody(
  request: Request,
  { bytesMax, documents }: BodyForm,
  budget: ByteBudget,
  apart: RunApart,
): Promise<Record<string, unknown>> {
  const declared = request.headers.get('content-length')
  const kept = request.body === null ? null : await gathered(request.body, declared, bytesMax, budget)
  if (kept === null || kept.length === 0) return {}
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) throw refuse('unsupported_media_type')
  const encoding = request.headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity')
    throw refuse('unsupported_media_type', { detail: 'The body must not be compressed.' })
  return kept.length <= SMALL_BYTES
    ? parseObject(kept.whole())
    : apart(readJsonBody, { parts: kept.parts(), documents })
}

/** What a body may be. */
export interface BodyForm {
  readonly bytesMax: number
  /** Members that are documents: of a large body they stay unread, see `operations/engine/unread.ts`. */
  readonly documents: readonly string[]
}

/** The credential was found valid only after the body had been left with its caller: all of it must be sent again. */
export function bodyWithheld(): Refusal {
  return refuse('overloaded', {
    detail: 'The access token could not be verified in time. Send the request again.',
    members: { retry_after_ms: 1000 },
  })
}

/** What ended the reading of a body. Whoever sent it and left reads nothing of it, and it is no fault. */
function brokenOff(error: unknown): Refusal {
  return error instanceof Refusal
    ? error
    : refuse('payload_rejected', { detail: 'The body ended before it was complete.' })
}

function tooLarge(bytesMax: number): Refusal {
  return refuse('body_too_large', { detail: `The body is larger than ${bytesMax} bytes.` })
}

/** All of a body, counted in `room`. `declared` is its Content-Length. Refuses with body_too_large, overloaded, or payload_rejected where it breaks off. */
export async function gather(
  pieces: AsyncIterable<Uint8Array>,
  declared: string | null | undefined,
  bytesMax: number,
  budget: ByteBudget,
): Promise<Uint8Array> {
  return (await gathered(pieces, declared, bytesMax, budget)).whole()
}

async function gathered(
  pieces: AsyncIterable<Uint8Array>,
  declared: string | null | undefined,
  bytesMax: number,
  budget: ByteBudget,
): Promise<ByteBuffer> {
  if (Number(declared ?? 0) > bytesMax) throw tooLarge(bytesMax)
  const kept = new ByteBuffer(budget)
  try {
    for await (const piece of pieces) {
      if (kept.length + piece.length > bytesMax) throw tooLarge(bytesMax)
      const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
      if (!kept.add(bytes, 0, bytes.length)) throw refuse('overloaded', { members: { retry_after_ms: 1000 } })
    }
  } catch (error) {
    throw brokenOff(error)
  }
  return kept
}

/** A JSON object out of UTF-8 bytes. Refuses with payload_rejected. */
export function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refuse('payload_rejected', { detail: 'The body is not UTF-8.' })
  }
  try {
    value = JSON.parse(text)
  } catch {
    throw notJson(text)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw refuse('payload_rejected', { detail: 'The body must be a JSON object.' })
  if (isDeep(value))
    throw refuse('payload_rejected', { detail: `The body is nested deeper than ${NESTED_MAX}.` })
  // Only a text that spells the name, or escapes it, can hold it; then it is worth the walk.
  if ((text.includes('__proto__') || text.includes('\\u')) && holdsPrototype(value))
    throw refuse('payload_rejected', { detail: 'No member may be called "__proto__".' })
  // JSON.parse gives no other objects than plain ones
  return value as Record<string, unknown>
}

/** The refusal of a text that is not JSON, with the place; the text itself, which may hold a secret, is not quoted. */
export function notJson(text: string): Refusal {
  return refuse('payload_rejected', { detail: `The body is not valid JSON: ${jsonFaultText(text)}.` })
}

/** True when a member is called `__proto__` anywhere: copying such an object could change its prototype. */
function holdsPrototype(root: unknown): boolean {
  const open: unknown[] = [root]
  while (open.length > 0) {
    const value = open.pop()
    if (value === null || typeof value !== 'object') continue
    if (Object.hasOwn(value, '__proto__')) return true
    for (const item of Object.values(value)) open.push(item)
  }
  return false
}
