/**
 * Tokens that a gateway thread fetches for upstreams (RFC 6749 section 4.4, RFC 7523, RFC 8693). Each thread has its own.
 *
 * 1. A request waits only if no token is cached, no longer than the time of the token endpoint.
 * 2. If the upstream refuses a token with 401, the token is replaced and the request sent once more, where its body is
 *    still at hand.
 * 3. A token that was exchanged for the token of a caller is cached under that very token. Responses of the upstream to it
 *    are cached under it too.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { signJws } from '../../base/crypto/jws.ts'
import type { Plain } from '../../base/json/storable.ts'
import type { FetchJson } from '../../base/net/fetch-json.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import { beforeRotation, headerOf } from '../../snapshot/link/credential.ts'
import type { CachedToken, LinkedGrant, Sent } from '../../snapshot/linked-types/credential.ts'

/** A token is not used in its last seconds: it must still hold when it arrives. */
const SPARE_MS = 30_000
/** A new one is fetched in the background before that. */
const EARLY_MS = 30_000
/** Of an endpoint that does not say (RFC 6749 section 5.1). */
const LIFETIME_MS = 5 * 60_000
/** An endpoint that failed is left alone for as long. */
const FAILED_MS = 1000
/** A token that an upstream refused makes a new one be fetched at most as often. */
const FORCED_MS = 1000
const ASSERTION_MS = 60_000
/** Questions of one credential under way; more would queue up behind a slow endpoint. */
const FLIGHTS_MAX = 64

/** What is sent, or why there is nothing, as a sentence without secrets. */
export type Fetched = Sent | { readonly reason: string }

export interface Tokens {
  /**
   * The token of a grant: at once when it is cached, else when it was fetched. One that will end soon is renewed in the
   * background, and used to its very end while the endpoint fails.
   * @param whose Name under which it is cached; empty for the client itself. @param more Further members of the form.
   */
  of(grant: LinkedGrant, whose: string, more: Readonly<Record<string, string>>): Fetched | Promise<Fetched>
  /** A token in the place of one that the upstream refused; null when another would be refused as well. */
  instead(
    grant: LinkedGrant,
    whose: string,
    more: Readonly<Record<string, string>>,
    refused: Sent,
  ): Promise<Fetched> | null
}

/** The tokens of one gateway thread, each fetched once however many calls wait for it. */
export function createTokens(clock: Clock, fetchJson: FetchJson): Tokens {
  const flights = new WeakMap<LinkedGrant, number>()

  function cachedTokenOf(grant: LinkedGrant, whose: string): CachedToken {
    let cached = grant.tokens.get(whose)
    if (cached === undefined) {
      cached = {
        sent: null,
        refreshAt: 0,
        waitAt: 0,
        endsAt: 0,
        failure: '',
        failedAt: 0,
        forcedAt: Number.NEGATIVE_INFINITY,
        flight: null,
      }
      grant.tokens.set(whose, cached)
    }
    return cached
  }

  /** One flight for each token. */
  function fetchInto(
    cached: CachedToken,
    grant: LinkedGrant,
    more: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (cached.flight !== null) return cached.flight
    const others = flights.get(grant) ?? 0
    if (others >= FLIGHTS_MAX) {
      cached.failure = 'too many token requests are pending'
      cached.failedAt = clock.monotonic()
      return Promise.resolve()
    }
    flights.set(grant, others + 1)
    cached.flight = fetchToken(grant, more, clock, fetchJson)
      .then(
        ({ sent, lifetimeMs }) => {
          const now = clock.monotonic()
          // A short life is used for three quarters.
          const spare = Math.min(SPARE_MS, lifetimeMs / 4)
          cached.sent = sent
          cached.endsAt = now + lifetimeMs
          cached.waitAt = cached.endsAt - spare
          cached.refreshAt = cached.waitAt - Math.min(EARLY_MS, lifetimeMs / 4)
          cached.failure = ''
        },
        (error: unknown) => {
          cached.failure =
            error instanceof FetchFailure || error instanceof RangeError
              ? error.message
              : 'the request failed'
          cached.failedAt = clock.monotonic()
        },
      )
      .finally(() => {
        flights.set(grant, flights.get(grant)! - 1)
        cached.flight = null
      })
    return cached.flight
  }

  async function fetched(cached: CachedToken, flight: Promise<void>): Promise<Fetched> {
    await flight
    return usable(cached)
  }

  function usable(cached: CachedToken): Fetched {
    if (cached.sent !== null && clock.monotonic() < cached.endsAt) return cached.sent
    return { reason: failureOf(cached) }
  }

  return {
    of(grant, whose, more) {
      const cached = cachedTokenOf(grant, whose)
      const now = clock.monotonic()
      if (cached.sent !== null && now < cached.refreshAt) return cached.sent
      const hasJustFailed = cached.failure !== '' && now - cached.failedAt < FAILED_MS
      if (cached.sent !== null && now < cached.waitAt) {
        if (!hasJustFailed) void fetchInto(cached, grant, more)
        return cached.sent
      }
      if (hasJustFailed && cached.flight === null) return usable(cached)
      return fetched(cached, fetchInto(cached, grant, more))
    },
    instead(grant, whose, more, refused) {
      const cached = cachedTokenOf(grant, whose)
      // Another request was first: its token has not been refused yet.
      if (cached.sent !== null && cached.sent !== refused) return Promise.resolve(cached.sent)
      const now = clock.monotonic()
      const { waitAt, refreshAt } = cached
      const isForced = cached.sent !== null && cached.flight === null
      if (isForced) {
        if (now - cached.forcedAt < FORCED_MS) return null
        cached.forcedAt = now
        // Others wait for the new one
        cached.waitAt = now
        cached.refreshAt = now
      }
      return fetched(cached, fetchInto(cached, grant, more)).then((it) => {
        if (it !== refused) return it
        // The upstream may have had something against this very request
        if (isForced) Object.assign(cached, { waitAt, refreshAt })
        return { reason: failureOf(cached) }
      })
    },
  }
}

