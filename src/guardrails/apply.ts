/**
 * Applies rules to a whole content, one after the other: each rule sees what the rule before it has left. The first rule that
 * blocks ends the chain.
 */

import { isPlain } from '../base/json/storable.ts'
import { isSecretName, MASKED, maskText } from '../base/text/mask.ts'
import { acted, compileAction, countHits, type Hits, unchanged } from '../detectors/act.ts'
import { compileDetectors, type Detectors } from '../detectors/compile.ts'
import { actedJson, actedJsonText } from '../detectors/json.ts'
import type { Chain, Leg, Rule } from './rule.ts'
import { addHits, countOf, type Tally } from './tally.ts'

/** Why nothing may be passed on. */
export interface Stop {
  readonly rule: Rule
  /** The rule found something, or it could not look at the content. */
  readonly cause: 'found' | 'failed'
  /** Why it could not look, as a sentence without a value; empty for what was found. */
  readonly reason: string
}

/** What a chain of rules makes of a content: the content as it is passed on, or why it is not. */
export interface Judged<T> {
  readonly value: T
  readonly stop: Stop | null
}

const redacted = compileAction({ action: 'redact' })

/** One rule on a content: gives the content as the rule leaves it, and counts what the rule found. */
type Look<T> = (value: T, rule: Rule, hits: Hits) => T

/** Text without a form, such as a page or a log. @param name of the member or parameter whose value it is */
export function applyText(chain: Chain, text: string, leg: Leg, tally: Tally, name = ''): Judged<string> {
  return applied(chain, text, leg, tally, (value, rule, hits) =>
    rule.fits === null ? changedText(value, rule, hits, name) : notJson(value, hits),
  )
}

/** A text without anything that rules find in it, for what is written down about a call that they have blocked. */
export function withoutFound(chain: Chain, text: string): string {
  return chain.reduce(
    (left, { fault, detectors }) => (fault === null ? acted(left, detectors.find(left), redacted) : left),
    text,
  )
}

/**
 * A JSON text of a media type that is not JSON: servers that do not look at the type read it as JSON. It fits no schema. As `pairs`, it
 * is looked at as JSON and then as pairs, since servers may read either.
 */
export function applyHiddenJson(
  chain: Chain,
  text: string,
  leg: Leg,
  tally: Tally,
  kind: 'pairs' | 'text',
): Judged<string> {
  return applied(chain, text, leg, tally, (value, rule, hits) => {
    if (rule.fits !== null) return notJson(value, hits)
    if (rule.isWhole) return changedText(value, rule, hits, '')
    const asJson: Hits = {}
    const changed = changedJson(value, rule, asJson)
    const asPairs: Hits = {}
    const after = kind === 'pairs' ? changedPairs(changed, rule, asPairs) : changed
    // What stays is found twice
    const isLess = rule.act === null && countOf(asJson) < countOf(asPairs)
    if (!isLess) addHits(hits, asJson)
    if (isLess || rule.act !== null) addHits(hits, asPairs)
    return after
  })
}

/** Bytes of a media type that is no text. They pass, but for rules of the detector `schema`, which they cannot fit. */
export function applyBinary(chain: Chain, leg: Leg, tally: Tally): Stop | null {
  const judging = chain.filter(({ fits }) => fits !== null)
  return judging.length === 0
    ? null
    : applied(judging, null, leg, tally, (_value, _rule, hits) => notJson(null, hits)).stop
}

/** Whatever it looks like: a media type that says it is something else counts. */
function notJson<T>(value: T, hits: Hits): T {
  hits['schema'] = { not_json: 1 }
  return value
}

/**
 * A JSON text. Rules look at each member by itself, so that a text with changes is still JSON. A text that is not JSON is a failure of
 * each rule.
 */
export function applyJson(chain: Chain, text: string, leg: Leg, tally: Tally): Judged<string> {
  if (!isJson(text)) return failed(chain, text, leg, tally, 'the content is no valid JSON')
  return applied(chain, text, leg, tally, (value, rule, hits) =>
    rule.isWhole ? changedText(value, rule, hits, '') : changedJson(value, rule, hits),
  )
}

/** A value that was parsed from JSON, field by field. What has nothing to act on is the same object as before. */
export function applyValue(chain: Chain, value: unknown, leg: Leg, tally: Tally): Judged<unknown> {
  return applied(chain, value, leg, tally, (before, rule, hits) => {
    if (rule.fits !== null) {
      if (!rule.fits(before)) hits['schema'] = { schema: 1 }
      return before
    }
    if (!rule.isWhole)
      return actedJson(before, { detectors: rule.detectors, act: rule.act ?? unchanged, names: true }, hits)
    changedText(JSON.stringify(before) ?? '', rule, hits, '')
    return before
  })
}

/** Pairs as of a query or a form (`application/x-www-form-urlencoded`). Pairs that no rule changes keep their spelling. */
export function applyPairs(chain: Chain, text: string, leg: Leg, tally: Tally): Judged<string> {
  return applied(chain, text, leg, tally, (value, rule, hits) => {
    if (rule.fits !== null) return notJson(value, hits)
    if (rule.isWhole) return changedText(value, rule, hits, '')
    return changedPairs(value, rule, hits)
  })
}

/** The content cannot be looked at: stops at the first rule that does not let that pass. */
export function failed<T>(chain: Chain, value: T, leg: Leg, tally: Tally, reason: string): Judged<T> {
  for (const rule of chain) {
    tally.of(rule, leg).failures++
    if (!rule.passesFailures && !rule.isObserved) return { value, stop: { rule, cause: 'failed', reason } }
  }
  return { value, stop: null }
}

