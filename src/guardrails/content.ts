/** Applies rules to a content whose bytes are complete. */

import { promisify } from 'node:util'
import {
  brotliDecompress,
  brotliDecompressSync,
  gunzip,
  gunzipSync,
  inflate,
  inflateSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import {
  applyBinary,
  applyHiddenJson,
  applyJson,
  applyPairs,
  applyText,
  failed,
  isJson,
  isJsonWithMembers,
  type Judged,
} from './apply.ts'
import { createFilter } from './filter.ts'
import { type ContentKind, contentOf, isLikeText, isLikeWideText, isOpaque } from './media.ts'
import { applyMultipart } from './multipart.ts'
import type { Chain, Leg } from './rule.ts'
import type { Tally } from './tally.ts'

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const TOO_LONG = 'the content is longer than max_body'
const BYTE_ORDER_MARK = '\ufeff'

/** Bytes that stay below this are looked at, whichever rule it is. */
export function bytesMaxOf(chain: Chain): number {
  return Math.max(...chain.map(({ bytesMax }) => bytesMax))
}

/**
 * A content as the rules leave it: the same bytes where no rule changes anything. Bytes that no reader takes for text are not looked at.
 * @param type value of Content-Type
 */
export function applyContent(
  chain: Chain,
  bytes: Uint8Array,
  type: string | undefined,
  leg: Leg,
  tally: Tally,
): Judged<Uint8Array> {
  const { kind, isUtf8 } = contentOf(type)
  if (bytes.length === 0) return { value: bytes, stop: null }
  if (leg === 'request' && kind === 'multipart') return applyMultipart(chain, bytes, type!, leg, tally)
  if (kind === 'multipart' || (leg !== 'request' && isOpaque(kind)))
    return { value: bytes, stop: applyBinary(chain, leg, tally) }
  if (!isUtf8 && kind !== 'binary')
    return failed(chain, bytes, leg, tally, 'the charset of the content is not UTF-8')
  // Clients do not guess charsets by zeros
  if (leg === 'request' && isLikeWideText(bytes, kind))
    return failed(chain, bytes, leg, tally, 'the content may be read as UTF-16')
  if (kind === 'events' || kind === 'lines') return filtered(chain, bytes, kind, leg, tally)
  const within = kind === 'text' ? chain : chain.filter(({ bytesMax }) => bytes.length <= bytesMax)
  if (within.length < chain.length) {
    const beyond = chain.filter((rule) => !within.includes(rule))
    const judged = failed(beyond, bytes, leg, tally, TOO_LONG)
    if (judged.stop !== null || within.length === 0) return judged
  }
  let text: string
  try {
    text = UTF_8.decode(bytes)
  } catch {
    const isRead = (kind !== 'unknown' && kind !== 'other' && kind !== 'binary') || isLikeText(bytes, kind)
    return isRead
      ? failed(within, bytes, leg, tally, 'the content is no valid UTF-8')
      : { value: bytes, stop: kind === 'unknown' ? null : applyBinary(within, leg, tally) }
  }
  const { value, stop } = applyKind(within, text, kind, leg, tally)
  if (stop !== null || value === text) return { value: bytes, stop }
  // Such as a message of protobuf, which says how long its texts are
  if ((kind === 'other' || kind === 'binary') && hasControls(text)) {
    const changing = within.filter(({ act }) => act !== null)
    return failed(
      changing,
      bytes,
      leg,
      tally,
      'the content is no plain text, so nothing in it can be changed',
    )
  }
  return { value: Buffer.from(value), stop: null }
}

type ReadKind = Exclude<ContentKind, 'lines' | 'events' | 'multipart'>

function applyKind(chain: Chain, text: string, kind: ReadKind, leg: Leg, tally: Tally): Judged<string> {
  // Some writers of JSON begin with a byte order mark, which is none of it (RFC 8259 section 8.1)
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : ''
  const rest = text.slice(mark.length)
  const isRead = kind === 'json' || (kind === 'unknown' ? isJson(rest) : isJsonWithMembers(rest))
  // Clients of a text read it as such; JSON in it would be held back as a whole
  if (!isRead || (kind === 'text' && leg !== 'request'))
    return kind === 'pairs' ? applyPairs(chain, text, leg, tally) : applyText(chain, text, leg, tally)
  const { value, stop } =
    kind === 'json' || kind === 'unknown'
      ? applyJson(chain, rest, leg, tally)
      : applyHiddenJson(chain, rest, leg, tally, kind === 'pairs' ? kind : 'text')
  return { value: mark + value, stop }
}

/** True for control characters other than white space, and the record separator of JSON texts (RFC 7464). */
function hasControls(text: string): boolean {
  return /[\0-\x08\x0e-\x1d\x1f\x7f]/.test(text)
}

function filtered(
  chain: Chain,
  bytes: Uint8Array,
  kind: 'events' | 'lines',
  leg: Leg,
  tally: Tally,
): Judged<Uint8Array> {
  const filter = createFilter(kind, chain, leg, tally)
  const first = filter.push(bytes)
  const out = Buffer.concat([first, filter.end()])
  const isSame = out.equals(bytes)
  return { value: isSame || filter.stop !== null ? bytes : out, stop: filter.stop }
}

interface Decoded {
  readonly buffer: Buffer
  /** Bytes that were decoded, which may be fewer than were given. */
  readonly engine: { readonly bytesWritten: number }
}

/** What is decoded with the option `info`, which the types of Node know for some of these functions alone. */
type Decode<T> = (bytes: Uint8Array, options: { maxOutputLength: number; info: true }) => T

interface Decoder {
  readonly later: Decode<Promise<Decoded>>
  readonly now: Decode<Decoded>
}

const decoderOf = (later: unknown, now: unknown): Decoder => ({
  later: promisify(later as Parameters<typeof promisify>[0]) as unknown as Decoder['later'],
  now: now as Decoder['now'],
})

/** By the name of the coding (RFC 9110 section 8.4.1, RFC 8878 section 7.2). */
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ['gzip', decoderOf(gunzip, gunzipSync)],
  ['x-gzip', decoderOf(gunzip, gunzipSync)],
  ['deflate', decoderOf(inflate, inflateSync)],
  ['br', decoderOf(brotliDecompress, brotliDecompressSync)],
  ['zstd', decoderOf(zstdDecompress, zstdDecompressSync)],
])

