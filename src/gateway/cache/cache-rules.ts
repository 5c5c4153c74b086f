/** When an answer may be kept and given again (RFC 9111), as a shared cache that an operator has switched on. */

import { hash } from 'node:crypto'
import { hashToken } from '../../base/crypto/token.ts'
import { parseHttpDate } from '../../base/http/fields.ts'
import type { CacheFragment } from '../../snapshot/fragments.ts'
import type { Routed } from '../exchange.ts'
import { fieldValue, fieldValues, firstFieldValue } from '../request-headers.ts'

/** Statuses that are kept. */
const KEPT: ReadonlySet<number> = new Set([200, 203, 301, 308])

/** Directives of Cache-Control in lower case, the first of each; a value without its quotes. Empty when there are none. */
export function directivesOf(lines: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const line of fieldValues(lines, 'cache-control'))
    for (const item of line.split(',')) {
      const [name = '', value = ''] = item.split('=', 2)
      const lower = name.trim().toLowerCase()
      if (lower !== '' && !found.has(lower)) found.set(lower, value.trim().replace(/^"|"$/g, ''))
    }
  return found
}

/** Requests with one of these go by the cache. */
const UNKEYED = ['range', 'if-match', 'if-unmodified-since'] as const

/**
 * The name under which the answer to a request is kept, and the header lines that then go to the upstream; null for one whose answer is
 * not kept and not taken from what is kept: a part of a representation, a condition that only the upstream can judge (RFC 9111 4.3.2), or
 * a cookie or body that the answer may depend on.
 */
export function cacheKey(exchange: Routed, cache: CacheFragment): KeyedFields | null {
  const { pass, proxy } = exchange
  const { profile, client, subject } = exchange.identity
  if (exchange.bodyBytes !== 0) return null
  if (UNKEYED.some((name) => fieldValue(pass, name) !== undefined)) return null
  if (!cache.vary.includes('cookie') && fieldValue(pass, 'cookie') !== undefined) return null
  // The caller's own credential never reaches the upstream: answers depend on it where identity is passed on, or where it
  // is exchanged; then on all that the very token allows.
  const personal = isPersonal(exchange)
  const scope = profile.fragment.forward_identity || personal ? 'profile' : cache.scope
  const whose = scope === 'profile' ? profile.id : scope === 'client' ? client.id : ''
  // Behind one profile with tokens of others stand many people.
  const isOfToken = personal || isNameless(exchange)
  const who = scope !== 'profile' ? '' : isOfToken ? hashToken(exchange.identity.bearer) : subject
  const { secure, host, path, query } = exchange
  const fields = keyedFields(pass, cache.vary, exchange.collection.cors !== null)
  const { identityLines } = profile
  const ip = keepsByAddress(cache) ? exchange.ip : ''
  const parts = [whose, who, identityLines, proxy.id, secure, host, ip, path, query, fields.key]
  return { ...fields, key: JSON.stringify(parts) }
}

/** The upstream gets the caller's address with requests whose answers are kept; these are then kept for each address. */
export function keepsByAddress({ vary }: CacheFragment): boolean {
  return vary.includes('x-forwarded-for')
}

/** The token of somebody else's making does not say who its bearer is. */
export function isNameless({ identity: { profile, subject } }: Routed): boolean {
  return subject === '' && profile.verifier !== null
}

/** The upstream gets a token in the name of the caller. */
function isPersonal({ snapshot, proxy }: Routed): boolean {
  const id = proxy.credential
  return id !== null && snapshot.credentials.get(id)?.grant?.exchanges === true
}

/** How the caller asks for its answer: from what is kept, made anew, or kept nowhere. */
export function wishOf(pass: string): 'any' | 'fresh' | 'none' {
  const directives = directivesOf(pass)
  if (directives.has('no-store')) return 'none'
  if (directives.has('no-cache') || directives.get('max-age') === '0') return 'fresh'
  return directives.size === 0 && fieldValue(pass, 'pragma')?.toLowerCase() === 'no-cache' ? 'fresh' : 'any'
}

