/**
 * Large JSON texts as they are stored and sent: compressed. Schemas and contracts of an API description are much alike, and take about a
 * tenth. What writes, hashes, keeps and sends them then takes a tenth of the time.
 */
import { promisify } from 'node:util'
import { deflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'

/** Characters up to which a text stays as it is. */
const PLAIN_CHARS_MAX = 65_536
/** Characters of what a text of {@link packJson} becomes: far above what is imported, and a bound for what was stored by others. */
const UNPACKED_BYTES_MAX = 512 * 1024 ** 2
/** No JSON begins with it. */
const PREFIX = 'deflate:'
/** The least that compresses well. */
const LEVEL = 1

/** A text of JSON, compressed if it is long. It takes about a second for 50 MB. */
export function packJson(json: string): string {
  if (json.length <= PLAIN_CHARS_MAX) return json
  return PREFIX + deflateRawSync(json, { level: LEVEL }).toString('base64')
}

/** The same, without holding the thread. */
export async function packJsonBeside(json: string): Promise<string> {
  if (json.length <= PLAIN_CHARS_MAX) return json
  return PREFIX + (await deflate(json, { level: LEVEL })).toString('base64')
}

const deflate = promisify<string, { readonly level: number }, Buffer>(deflateRaw)

/** True for a text that {@link packJson} has compressed. */
export function isPacked(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** The text that {@link packJson} was given, also of one that an earlier version did not compress. Throws for what it has not made. */
export function unpackJson(text: string): string {
  if (!isPacked(text)) return text
  const packed = Buffer.from(text.slice(PREFIX.length), 'base64')
  return inflateRawSync(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).toString()
}
