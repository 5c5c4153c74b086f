import { withoutOwnCookies } from '../base/own-cookies.ts'
import type { FieldRules } from '../wire/port.ts'

/** Places in `taken` of the values that {@link FIELD_RULES} lifts out. */
export const AUTHORIZATION = 0
export const CLIENT_ID = 1
export const PROFILE_ID = 2
export const TRACE_PARENT = 3
export const TRACE_STATE = 4
export const COOKIE = 5
export const AGENT_NAME = 6
export const CONVERSATION_ID = 7

/** Names that tell an upstream who or where the caller is; never passed on as they came. */
const FORWARDING = ['forwarded', 'x-real-ip', 'client-cert', 'client-cert-chain', 'x-request-id'] as const

/** What the gateway listener does with header names: the one place that says so. */
export const FIELD_RULES: FieldRules = {
  take: ['authorization', 'x-client-id', 'x-profile-id', 'traceparent', 'tracestate'],
  peek: ['cookie', 'x-agent-name', 'x-conversation-id'],
  identity: ['authorization', 'x-client-id', 'x-profile-id'],
  strip: FORWARDING,
  stripPrefixes: ['x-postern-', 'x-forwarded-', 'client-cert-'],
}

/** Places of what a trusted proxy says: after all others, as it is lifted out only where there are such proxies. */
export const FORWARDED_FOR = FIELD_RULES.take.length + FIELD_RULES.peek.length
export const FORWARDED = FORWARDED_FOR + 1
export const FORWARDED_PROTO = FORWARDED_FOR + 2
export const REQUEST_ID = FORWARDED_FOR + 3
export const CLIENT_CERT = FORWARDED_FOR + 4
export const CLIENT_CERT_CHAIN = FORWARDED_FOR + 5
export const FORWARDED_CLIENT_CERT = FORWARDED_FOR + 6

/** The rules of a gateway behind trusted proxies: their headers are read, and still stripped. */
const BEHIND_PROXIES: FieldRules = {
  ...FIELD_RULES,
  peek: [
    ...FIELD_RULES.peek,
    'x-forwarded-for',
    'forwarded',
    'x-forwarded-proto',
    'x-request-id',
    'client-cert',
    'client-cert-chain',
    'x-forwarded-client-cert',
  ],
}

/** What the wire does with fields of requests. Behind trusted proxies theirs are read too; they are stripped in any case. */
export function fieldRules(hasTrustedProxies: boolean): FieldRules {
  return hasTrustedProxies ? BEHIND_PROXIES : FIELD_RULES
}

/** Framing and hop-by-hop names (RFC 9110 7.6.1); over REST the wire keeps them to itself. */
const FRAMING = [
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const

const KEPT_BACK: ReadonlySet<string> = new Set([...FIELD_RULES.take, ...FORWARDING, ...FRAMING])

/** True for a name whose lines are not passed on as they came: of identity, framing, forwarding or tracing, in any spelling. */
export function isKeptBack(name: string): boolean {
  const plain = name.toLowerCase().replaceAll('_', '-')
  return KEPT_BACK.has(plain) || FIELD_RULES.stripPrefixes.some((prefix) => plain.startsWith(prefix))
}

const LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[\t ]*$/

/**
 * Header lines of a call from within the process as they may go on: the same names are kept back as over REST, in any
 * spelling that some server reads as the same, and so is what is no header line.
 */
export function agentFields(fields: string): string {
  let kept = ''
  for (const text of fields.split('\r\n')) {
    const line = LINE.exec(text)
    if (line === null) continue
    if (isKeptBack(line[1]!)) continue
    kept += `${line[1]}: ${line[2]}\r\n`
  }
  return withoutOwnCookies(kept)
}
