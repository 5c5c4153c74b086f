/**
 * The request headers that the gateway reads, as the wire takes them. Cookies of Postern (`base/http/fields`) are
 * removed here, once the value of the Cookie field has shown one. Requests to reserved paths keep them.
 */
import { CONSOLE_HEADER, withoutOwnCookies } from '../base/http/fields.ts'
import {
  FORWARDING_HEADERS,
  FORWARDING_PREFIXES,
  IDENTITY_HEADERS,
  isNeverPassed,
  isOverride,
  OVERRIDE_HEADERS,
  OVERRIDE_PREFIXES,
} from '../model/http-names.ts'
import type { FieldRules, Incoming } from '../wire/port.ts'

/** Places in `taken` of the values that {@link FIELD_RULES} lifts out. */
export const AUTHORIZATION = 0
export const CLIENT_ID = 1
export const PROFILE_ID = 2
export const TRACE_PARENT = 3
export const TRACE_STATE = 4
export const COOKIE = 5
export const AGENT_NAME = 6
export const CONVERSATION_ID = 7
export const SEC_FETCH_DEST = 8
export const ORIGIN = 9
export const CONSOLE = 10

/** Fields that a proxy adds. Their values are believed only where the peer is a trusted proxy. */
const FORWARDED_BY_PROXY = [
  'x-forwarded-for',
  'forwarded',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-real-ip',
] as const

/** What the gateway listener does with header names: the one place that says so. */
export const FIELD_RULES: FieldRules = {
  take: [...IDENTITY_HEADERS, 'traceparent', 'tracestate'],
  peek: [
    'cookie',
    'x-agent-name',
    'x-conversation-id',
    'sec-fetch-dest',
    'origin',
    CONSOLE_HEADER,
    ...FORWARDED_BY_PROXY,
  ],
  identity: IDENTITY_HEADERS,
  strip: FORWARDING_HEADERS,
  stripPrefixes: FORWARDING_PREFIXES,
  withhold: OVERRIDE_HEADERS,
  withholdPrefixes: OVERRIDE_PREFIXES,
}

export const FORWARDED_FOR = CONSOLE + 1
export const FORWARDED = FORWARDED_FOR + 1
export const FORWARDED_PROTO = FORWARDED_FOR + 2
/** Places of what only a trusted proxy says: after all others, as it is lifted out only where there are such proxies. */
export const REQUEST_ID = FIELD_RULES.take.length + FIELD_RULES.peek.length
export const CLIENT_CERT = REQUEST_ID + 1
export const CLIENT_CERT_CHAIN = REQUEST_ID + 2
export const FORWARDED_CLIENT_CERT = REQUEST_ID + 3

/** The rules of a gateway behind trusted proxies: their headers are read, and still stripped. */
const BEHIND_PROXIES: FieldRules = {
  ...FIELD_RULES,
  peek: [...FIELD_RULES.peek, 'x-request-id', 'client-cert', 'client-cert-chain', 'x-forwarded-client-cert'],
}

/** What the wire does with fields of requests. Behind trusted proxies theirs are read too; they are stripped in any case. */
export function fieldRules(hasTrustedProxies: boolean): FieldRules {
  return hasTrustedProxies ? BEHIND_PROXIES : FIELD_RULES
}

const LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[\t ]*$/

/** True if a proxy passed the request on, whether that proxy is trusted or not. */
export function cameByProxy({ taken, pass }: Pick<Incoming, 'taken' | 'pass'>): boolean {
  const places = FORWARDED_BY_PROXY.map((_, index) => FORWARDED_FOR + index)
  return places.some((place) => taken[place] !== undefined) || fieldValue(pass, 'via') !== undefined
}

/** What of the header lines of a call from within the process may go on. */
export interface AgentFields {
  readonly pass: string
  /** Lines that only a collection can let pass. */
  readonly withheld: string
}

/**
 * Header lines of a call from within the process as they may go on: the same names are kept back as over REST, in any
 * spelling that some server reads as the same, and so is what is no header line.
 */
