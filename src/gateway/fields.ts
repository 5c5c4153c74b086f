import type { FieldRules } from '../wire/port.ts'

/** Places in `taken` of the values that {@link FIELD_RULES} lifts out. */
export const AUTHORIZATION = 0
export const CLIENT_ID = 1
export const PROFILE_ID = 2

/** Names that tell an upstream who or where the caller is; believed by nobody, as there are no trusted proxies. */
const FORWARDING = ['forwarded', 'x-real-ip', 'client-cert', 'client-cert-chain', 'x-request-id'] as const

/** What the gateway listener does with header names: the one place that says so. */
export const FIELD_RULES: FieldRules = {
  take: ['authorization', 'x-client-id', 'x-profile-id'],
  peek: [],
  identity: ['authorization', 'x-client-id', 'x-profile-id'],
  strip: FORWARDING,
  stripPrefixes: ['x-postern-', 'x-forwarded-', 'client-cert-'],
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

/** True for a name that no caller sends on: of identity, framing or forwarding, in any spelling. */
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
  return kept
}
