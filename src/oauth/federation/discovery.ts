/**
 * Finds the authorization server of an origin (MCP 2026-07-28, authorization).
 *
 * 1. The egress rule judges each URL that a document names. A URL counts as typed only on the host that the administrator has
 *    entered. Redirects are followed for documents only, and each one is judged.
 * 2. Number, time and size of requests are bounded, whatever the origin names.
 * 3. Results are kept for {@link KEPT_MS}. Concurrent requests for one origin share one search.
 */
import type { Clock } from '../../base/clock.ts'
import { type Plain, plainIn } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import { discoveredFrom, type UrlSource } from '../../base/net/egress.ts'
import { FetchFailure, type GuardedFetch } from '../../base/net/guarded-fetch.ts'
import {
  type AuthorizationServer,
  defaultServer,
  type ResourceChallenge,
  type ResourceMetadata,
  readResourceMetadata,
  readServerMetadata,
  resourceChallengeOf,
  resourceMetadataUrls,
  scopesIn,
  serverMetadataUrls,
  Unusable,
} from './metadata.ts'
import type { ConnectedOrigin } from './port.ts'

/** Milliseconds for which what was found is used again. */
const KEPT_MS = 5 * 60_000
/** Milliseconds after which no further request of one discovery begins. */
const LONG_MS = 20_000
const REDIRECTS_MAX = 3
const ORIGINS_MAX = 1000

/** How an origin is protected. */
export interface Discovered {
  /** Value of the `resource` parameter (RFC 8707). */
  readonly resource: string
  readonly server: AuthorizationServer
  /** Scopes that the origin asks for, in its challenge or else in its metadata. */
  readonly scopes: readonly string[]
}

export interface Discovery {
  /**
   * The first authorization server of the origin that can be used. Rejects with {@link Unusable} or a {@link FetchFailure}.
   * @param faultOf why a server cannot be used, such as that no client can be registered there; null when it can
   */
  find(origin: ConnectedOrigin, faultOf: (server: AuthorizationServer) => string | null): Promise<Discovered>
  /** Asks anew next time. */
  forget(origin: string): void
}

export interface DiscoveryParts {
  readonly fetch: GuardedFetch
  readonly clock: Clock
}

/** How a URL counts that a document of the origin, or about it, names. */
export function sourceOf({ url, oauth }: Pick<ConnectedOrigin, 'url' | 'oauth'>, found: string): UrlSource {
  const typed = oauth.resource_metadata_url
  if (typed !== null && discoveredFrom(typed, found) === 'typed') return 'typed'
  return discoveredFrom(url, found)
}

export function createDiscovery({ fetch: send, clock }: DiscoveryParts): Discovery {
  const kept = new Lru<string, Kept>(ORIGINS_MAX)

  /** @param until monotonic */
  function asker(origin: ConnectedOrigin, until: number) {
    return async (url: string, isPost = false): ReturnType<GuardedFetch> => {
      if (clock.monotonic() > until) throw new FetchFailure(`took longer than ${LONG_MS / 1000} s`)
      const from = sourceOf(origin, url)
      return isPost
        ? send({ url, from, method: 'POST', headers: QUESTION_HEADERS, body: QUESTION }, isChallenge)
        : send({ url, from, method: 'GET', headers: { Accept: 'application/json' }, body: null })
    }
  }

  async function discover(
    origin: ConnectedOrigin,
    faultOf: (server: AuthorizationServer) => string | null,
  ): Promise<Discovered> {
    const ask = asker(origin, clock.monotonic() + LONG_MS)
    const challenge = await challengeOf(ask, origin)
    const metadata = await resourceMetadata(ask, origin, challenge)
    const scopes = challenge?.scope == null ? (metadata?.scopes ?? []) : scopesIn(challenge.scope)
    const resource = metadata?.resource ?? canonical(origin.url)
    const own = new URL(origin.url).origin
    // Servers of 2025-03-26 are their own authorization servers, and need no metadata
    const isEarly = metadata === null && challenge !== null
    const issuers = metadata === null || metadata.servers.length === 0 ? [own] : metadata.servers
    const faults: string[] = []
    for (const issuer of issuers) {
      try {
        const server = (await serverMetadata(ask, issuer)) ?? (isEarly ? defaultServer(own) : null)
        const fault = server === null ? 'publishes no metadata at the well-known URLs' : faultOf(server)
        if (server !== null && fault === null) return { resource, server, scopes }
        faults.push(`the authorization server ${issuer} ${fault}`)
      } catch (error) {
        faults.push(`the authorization server ${issuer}: ${faultText(error)}`)
      }
    }
    throw new Unusable(faults.join('; '))
  }

  return {
    find(origin, faultOf) {
      const of = JSON.stringify([origin.url, origin.oauth])
      const known = kept.get(origin.id)
      if (known?.of === of && clock.monotonic() < known.until) return known.found
      const found = discover(origin, faultOf)
      const entry = { of, found, until: clock.monotonic() + KEPT_MS }
      kept.set(origin.id, entry)
      found.catch(() => kept.get(origin.id) === entry && kept.delete(origin.id))
      return found
    },
    forget: (origin) => kept.delete(origin),
  }
}