export function agentFields(fields: string): AgentFields {
  let pass = ''
  let withheld = ''
  for (const text of fields.split('\r\n')) {
    const line = LINE.exec(text)
    if (line === null) continue
    const name = line[1]!
    if (isNeverPassed(name)) continue
    if (isOverride(name)) withheld += `${name}: ${line[2]}\r\n`
    else pass += `${name}: ${line[2]}\r\n`
  }
  return { pass: withoutOwnCookies(pass), withheld }
}

/** The lines whose names a collection passes on; lower case. */
export function passedLines(withheld: string, names: ReadonlySet<string>): string {
  let passed = ''
  for (const line of withheld.split('\r\n'))
    if (names.has(line.slice(0, line.indexOf(':')).toLowerCase())) passed += `${line}\r\n`
  return passed
}

// Header fields in a block of lines that each end in CRLF, as the wire hands them over. Names are asked for in lower
// case.

/** The first value of a header; undefined when it is not there. */
export function firstFieldValue(lines: string, name: string): string | undefined {
  const at = lineOf(lines, name, 0)
  return at === -1 ? undefined : valueAt(lines, name, at)
}

/** Values of a header in their order; empty when it is not there. */
export function fieldValues(lines: string, name: string): string[] {
  const values: string[] = []
  for (let at = lineOf(lines, name, 0); at !== -1; at = lineOf(lines, name, nextLine(lines, at)))
    values.push(valueAt(lines, name, at))
  return values
}

/** All values of a header as one, joined as RFC 9110 5.3 allows; undefined when it is not there. */
export function fieldValue(lines: string, name: string): string | undefined {
  const values = fieldValues(lines, name)
  return values.length === 0 ? undefined : values.join(', ')
}

/**
 * A function that reads the headers of these names from a block, in one pass. The result has them in the order of their
 * first lines; values of a repeated header are joined by `, ` (RFC 9110 section 5.3).
 */
export function createFieldReader(names: readonly string[]): (lines: string) => Record<string, string> {
  // Most lines have a name of another length than all of these: nothing is cut out of them
  const byLength = Map.groupBy(names, ({ length }) => length)
  const longest = Math.max(...byLength.keys())
  const candidates = Array.from({ length: longest + 1 }, (_, length) => byLength.get(length) ?? null)
  return (lines) => {
    const found: Record<string, string> = {}
    let next = 0
    for (let at = 0; at < lines.length; at = next) {
      next = nextLine(lines, at)
      const colon = lines.indexOf(':', at)
      if (colon === -1) break
      const among = colon - at > longest ? null : candidates[colon - at]!
      if (among === null) continue
      const sent = lines.slice(at, colon).toLowerCase()
      const name = among.find((one) => one === sent)
      if (name === undefined) continue
      const value = lines.slice(colon + 1, next).trim()
      const before = found[name]
      found[name] = before === undefined ? value : `${before}, ${value}`
    }
    return found
  }
}

function valueAt(lines: string, name: string, at: number): string {
  const end = lines.indexOf('\r\n', at)
  return lines.slice(at + name.length + 1, end === -1 ? lines.length : end).trim()
}

/** Where the next line of this name begins, at or after the line that begins at `from`; -1 when none does. */
function lineOf(lines: string, name: string, from: number): number {
  for (let at = from; at < lines.length; at = nextLine(lines, at)) {
    const end = at + name.length
    if (lines.charCodeAt(end) === 0x3a && lines.slice(at, end).toLowerCase() === name) return at
  }
  return -1
}

function nextLine(lines: string, at: number): number {
  const end = lines.indexOf('\r\n', at)
  return end === -1 ? lines.length : end + 2
}

// Reasons that records give for refusals at MCP endpoints, and by which the audit trail knows that they concern the caller.

/** The caller is known, and the virtual MCP does not exist or is not shared with the caller. */
export const NOT_SHARED = 'no such virtual MCP for the caller'
/** The virtual MCP has what the caller names, but the binding of the caller's token leaves it out. */
export const BEYOND_BINDING = 'beyond the capabilities of the binding'