function decoderFor(coding: string): Decoder | undefined {
  return DECODERS.get(coding.trim().toLowerCase())
}

/** Such as a second frame of zstd, which other decoders read. */
function hasRest({ engine }: Decoded, bytes: Uint8Array): boolean {
  return engine.bytesWritten !== bytes.length
}

/** True for the value of a Content-Encoding that encodes. */
export function isEncoded(coding: string | undefined): coding is string {
  return coding !== undefined && coding.trim() !== '' && coding.trim().toLowerCase() !== 'identity'
}

/**
 * The bytes of a compressed content, or why there are none. One coding alone is decoded.
 * @param bytesMax bytes that the decoded content may have
 */
export async function decodedContent(
  bytes: Uint8Array,
  coding: string,
  bytesMax: number,
): Promise<Uint8Array | string> {
  const decoder = decoderFor(coding)
  if (decoder === undefined) return 'the coding of the content is not known'
  try {
    const decoded = await decoder.later(bytes, { maxOutputLength: bytesMax, info: true })
    return hasRest(decoded, bytes) ? 'the compressed content has bytes behind its end' : decoded.buffer
  } catch (error) {
    const isTooLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    return isTooLong ? 'the decoded content is longer than max_body' : 'the content cannot be decoded'
  }
}

/**
 * {@link decodedContent} for a small content that is looked at without a pause; null where it cannot be decoded whole.
 * @param bytesMax bytes that the decoded content may have
 */
export function decodedAtOnce(bytes: Uint8Array, coding: string, bytesMax: number): Uint8Array | null {
  try {
    const decoded = decoderFor(coding)?.now(bytes, { maxOutputLength: bytesMax, info: true })
    return decoded === undefined || hasRest(decoded, bytes) ? null : decoded.buffer
  } catch {
    return null
  }
}