interface Kept {
  /** What of the origin it depends on. */
  readonly of: string
  readonly found: Promise<Discovered>
  /** Monotonic. */
  readonly until: number
}

type Ask = (url: string, isPost?: boolean) => ReturnType<GuardedFetch>

/** Servers that let anybody `initialize` still protect their tools. */
const QUESTION = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}')
const QUESTION_HEADERS = {
  Accept: 'application/json, text/event-stream',
  'Content-Type': 'application/json',
}

const isChallenge = (status: number): boolean => status === 401 || status === 403

/** What the origin asks for when a request has no token; null where it answers anything else, or cannot be asked. */
async function challengeOf(ask: Ask, { url }: ConnectedOrigin): Promise<ResourceChallenge | null> {
  try {
    const { headers } = await ask(url, true)
    return resourceChallengeOf(headers['www-authenticate'])
  } catch (error) {
    if (!(error instanceof FetchFailure)) throw error
    return null
  }
}

/** Null where none is published. */
async function resourceMetadata(
  ask: Ask,
  { url, oauth }: ConnectedOrigin,
  challenge: ResourceChallenge | null,
): Promise<ResourceMetadata | null> {
  const named = oauth.resource_metadata_url ?? challenge?.metadata ?? null
  const urls = named === null ? resourceMetadataUrls(url) : [named]
  let fault: Error | null = null
  for (const one of urls) {
    try {
      const document = await documentAt(ask, one)
      if (document !== null) return readResourceMetadata(document, url)
      if (named !== null) throw new Unusable('cannot be read')
    } catch (error) {
      fault ??= new Unusable(`the resource metadata ${one}: ${faultText(error)}`)
    }
  }
  if (fault !== null) throw fault
  return null
}

/** Null where none is published. */
async function serverMetadata(ask: Ask, issuer: string): Promise<AuthorizationServer | null> {
  let fault: Error | null = null
  for (const url of serverMetadataUrls(issuer)) {
    try {
      const document = await documentAt(ask, url)
      if (document !== null) return readServerMetadata(document, issuer)
    } catch (error) {
      if (!(error instanceof Unusable) && !(error instanceof FetchFailure)) throw error
      fault ??= error
    }
  }
  if (fault !== null) throw fault
  return null
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** One JSON object; null where there is none, as of a site that answers any path with a page. */
async function documentAt(ask: Ask, url: string): Promise<Plain | null> {
  let at = url
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
    const { status, headers, body } = await ask(at)
    if (status >= 500 || status === 429) throw new FetchFailure(`answered ${status}`, status)
    if (!REDIRECTS.has(status)) return status === 200 ? plainIn(body) : null
    const next = URL.parse(headers['location'] ?? '', at)
    if (next === null) return null
    at = next.href
  }
  throw new Unusable(`redirects more than ${REDIRECTS_MAX} times`)
}

/** Rethrows a fault of the program. */
function faultText(error: unknown): string {
  if (error instanceof Unusable || error instanceof FetchFailure) return error.message
  throw error
}

/** Without a fragment, and without the slash of a bare host (MCP, authorization: canonical server URI). */
function canonical(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return origin + (pathname === '/' ? '' : pathname) + search
}