/**
 * How long an answer is fresh and how long it may stand in for a failing upstream after that, in milliseconds; null
 * when it is not kept. `ageMs` is what it had when it came.
 * @param tellsOrigins The gateway speaks to pages of other origins in the place of the upstream.
 * @param now when it came.
 */
export function lifetimeOf(
  status: number,
  lines: string,
  cache: CacheFragment,
  tellsOrigins: boolean,
  now: number,
): { readonly freshMs: number; readonly staleMs: number; readonly ageMs: number } | null {
  if (!KEPT.has(status) || fieldValue(lines, 'set-cookie') !== undefined) return null
  const directives = directivesOf(lines)
  if (directives.has('no-store') || directives.has('private') || directives.has('no-cache')) return null
  if (!variesByKnown(lines, tellsOrigins ? [...cache.vary, 'origin'] : cache.vary)) return null
  const ageMs = seconds(fieldValue(lines, 'age')) ?? 0
  const maxAge = directives.get('s-maxage') ?? directives.get('max-age')
  // What cannot be read is taken to have expired (RFC 9111 4.2.1, 5.3).
  const declaredMs = maxAge === undefined ? untilExpiry(lines, now) : (seconds(maxAge) ?? 0)
  const freshMs = Math.min(cache.ttl_ms, declaredMs ?? cache.ttl_ms) - ageMs
  if (freshMs <= 0) return null
  const mustAsk = directives.has('must-revalidate') || directives.has('proxy-revalidate')
  return { freshMs, staleMs: mustAsk ? 0 : cache.stale_if_error_ms, ageMs }
}

/** What Expires leaves by the clock of the upstream, milliseconds; null when it is not sent. */
function untilExpiry(lines: string, now: number): number | null {
  const [expires, ...others] = fieldValues(lines, 'expires')
  if (expires === undefined) return null
  const end = others.length > 0 ? null : parseHttpDate(expires, now)
  const sentAt = parseHttpDate(firstFieldValue(lines, 'date') ?? '', now) ?? now
  return end === null ? 0 : end - sentAt
}

/** They differ with each request: what depends on them fits no other one. */
const OF_ONE_REQUEST: ReadonlySet<string> = new Set(['x-request-id', 'traceparent', 'tracestate'])

/** An answer may depend only on headers that are part of the key. */
function variesByKnown(lines: string, known: readonly string[]): boolean {
  for (const line of fieldValues(lines, 'vary'))
    for (const name of line.split(',')) {
      const lower = name.trim().toLowerCase()
      if (lower !== '' && (!known.includes(lower) || OF_ONE_REQUEST.has(lower))) return false
    }
  return true
}

function seconds(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) * 1000 : undefined
}

/**
 * Whether the caller has the answer already: If-None-Match names its entity tag, compared weakly, or without that field If-Modified-Since
 * is not before its Last-Modified (RFC 9110 13.1.2, 13.1.3).
 * @param conditions header lines of the request. @param fields those of the answer
 */
export function isKnown(conditions: string, fields: string, now: number): boolean {
  const asked = fieldValue(conditions, 'if-none-match')
  if (asked !== undefined) return matchesTag(asked, fieldValue(fields, 'etag'))
  const since = parseHttpDate(fieldValue(conditions, 'if-modified-since') ?? '', now)
  const modified = parseHttpDate(fieldValue(fields, 'last-modified') ?? '', now)
  return since !== null && modified !== null && modified <= since
}

function matchesTag(asked: string, etag: string | undefined): boolean {
  if (etag === undefined) return false
  const plain = (tag: string): string => tag.trim().replace(/^W\//, '')
  return asked === '*' || asked.split(',').some((tag) => plain(tag) === plain(etag))
}

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
function keyedFields(lines: string, vary: readonly string[], tellsOrigins: boolean): KeyedFields {
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
