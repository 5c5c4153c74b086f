import { hash } from 'node:crypto'

/**
 * Conditions and cache directives of the caller (RFC 9110 13, RFC 9111 5.2). This cache judges them itself: an upstream that got them
 * could answer with 304, or with what fits one caller alone.
 */
const JUDGED_HERE: ReadonlySet<string> = new Set([
  'if-none-match',
  'if-modified-since',
  'if-range',
  'cache-control',
  'pragma',
])
const CONDITIONS: ReadonlySet<string> = new Set(['if-none-match', 'if-modified-since'])

/** They differ from caller to caller, or from request to request, and answers that may be kept must not depend on them. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'user-agent',
  'referer',
  'from',
  'date',
  'via',
  'dnt',
  'priority',
  'upgrade-insecure-requests',
  'idempotency-key',
  'x-agent-name',
  'x-conversation-id',
  'x-correlation-id',
  'b3',
  'baggage',
  'sentry-trace',
  'uber-trace-id',
  'x-amzn-trace-id',
  'x-cloud-trace-context',
])
const LEFT_OUT_PREFIXES = ['sec-', 'x-b3-', 'x-datadog-'] as const

/** Some servers refuse requests without one. */
const USER_AGENT = 'User-Agent: postern\r\n'

export interface KeyedFields {
  /** Differs for header lines by which an answer may differ. */
  readonly key: string
  /** The lines that go to the upstream. */
  readonly pass: string
  /** The lines with which the caller says what it has already. */
  readonly conditions: string
}

/**
 * Header lines of a request whose answer may be kept: each one that the upstream sees is part of the key.
 * A caller can then put nothing into a kept answer that others get.
 * @param vary lower-case names that are kept in any case.
 * @param tellsOrigins the gateway speaks to pages of other origins in the place of the upstream, which then sees no Origin.
 */
export function keyedFields(lines: string, vary: readonly string[], tellsOrigins: boolean): KeyedFields {
  const keyed: string[] = []
  let pass = ''
  let conditions = ''
  for (let at = 0; at < lines.length; ) {
    const end = lines.indexOf('\r\n', at) + 2
    const colon = lines.indexOf(':', at)
    const name = lines.slice(at, colon).toLowerCase()
    if (CONDITIONS.has(name)) conditions += lines.slice(at, end)
    if (vary.includes(name) || !(isLeftOut(name) || (tellsOrigins && name === 'origin'))) {
      pass += lines.slice(at, end)
      keyed.push(`${name}:${lines.slice(colon + 1, end).trim()}`)
    }
    at = end
  }
  if (!vary.includes('user-agent')) pass += USER_AGENT
  // Lines of one name stay in their order
  keyed.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0))
  return { key: hash('sha256', keyed.join('\n'), 'base64url'), pass, conditions }
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':'))
}

function isLeftOut(name: string): boolean {
  return (
    LEFT_OUT.has(name) || JUDGED_HERE.has(name) || LEFT_OUT_PREFIXES.some((prefix) => name.startsWith(prefix))
  )
}
