/**
 * The key sets of token issuers. The main thread fetches each once for all threads and keeps the last good one for a
 * day, over a restart in `serving.db`. A gateway thread holds the parsed keys and the tokens that they have proved.
 * When an issuer withdraws a key, or a profile changes, these tokens are verified again.
 */

import type { Clock } from '../../base/clock.ts'
import { readJwk } from '../../base/crypto/jws.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { FetchJson } from '../../base/net/fetch-json.ts'
import type { Once } from '../../shared-state/ports/memory.ts'
import type { VerifyKey } from '../../snapshot/linked-types/client.ts'
import { FAILED_MS, KEPT_MS, type LoadKeySet } from './key-sets.ts'

/** Keys are refreshed in the background from this age on. */
const FRESH_MS = 10 * 60_000
/** From this age on the refresh is waited for: nobody asked for so long that a withdrawn key would go unnoticed. */
const WAITED_MS = 60 * 60_000
/** A kid that is not in the set makes it be fetched anew, at most as often. */
const UNKNOWN_MS = 30_000
const SOURCES_MAX = 2000

interface Source {
  /** Null before the first answer. */
  keys: readonly VerifyKey[] | null
  /** By their JSON, so that a key that stays keeps what it has proved. */
  byText: ReadonlyMap<string, VerifyKey>
  introspection: string | null
  /** When the keys were fetched, monotonic. */
  goodAt: number
  /** When they were last asked for, and whether that gave fresh ones. */
  askedAt: number
  isFresh: boolean
  reason: string
  flight: Promise<void> | null
}

/** What one thread knows of issuers: their keys, parsed, where they introspect, and tokens that may be used once. */
export interface Issuers {
  /**
   * Keys of a source; a promise only when they must be fetched first. A reason when they cannot be had, or when the
   * token names a key that none of them is and the issuer cannot be asked.
   */
  keysOf(source: string, kid: string | null): Keys | Promise<Keys>
  /** Where a source introspects, or the reason why that is not known. */
  introspectionOf(source: string): Promise<{ readonly url: string } | { readonly reason: string }>
  readonly fetchJson: FetchJson
  readonly usedTokens: Once
  readonly proofs: Proofs
}

/**
 * Proofs that any thread of this process has verified, by profile and hash. A throttled source may have them verified again, so
 * that it cannot lock out the callers that share its address.
 */
export interface Proofs {
  /** Remembers a proof, if there is a place. @param until milliseconds since the epoch. @param now the same. @param holder id of the client, who shares the places with others */
  claim(key: string, until: number, now: number, holder: string): unknown
  /** True while a thread remembers the proof. @param holder as it was claimed for */
  has(key: string, now: number, holder: string): boolean
}

export type Keys =
  | { readonly ok: true; readonly keys: readonly VerifyKey[] }
  | { readonly ok: false; readonly reason: string }

export function createIssuers(
  clock: Clock,
  load: LoadKeySet,
  fetchJson: FetchJson,
  usedTokens: Once,
  proofs: Proofs,
): Issuers {
  return { ...createIssuerKeys(clock, load), fetchJson, usedTokens, proofs }
}

/** The keys of issuers alone. */
export function createIssuerKeys(
  clock: Clock,
  load: LoadKeySet,
): Pick<Issuers, 'keysOf' | 'introspectionOf'> {
  const sources = new Lru<string, Source>(SOURCES_MAX)

  function sourceOf(name: string): Source {
    let source = sources.get(name)
    if (source === undefined) {
      source = {
        keys: null,
        byText: new Map(),
        introspection: null,
        goodAt: 0,
        askedAt: Number.NEGATIVE_INFINITY,
        isFresh: false,
        reason: '',
        flight: null,
      }
      sources.set(name, source)
    }
    return source
  }

  function refresh(name: string, source: Source, maxAgeMs: number): Promise<void> {
    source.flight ??= ask(name, source, maxAgeMs)
    return source.flight
  }

  async function ask(name: string, source: Source, maxAgeMs: number): Promise<void> {
    const answer = await load(name, maxAgeMs)
    source.askedAt = clock.monotonic()
    source.flight = null
    source.isFresh = answer.ok && answer.isFresh
    if (answer.ok) {
      source.goodAt = clock.monotonic() - answer.ageMs
      source.introspection = answer.introspection
      source.reason = answer.isFresh ? '' : 'the last attempt failed'
      put(source, answer.keys)
    } else source.reason = answer.reason
  }

  return {
    keysOf(name, kid) {
      const source = sourceOf(name)
      const now = clock.monotonic()
      const age = now - source.goodAt
      const sinceAsked = now - source.askedAt
      if (source.keys === null || age >= KEPT_MS) {
        if (!source.isFresh && sinceAsked < FAILED_MS) return { ok: false, reason: source.reason }
        return refresh(name, source, FRESH_MS).then(() => usableKeys(source, clock.monotonic()))
      }
      if (kid !== null && !source.keys.some((key) => key.kid === kid || key.kid === null)) {
        if (sinceAsked >= UNKNOWN_MS)
          return refresh(name, source, UNKNOWN_MS).then(() => usableKeysWith(source, kid, clock.monotonic()))
        return usableKeysWith(source, kid, now)
      }
      if (age >= FRESH_MS && sinceAsked >= (source.isFresh ? 0 : UNKNOWN_MS)) {
        const flight = refresh(name, source, FRESH_MS)
        if (age >= WAITED_MS) return flight.then(() => usableKeys(source, clock.monotonic()))
      }
      return { ok: true, keys: source.keys }
    },
    async introspectionOf(name) {
      const keys = await this.keysOf(name, null)
      const url = sourceOf(name).introspection
      if (url !== null) return { url }
      return { reason: keys.ok ? 'the issuer names no introspection endpoint' : keys.reason }
    },
  }
}

function usableKeys({ keys, goodAt, reason }: Source, now: number): Keys {
  return keys === null || now - goodAt >= KEPT_MS ? { ok: false, reason } : { ok: true, keys }
}

/** A key that is not in an old set may well be in the new one, which cannot be had: that is no fault of the token. */
function usableKeysWith(source: Source, kid: string, now: number): Keys {
  const found = usableKeys(source, now)
  if (!found.ok || source.isFresh || found.keys.some((key) => key.kid === kid)) return found
  return { ok: false, reason: `the keys of the issuer cannot be fetched: ${source.reason}` }
}

/** Takes over a set. What cannot be used for signatures is left out; a key that has gone proves nothing any more. */
function put(source: Source, jwks: readonly Readonly<Record<string, unknown>>[]): void {
  const byText = new Map<string, VerifyKey>()
  for (const jwk of jwks) {
    const text = canonicalJson(jwk)
    const known = source.byText.get(text)
    if (known !== undefined) {
      byText.set(text, known)
      continue
    }
    try {
      byText.set(text, { ...readJwk(jwk), retiresAt: null, isGone: false })
    } catch {
      // Sets hold keys for encryption and of types to come.
    }
  }
  for (const [text, key] of source.byText) if (!byText.has(text)) key.isGone = true
  source.byText = byText
  source.keys = [...byText.values()]
}
