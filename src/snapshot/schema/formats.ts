import { isIPv6 } from 'node:net'
import { CHECKED_FORMATS } from '../../model/schema-looseness.ts'

/** A format that is asserted. Each check is linear in the text. */
export type Format =
  | { readonly type: 'string'; readonly fits: (text: string) => boolean }
  | { readonly type: 'number'; readonly fits: (value: number) => boolean }

const DATE = String.raw`\d{4}-[01]\d-[0-3]\d`
const TIME = String.raw`(?:[0-2]\d:[0-5]\d:[0-5]\d|23:59:60)(?:\.\d+)?(?:z|[+-]\d\d(?::?\d\d)?)`
const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const HOSTNAME_MAX = 254
/** Quoted names and address literals are addresses too (RFC 5321 section 4.1.2). */
const EMAIL = /^(?:"(?:[^"\\]|\\.)*"|[^\s@"]+)@(?:\[[^\s\]]+\]|[^\s@.-][^\s@]*)$/
/** Characters; RFC 5321 section 4.5.3.1 has less. A longer text would fill the stack of the expression. */
const EMAIL_MAX = 1000

const TEXTS: Readonly<Record<string, RegExp>> = {
  date: new RegExp(`^${DATE}$`),
  time: new RegExp(`^${TIME}$`, 'i'),
  'date-time': new RegExp(`^${DATE}t${TIME}$`, 'i'),
  ipv4: new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`),
  uri: /^[a-z][a-z0-9+\-.]*:\S*$/i,
  'uri-reference': /^(?:[^\s\\#][^\s#]*)?(?:#[^\s\\]*)?$/,
  uuid: /^(?:urn:uuid:)?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
  // Base64 in either alphabet, with or without padding and line breaks: which of them is meant differs between APIs.
  byte: /^[A-Za-z0-9+/_\r\n-]*(?:={1,2}[\r\n]*)?$/,
}

const INT32_MIN = -(2 ** 31)
const INT32_MAX = 2 ** 31 - 1

const FUNCTIONS: Readonly<Record<string, Format>> = {
  email: { type: 'string', fits: (text) => text.length <= EMAIL_MAX && EMAIL.test(text) },
  hostname: { type: 'string', fits: isHostname },
  // RFC 6901 section 3
  'json-pointer': {
    type: 'string',
    fits: (text) => text === '' || (text.startsWith('/') && !/~(?![01])/.test(text)),
  },
  ipv6: { type: 'string', fits: (text) => !text.includes('%') && isIPv6(text) },
  int32: {
    type: 'number',
    fits: (value) => Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX,
  },
  int64: { type: 'number', fits: Number.isInteger },
  float: { type: 'number', fits: () => true },
  double: { type: 'number', fits: () => true },
}

/** Formats of {@link CHECKED_FORMATS} by name; others are annotations. */
export const FORMATS: ReadonlyMap<string, Format> = new Map(
  CHECKED_FORMATS.map((name) => [name, FUNCTIONS[name] ?? textFormat(TEXTS[name]!)]),
)

function textFormat(expression: RegExp): Format {
  return { type: 'string', fits: (text) => expression.test(text) }
}

/** RFC 1123 section 2.1, with or without the dot of the root. */
function isHostname(text: string): boolean {
  if (text.length > HOSTNAME_MAX) return false
  const labels = text.split('.')
  if (labels.length > 1 && labels.at(-1) === '') labels.pop()
  return (
    labels.every((label) => LABEL.test(label)) && text.length - (text.endsWith('.') ? 1 : 0) < HOSTNAME_MAX
  )
}
