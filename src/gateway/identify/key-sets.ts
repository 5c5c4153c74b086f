import type { Clock } from '../../base/clock.ts'
import { publicMembers } from '../../base/crypto/jws.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import { discoveredFrom, type UrlSource } from '../../base/net/egress.ts'
import type { FetchJson } from '../../base/net/fetch-json.ts'

/** What an issuer says of itself. Plain data, so that one thread can fetch it for all. */
export type KeySetAnswer =
  | {
      readonly ok: true
      readonly keys: readonly Plain[]
      /** Where it introspects tokens (RFC 7662); null when it does not say. */
      readonly introspection: string | null
      /** How long ago it was fetched. */
      readonly ageMs: number
      /** False when a newer one was asked for and could not be had. */
      readonly isFresh: boolean
    }
  | { readonly ok: false; readonly reason: string }

/** A set as it outlives the process. */
export interface KeptKeySet {
  /** Public members alone. */
  readonly keys: readonly Plain[]
  readonly introspection: string | null
  /** When it was fetched, milliseconds since the epoch. */
  readonly at: number
}

/** Keeps the last good sets for the next process. Neither throws. */
export interface KeptKeySets {
  load(source: string): KeptKeySet | null
  keep(source: string, set: KeptKeySet): void
}

/** Key sets of issuers, as they were at most `maxAgeMs` ago where that can be had. Never rejects. */
export type LoadKeySet = (source: string, maxAgeMs: number) => Promise<KeySetAnswer>

/** A last good set is served through an outage for as long. */
export const KEPT_MS = 24 * 3_600_000
/** An issuer that failed is left alone for as long. */
export const FAILED_MS = 5000
/** Sources that are remembered; more than a configuration has in practice. */
const SOURCES_MAX = 2000
/** Keys of one set that are looked at. */
const KEYS_MAX = 200

interface Good {
  readonly keys: readonly Plain[]
  readonly introspection: string | null
  readonly at: number
}

interface Entry {
  good: Good | null
  failure: string
  failedAt: number
  flight: Promise<void> | null
}

/**
 * Fetches key sets, one flight for each source, and keeps the last good one.
 * @param kept for the next process too; by the time of day, since nothing else goes on while none runs.
 */
export function createKeySets(clock: Clock, fetchJson: FetchJson, kept?: KeptKeySets): LoadKeySet {
  const entries = new Lru<string, Entry>(SOURCES_MAX)

  function restored(source: string): Good | null {
    const set = kept?.load(source) ?? null
    if (set === null) return null
    const ageMs = clock.now() - set.at
    return ageMs >= 0 && ageMs < KEPT_MS ? { ...set, at: clock.monotonic() - ageMs } : null
  }

  async function fetchInto(entry: Entry, source: string): Promise<void> {
    const startedAt = clock.monotonic()
    const at = clock.now()
    try {
      const fetched = await fetchSource(source, fetchJson)
      entry.good = { ...fetched, at: startedAt }
      entry.failure = ''
      const keys = fetched.keys.map(publicMembers).filter((key) => key !== null)
      kept?.keep(source, { keys, introspection: fetched.introspection, at })
    } catch (error) {
      entry.failure = error instanceof Error ? error.message : 'failed'
      entry.failedAt = clock.monotonic()
    } finally {
      entry.flight = null
    }
  }

  return async (source, maxAgeMs) => {
    let entry = entries.get(source)
    if (entry === undefined) {
      entry = { good: restored(source), failure: '', failedAt: 0, flight: null }
      entries.set(source, entry)
    }
    const isDue = entry.good === null || clock.monotonic() - entry.good.at >= maxAgeMs
    const hasJustFailed = entry.failure !== '' && clock.monotonic() - entry.failedAt < FAILED_MS
    if (isDue && !hasJustFailed) {
      entry.flight ??= fetchInto(entry, source)
      await entry.flight
    }
    const { good, failure } = entry
    const ageMs = good === null ? Number.POSITIVE_INFINITY : clock.monotonic() - good.at
    if (good === null || ageMs >= KEPT_MS) return { ok: false, reason: failure }
    const { keys, introspection } = good
    return { ok: true, keys, introspection, ageMs, isFresh: failure === '' }
  }
}

/** `jwks <url>` or `discovery <issuer>`. */
async function fetchSource(source: string, fetchJson: FetchJson): Promise<Omit<Good, 'at'>> {
  const at = source.indexOf(' ')
  const url = source.slice(at + 1)
  if (source.slice(0, at) === 'jwks')
    return { keys: await fetchKeys(url, 'typed', fetchJson), introspection: null }
  // OpenID Connect Discovery 1.0 section 4
  const document = await get(fetchJson, `${url.replace(/\/$/, '')}/.well-known/openid-configuration`, 'typed')
  if (document['issuer'] !== url) throw new Error('the discovery document is of another issuer')
  const { jwks_uri, introspection_endpoint } = document
  if (typeof jwks_uri !== 'string') throw new Error('the discovery document names no keys')
  const introspection = typeof introspection_endpoint === 'string' ? introspection_endpoint : null
  return { keys: await fetchKeys(jwks_uri, discoveredFrom(url, jwks_uri), fetchJson), introspection }
}

async function fetchKeys(url: string, from: UrlSource, fetchJson: FetchJson): Promise<Plain[]> {
  const { keys } = await get(fetchJson, url, from)
  if (!Array.isArray(keys)) throw new Error('the response is not a key set')
  return keys.slice(0, KEYS_MAX).filter(isPlain)
}

function get(fetchJson: FetchJson, url: string, from: UrlSource): Promise<Plain> {
  return fetchJson({ url, from, form: null, authorization: '' })
}