function failureOf({ failure }: CachedToken): string {
  return `the token endpoint: ${failure}`
}

/** Asks the endpoint once. Rejects with a FetchFailure or RangeError whose message holds no secret. */
export async function fetchToken(
  grant: LinkedGrant,
  more: Readonly<Record<string, string>>,
  clock: Clock,
  fetchJson: FetchJson,
): Promise<{ readonly sent: Sent; readonly lifetimeMs: number }> {
  const answer = await ask(grant, more, clock, fetchJson).catch((error: unknown) => {
    // The endpoint may know the client of after a rotation a moment later than Postern
    const previous = beforeRotation(grant.previous, clock.now())
    const isRefused = error instanceof FetchFailure && (error.status === 400 || error.status === 401)
    if (!isRefused || previous === null) throw error
    return ask(previous.grant, more, clock, fetchJson)
  })
  const { access_token, token_type, expires_in } = answer
  if (typeof access_token !== 'string' || !/^[!-~]{1,16384}$/.test(access_token))
    throw new RangeError('the response contains no access token')
  if (typeof token_type === 'string' && !/^(bearer|n_a)$/i.test(token_type))
    throw new RangeError('the token is of a type other than Bearer')
  const seconds = Number(expires_in)
  const lifetimeMs = expires_in != null && seconds > 0 ? Math.min(seconds * 1000, 2 ** 31) : LIFETIME_MS
  return { sent: headerOf('Authorization', `Bearer ${access_token}`), lifetimeMs }
}

function ask(
  grant: LinkedGrant,
  more: Readonly<Record<string, string>>,
  clock: Clock,
  fetchJson: FetchJson,
): Promise<Plain> {
  const client = clientOf(grant, clock)
  return fetchJson({
    url: grant.url,
    from: 'typed',
    form: { ...grant.form, ...more, ...client.form },
    authorization: client.authorization,
  })
}

/** How the endpoint knows who asks: RFC 6749 section 2.3.1, RFC 7523 sections 2.1 and 2.2. */
function clientOf(
  { method, clientId, secret, key, keyId, claims }: LinkedGrant,
  clock: Clock,
): { readonly authorization: string; readonly form: Readonly<Record<string, string>> } {
  if (method === 'client_secret_basic') {
    const pair = `${formEncoded(clientId)}:${formEncoded(secret!.reveal())}`
    return { authorization: `Basic ${Buffer.from(pair).toString('base64')}`, form: {} }
  }
  if (method === 'client_secret_post')
    return { authorization: '', form: { client_id: clientId, client_secret: secret!.reveal() } }
  const now = Math.floor(clock.now() / 1000)
  const assertion = signJws(key!, keyId, {
    ...claims,
    jti: randomUUID(),
    iat: now,
    exp: now + ASSERTION_MS / 1000,
  })
  if (method === 'jwt_bearer') return { authorization: '', form: { assertion } }
  return {
    authorization: '',
    form: {
      client_id: clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    },
  }
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