function applied<T>(chain: Chain, value: T, leg: Leg, tally: Tally, look: Look<T>): Judged<T> {
  let current = value
  for (const rule of chain) {
    if (rule.fault !== null) {
      const { stop } = failed([rule], current, leg, tally, rule.fault)
      if (stop !== null) return { value: current, stop }
      continue
    }
    const hits: Hits = {}
    const after = look(current, rule, hits)
    if (countOf(hits) === 0) continue
    addHits(tally.of(rule, leg).hits, hits)
    if (rule.blocks) return { value: current, stop: { rule, cause: 'found', reason: '' } }
    if (rule.act !== null) current = after
  }
  return { value: current, stop: null }
}

function changedText(text: string, rule: Rule, hits: Hits, name: string): string {
  const spans = rule.detectors.find(text, name)
  if (spans.length === 0) return text
  countHits(hits, spans)
  return rule.act === null ? text : acted(text, spans, rule.act)
}

function changedJson(text: string, { detectors, act }: Rule, hits: Hits): string {
  return actedJsonText(text, { detectors, act: act ?? unchanged }, hits)
}

function changedPairs(text: string, rule: Rule, hits: Hits): string {
  return text
    .split('&')
    .map((pair) => (pair === '' ? pair : changedPair(pair, rule, hits)))
    .join('&')
}

function changedPair(pair: string, rule: Rule, hits: Hits): string {
  const at = pair.indexOf('=')
  const name = decoded(at === -1 ? pair : pair.slice(0, at))
  const value = at === -1 ? '' : decoded(pair.slice(at + 1))
  const nameAfter = changedText(name, rule, hits, '')
  const valueAfter = changedText(value, rule, hits, name)
  if (nameAfter === name && valueAfter === value) return pair
  return at === -1
    ? encodeURIComponent(nameAfter.toWellFormed())
    : `${encodeURIComponent(nameAfter.toWellFormed())}=${encodeURIComponent(valueAfter.toWellFormed())}`
}

/** As servers decode that do not mind what is no sequence: it stays as it is, and all others are decoded (WHATWG URL section 1.3). */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    const value = text.replaceAll('+', '%2B').replaceAll('&', '%26')
    return new URLSearchParams(`v=${value}`).get('v')!
  }
}

function decoded(text: string): string {
  return percentDecoded(text.replaceAll('+', ' '))
}

/** True for an object or a list: a number or a word alone is rather a text. */
export function isJsonWithMembers(text: string): boolean {
  return /^[\t\n\r ]*[{[]/.test(text) && isJson(text)
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

// Masks secrets in values that are stored for a while: by the rules of request records, and by the detector of secrets.

/** Lists and objects within each other. What lies deeper is masked as a whole. */
const DEPTH_MAX = 64
/** A shorter credential is not looked for: it would be found in ordinary words. */
const CREDENTIAL_CHARS_MIN = 8

let detectors: Detectors | null = null

/** Made by the first capture: most processes never need it. */
function secrets(): Detectors {
  detectors ??= compileDetectors([{ detector: 'secrets' }])
  return detectors
}

export interface WithoutSecrets {
  text(text: string, name?: string): string
  /** A JSON value. Members with the name of a secret are masked as a whole. */
  value(value: unknown): unknown
}

/** @param credential the credential of the caller itself, which is masked wherever it stands; empty for none */
export function withoutSecrets(credential: string): WithoutSecrets {
  const own = credential.length < CREDENTIAL_CHARS_MIN ? null : credential

  function text(given: string, name = ''): string {
    const known = own === null ? given : given.replaceAll(own, MASKED)
    const masked = maskText(known)
    const spans = secrets().find(masked, name)
    return spans.length === 0 ? masked : acted(masked, spans, () => MASKED)
  }

  function value(given: unknown, name: string, depth: number): unknown {
    if (typeof given === 'string') return text(given, name)
    if (typeof given === 'number') return own === String(given) ? MASKED : given
    if (given === null || typeof given !== 'object') return given ?? null
    if (depth === DEPTH_MAX) return MASKED
    if (Array.isArray(given)) return given.map((item) => value(item, name, depth + 1))
    if (!isPlain(given)) return null
    const isNamed = isNamedSecret(given)
    return Object.fromEntries(
      Object.entries(given).map(([member, inner]) => [
        text(member),
        (isSecretName(member) || (isNamed && member === 'value')) && inner !== null && inner !== ''
          ? MASKED
          : value(inner, member, depth + 1),
      ]),
    )
  }

  return { text, value: (given) => value(given, '', 0) }
}

/** True for `{"name": "password", "value": ...}`: the name of what stands in the member beside it. */
function isNamedSecret(given: Readonly<Record<string, unknown>>): boolean {
  return ['name', 'key', 'header', 'field'].some((member) => {
    const name = given[member]
    return typeof name === 'string' && isSecretName(name)
  })
}

/**
 * Why a compressed content may not be passed on; null where it may.
 * @param reason why the content cannot be decoded; absent before that is tried, which concerns rules that refuse it anyway
 */
export function encodedStop(chain: Chain, tally: Tally, leg: Leg, reason?: string): Stop | null {
  const concerned = reason === undefined ? chain.filter(({ refusesCompressed }) => refusesCompressed) : chain
  return failed(concerned, null, leg, tally, reason ?? 'the content is compressed').stop
}
