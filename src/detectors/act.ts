/** Changes the places that detectors have found. A changed text never contains a part of a value, except what `mask` keeps. */
import { createHmac } from 'node:crypto'
import { isPlain, tokenText } from '../base/json/storable.ts'
import type { Span } from './chars.ts'

export type Action =
  /** `[REDACTED:card]`. */
  | { readonly action: 'redact' }
  /** Nothing stands in its place. */
  | { readonly action: 'remove' }
  /** Keeps the last four characters of cards, IBANs and phone numbers, and the domain of e-mail addresses. */
  | { readonly action: 'mask' }
  /** `[HASH:card:…]` with 96 bits of HMAC-SHA-256 in hexadecimal: equal values stay equal. The key has 16 characters or more. */
  | { readonly action: 'hash'; readonly key: string }
  | { readonly action: 'replace'; readonly text: string }

/** Gives what stands in the place of a value. */
export type Act = (value: string, kind: string) => string

/** For those who only count what is found. */
export const unchanged: Act = (value) => value

/** Characters of the key of a hash. */
export const HASH_KEY_MIN = 16
const HASH_HEX = 24

/** @throws RangeError for a key of a hash that is too short. */
export function compileAction(action: Action): Act {
  switch (action.action) {
    case 'redact':
      return (_value, kind) => `[REDACTED:${kind}]`
    case 'remove':
      return () => ''
    case 'mask':
      return masked
    case 'replace':
      return () => action.text
    case 'hash': {
      const { key } = action
      if (key.length < HASH_KEY_MIN)
        throw new RangeError(`the key of a hash has at least ${HASH_KEY_MIN} characters`)
      return (value, kind) => {
        const digest = createHmac('sha256', key)
          .update(`${kind}\n${canonicalOf(value, kind)}`)
          .digest('hex')
        return `[HASH:${kind}:${digest.slice(0, HASH_HEX)}]`
      }
    }
  }
}

/** Kinds that are written in groups, which do not make another value. */
const GROUPED =
  /^(card|iban|phone|us_ssn|uk_nino|de_tax_id|fr_nir|es_dni|nl_bsn|pl_pesel|se_personnummer|br_cpf|in_aadhaar)$/

/** One text for all ways to write a value. */
function canonicalOf(value: string, kind: string): string {
  if (kind === 'email' || kind === 'ip') return value.toLowerCase()
  return GROUPED.test(kind) ? value.replaceAll(/[^0-9A-Za-z]/g, '').toUpperCase() : value
}

const KEPT = 4
const MASK = '********'

function masked(value: string, kind: string): string {
  if (kind === 'email') return `${MASK}${value.slice(value.lastIndexOf('@'))}`
  if (kind === 'card' || kind === 'iban' || kind === 'phone') {
    const end = value.replaceAll(/[^0-9A-Za-z]/g, '')
    return `${MASK}${end.slice(-KEPT)}`
  }
  return MASK
}

/** Spans without overlaps: those that share a character become one, which has the kind of the surest, then of the longest. */
export function merged(spans: readonly Span[]): readonly Span[] {
  if (spans.length < 2) return spans
  const sorted = spans.toSorted((one, other) => one.start - other.start || other.end - one.end)
  const result: Span[] = []
  /** Of the group that grows, the span whose kind counts. */
  let best = sorted[0]!
  let { start, end } = best
  for (const span of sorted.slice(1)) {
    if (span.start < end) {
      if (isBefore(span, best)) best = span
      end = Math.max(end, span.end)
      continue
    }
    result.push({ ...best, start, end })
    best = span
    start = span.start
    end = span.end
  }
  result.push({ ...best, start, end })
  return result
}

function isBefore(one: Span, other: Span): boolean {
  if (one.confidence !== other.confidence) return one.confidence > other.confidence
  const longer = one.end - one.start - (other.end - other.start)
  return longer !== 0 ? longer > 0 : one.kind < other.kind
}

/** The text with each span acted on. Spans may overlap and come in any order. */
export function acted(text: string, spans: readonly Span[], act: Act): string {
  let result = ''
  let at = 0
  for (const { start, end, kind } of merged(spans)) {
    result += text.slice(at, start) + act(text.slice(start, end), kind)
    at = end
  }
  return result + text.slice(at)
}

/** How often each kind was found, by detector. It never holds a value. */
export type Hits = Record<string, Record<string, number>>

export function countHits(hits: Hits, spans: readonly Span[]): void {
  for (const { detector, kind } of spans) {
    hits[detector] ??= {}
    addHit(hits[detector], kind, 1)
  }
}

/** Counts a kind. Webhooks and patterns name kinds: `constructor` is one like any other. */
export function addHit(kinds: Record<string, number>, kind: string, count: number): void {
  kinds[kind] = (Object.hasOwn(kinds, kind) ? kinds[kind]! : 0) + count
}

// Members of a JSON value that are sensitive as a whole, named by JSON pointers (RFC 6901) in which `*` is any member or item.

/** A pointer and its tokens. */
interface Path {
  readonly pointer: string
  readonly tokens: readonly string[]
}

/** @throws RangeError for a text that is no JSON pointer to a member. */
export function compilePaths(pointers: readonly string[]): readonly Path[] {
  return pointers.map((pointer) => {
    if (!pointer.startsWith('/')) throw new RangeError(`"${pointer}" is no JSON pointer: it begins with /`)
    return { pointer, tokens: pointer.slice(1).split('/').map(tokenText) }
  })
}

/**
 * The value with each text, number and boolean at or below the paths acted on, as the kind `path`. Counted in `hits` under `path` and the pointer.
 * What has nothing there is the same object as before.
 */
export function actedPaths(value: unknown, paths: readonly Path[], act: Act, hits: Hits): unknown {
  let result = value
  for (const { pointer, tokens } of paths) {
    const counted = (text: string): string => {
      hits['path'] ??= {}
      hits['path'][pointer] = (hits['path'][pointer] ?? 0) + 1
      return act(text, 'path')
    }
    result = changedAt(result, tokens, 0, (found) => changedWhole(found, counted))
  }
  return result
}

type Change = (value: unknown) => unknown

function changedAt(value: unknown, tokens: readonly string[], index: number, change: Change): unknown {
  if (index === tokens.length) return change(value)
  const token = tokens[index]!
  const inner: Change = (member) => changedAt(member, tokens, index + 1, change)
  if (Array.isArray(value))
    return token === '*' || /^(0|[1-9]\d*)$/.test(token)
      ? value.map((item, at) => (token === '*' || String(at) === token ? inner(item) : item))
      : value
  if (!isPlain(value)) return value
  const entries = Object.entries(value)
  if (token !== '*' && !Object.hasOwn(value, token)) return value
  return Object.fromEntries(
    entries.map(([name, member]) => [name, token === '*' || name === token ? inner(member) : member]),
  )
}

const DEPTH_MAX = 1000

/** A value in which no text, number or boolean is as it was. Names of members stay. */
function changedWhole(value: unknown, act: (text: string) => string, depth = 0): unknown {
  if (value === null || value === undefined) return value
  if (typeof value !== 'object') return act(String(value))
  if (depth === DEPTH_MAX)
    throw new RangeError(`the value has more than ${DEPTH_MAX} levels of lists and objects`)
  if (Array.isArray(value)) return value.map((item) => changedWhole(item, act, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, changedWhole(member, act, depth + 1)]),
  )
}
