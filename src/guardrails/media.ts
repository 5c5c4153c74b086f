/** How contents are looked at, by media type. */

/**
 * `json`: field by field, as a whole. `lines`: one JSON value on each line. `events`: server-sent events, one by one. `pairs`: form
 * fields. `multipart`: form fields and files (RFC 7578). `text`: as one text. `unknown`: no valid type is said; bytes that are UTF-8 are
 * looked at. `binary`: not looked at.
 */
type ContentKind = 'json' | 'lines' | 'events' | 'pairs' | 'multipart' | 'text' | 'unknown' | 'binary'

/** What a Content-Type says. */
export interface Content {
  readonly kind: ContentKind
  /** The charset is UTF-8 or a part of it, or none is said. */
  readonly isUtf8: boolean
}

const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/x-jsonlines',
  'application/jsonlines',
])
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
  if (essence === 'application/json' || essence === 'text/json' || essence.endsWith('+json')) return 'json'
  if (LINES.has(essence)) return 'lines'
  if (essence === 'application/x-www-form-urlencoded') return 'pairs'
  if (essence === 'multipart/form-data') return 'multipart'
  return essence.startsWith('text/') || essence.endsWith('+xml') || TEXTS.has(essence) ? 'text' : 'binary'
}

/** True for a response that passes as it is: forms with files are those of requests. */
export function isOpaque(kind: ContentKind): boolean {
  return kind === 'binary' || kind === 'multipart'
}

/** RFC 2046 section 5.1.1: as a token, or quoted. */
const BOUNDARY = /^\s*boundary=(?:"([\w'()+,./:=? -]{0,69}[\w'()+,./:=?-])"|([\w'+.-]{1,70}))\s*$/i

/** What stands between the parts of a multipart content; null where that is not said once, in a way that all readers read alike. */
export function boundaryOf(type: string): string | null {
  const named = type.split(';').filter((one) => /^\s*boundary/i.test(one))
  const [, quoted, plain] = BOUNDARY.exec(named[0] ?? '') ?? []
  return named.length === 1 ? (quoted ?? plain ?? null) : null
}
