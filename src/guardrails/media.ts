/** Decides by media type how a content is judged. */

/**
 * `json`: field by field, as a whole. `lines`: one JSON value on each line. `events`: server-sent events, one by one. `pairs`: form
 * fields. `multipart`: form fields and files (RFC 7578). `text`: as one text. The bytes decide about the other kinds: `unknown` has no
 * valid type, `other` a type that nothing is known of, and `binary` a type of contents that are no text. Servers may read text under any
 * type, so requests of all three are looked at.
 */
export type ContentKind =
  | 'json'
  | 'lines'
  | 'events'
  | 'pairs'
  | 'multipart'
  | 'text'
  | 'unknown'
  | 'other'
  | 'binary'

/** What a Content-Type says. */
export interface Content {
  readonly kind: ContentKind
  /** The charset is UTF-8 or a part of it, or none is said. */
  readonly isUtf8: boolean
}

/** `application/x-json`, `application/x-amz-json-1.1`, and reports of browsers, which are JSON without saying so. */
const JSON_TYPE =
  /^(?:application|text)\/(?:(?:x-)?json|x-amz-json-\d\.\d|x-json-patch|csp-report|expect-ct-report|jsonrequest|vnd\.[a-z0-9.]{1,60}\.json)$/
/** One JSON value on each line, or behind each record separator (RFC 7464). */
const LINES_TYPE =
  /^(?:application|text)\/(?:(?:x-)?(?:nd-?json|json-?lines?|jsonl|json-stream)|(?:[a-z0-9.-]{1,60}\+)?json-seq)$/
const TEXTS: ReadonlySet<string> = new Set([
  'application/xml',
  'application/javascript',
  'application/ecmascript',
  'application/graphql',
  'application/yaml',
  'application/x-yaml',
  'application/toml',
  'application/sql',
])
/** Types of contents that are no text, but for those that say so by `+json` or `+xml`. */
const BINARY_TYPE =
  /^(?:(?:image|audio|video|font|model)\/|application\/(?:octet-stream|pdf|zip|gzip|zstd|wasm|msword|cbor|dicom|java-archive|(?:x-|vnd\.)?(?:msgpack|protobuf|google\.protobuf|thrift)|grpc\b|x-(?:7z|tar|gtar|bzip|rar|gzip|xz|zip|apple|msdownload|iso9660)|vnd\.(?:ms-|openxmlformats-|oasis\.|rar|sqlite3|android\.package|apache\.(?:parquet|arrow|avro))|avro|vnd\.apple\.))/
const UTF_8: ReadonlySet<string> = new Set(['', 'utf-8', 'utf8', 'us-ascii', 'ascii'])

/** A media type without parameters (RFC 9110 section 8.3.1). */
const TYPE = /^[!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+$/
const CHARSET = /^\s*charset\s*=\s*"?([^"]*)/

/** @param type value of Content-Type; undefined where there is none */
export function contentOf(type: string | undefined): Content {
  if (type === undefined || type.trim() === '') return { kind: 'unknown', isUtf8: true }
  const [first = '', ...parameters] = type.toLowerCase().split(';')
  // Readers differ in which of several counts, and in the spaces that they allow
  const charsets = parameters.flatMap((one) => CHARSET.exec(one)?.[1] ?? [])
  return { kind: kindOf(first.trim()), isUtf8: charsets.every((one) => UTF_8.has(one.trim())) }
}

function kindOf(essence: string): ContentKind {
  // A list of types or another slip, of which a server may yet read a type
  if (!TYPE.test(essence)) return 'unknown'
  if (essence === 'text/event-stream') return 'events'
  if (LINES_TYPE.test(essence)) return 'lines'
  if (JSON_TYPE.test(essence) || essence.endsWith('+json')) return 'json'
  if (essence === 'application/x-www-form-urlencoded') return 'pairs'
  if (essence === 'multipart/form-data') return 'multipart'
  if (essence.startsWith('text/') || essence.endsWith('+xml') || TEXTS.has(essence)) return 'text'
  return BINARY_TYPE.test(essence) ? 'binary' : 'other'
}

/** True for a response that passes as it is: forms with files are those of requests, and clients do not read a file as text. */
export function isOpaque(kind: ContentKind): boolean {
  return kind === 'binary' || kind === 'multipart'
}

const JSON_BEGINS: ReadonlySet<number> = new Set([...'{["'].map((char) => char.charCodeAt(0)))
/** White space, the bytes of byte order marks, and the zeros of UTF-16 and UTF-32. */
const BEFORE_JSON: ReadonlySet<number> = new Set([0, 9, 10, 13, 32, 0xef, 0xbb, 0xbf, 0xfe, 0xff])

/**
 * True for bytes that are no UTF-8 and that some server may yet read as text: JSON in UTF-16, or with one wrong byte, which lenient readers
 * skip; and any text of another charset, which has no control characters, unlike almost all files. Takes time linear in the bytes.
 */
export function isLikeText(bytes: Uint8Array, kind: ContentKind): boolean {
  return beginsLikeJson(bytes) || (kind !== 'binary' && !bytes.some((byte) => isControl(byte)))
}

/**
 * True for valid UTF-8 that some server may yet read as UTF-16 or UTF-32: a text in ASCII has zeros there, and readers of JSON recognize
 * it by those among its first bytes, without a byte order mark (RFC 4627 section 3). Takes time linear in the bytes.
 */
export function isLikeWideText(bytes: Uint8Array, kind: ContentKind): boolean {
  if (kind !== 'unknown' && kind !== 'other' && kind !== 'binary') return bytes.includes(0)
  return bytes.subarray(0, 4).includes(0) && beginsLikeJson(bytes)
}

function beginsLikeJson(bytes: Uint8Array): boolean {
  const begin = bytes.find((byte) => !BEFORE_JSON.has(byte))
  return begin !== undefined && JSON_BEGINS.has(begin)
}

function isControl(code: number): boolean {
  return (code < 32 && !(code >= 9 && code <= 13)) || code === 127
}

/** RFC 2046 section 5.1.1: as a token, or quoted. */
const BOUNDARY = /^\s*boundary=(?:"([\w'()+,./:=? -]{0,69}[\w'()+,./:=?-])"|([\w'+.-]{1,70}))\s*$/i

/** What stands between the parts of a multipart content; null where that is not said once, in a way that all readers read alike. */
export function boundaryOf(type: string): string | null {
  const named = type.split(';').filter((one) => /^\s*boundary/i.test(one))
  const [, quoted, plain] = BOUNDARY.exec(named[0] ?? '') ?? []
  return named.length === 1 ? (quoted ?? plain ?? null) : null
}
