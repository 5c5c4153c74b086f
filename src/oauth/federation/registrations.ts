/**
 * How authorization servers know Postern as a client: by an id that an administrator has entered, by the URL of its client
 * metadata document, or by dynamic registration.
 *
 * 1. A registration belongs to one origin and one issuer. An authorization server that another origin names therefore asks
 *    the person again, even if the person has allowed Postern there before (confused deputy).
 * 2. Each issuer has its own redirect URI, so a code of another server is never taken for a code of this issuer (RFC 9700
 *    section 4.4.2). A client that was registered by hand belongs to the issuer of its first use. If an earlier version used
 *    it first, it keeps the common redirect URI at that issuer, because its administrator has registered that URI.
 * 3. If a server has forgotten a registration, Postern registers again without an administrator.
 * 4. Concurrent requests for one origin and issuer register once.
 *
 * Connections of earlier versions keep the client to which their tokens were issued: a registration that all origins of an
 * issuer shared, or the document at {@link CLIENT_DOCUMENT_PATH}.
 */
import { hash } from 'node:crypto'
import { type Plain, plainIn, scalarText } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { FetchFailure, type GuardedFetch } from '../../base/net/guarded-fetch.ts'
import { refuse } from '../../base/refusal.ts'
import { InLine } from '../../base/threads/in-line.ts'
import type { OAuthArtifact } from '../../store/ports/oauth.ts'
import { type ClientAuthMethod, methodFor } from '../sign-in/client-auth.ts'
import { shownError } from '../sign-in/oidc.ts'
import { openTokens } from './kept-tokens.ts'
import { type AuthorizationServer, Unusable } from './metadata.ts'
import type { ConnectedOrigin, ManualClient } from './port.ts'
import type { FederatedClient, FederationParts, Party, TokenClient } from './token-client.ts'

/** Path of the client metadata document that all origins shared in earlier versions. */
const CLIENT_DOCUMENT_PATH = '/oauth/client.json'
/** Path of the redirect URI of clients that earlier versions used, registered by hand. Below it is a redirect URI for each issuer. */
const CONNECT_CALLBACK_PATH = '/connect/callback'
/** `/oauth/client/{id of the origin}/{key of the issuer}.json`: a client metadata document. */
const DOCUMENT = /^\/oauth\/client\/([\w-]{1,64})\/([\w-]{22})\.json$/

/** Artifacts: clients that registered themselves, and the issuers that secrets entered by hand stay with. */
const CLIENT = 'FederatedClient'
const PIN = 'FederatedIssuer'
/** Artifact: the issuer at which a client entered by hand has the common redirect URI; empty for none. */
const COMMON = 'FederatedCallback'

/** Milliseconds for which a registration is believed to be known at the server. */
const KNOWN_MS = 10 * 60_000
const KNOWN_MAX = 1000
/** Scopes of one registration. */
const SCOPES_MAX = 300
/** Registrations that are kept. The oldest gives way: connections keep their client, so it only makes a new registration necessary. */
const REGISTRATIONS_MAX = 10_000
/** Connections of an origin that are searched for the issuer of a client that was registered by hand. */
const SEARCHED_MAX = 20

const METADATA = {
  client_name: 'Postern',
  application_type: 'web',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
} as const

/** 132 bits of a hash: a second issuer with the same key cannot be found. It stays the same after a restore on another machine. */
const keyOf = (issuer: string): string => hash('sha256', issuer, 'base64url').slice(0, 22)

/** Redirect URI of clients at an issuer. @param postern origin of the URLs of Postern */
function redirectUriOf(issuer: string, postern: string): string {
  return `${postern}${CONNECT_CALLBACK_PATH}/${keyOf(issuer)}`
}

/**
 * A client metadata document of Postern (Client ID Metadata Document); null for a path that has none.
 * @param postern origin of its URLs @param path such as `/oauth/client/org_1/Zm9v….json`
 */
export function clientDocument(postern: string, path: string): Plain | null {
  const key = path === CLIENT_DOCUMENT_PATH ? '' : DOCUMENT.exec(path)?.[2]
  if (key === undefined) return null
  return {
    client_id: postern + path,
    ...METADATA,
    client_uri: postern,
    redirect_uris: [postern + CONNECT_CALLBACK_PATH + (key === '' ? '' : `/${key}`)],
    token_endpoint_auth_method: 'none',
  }
}

/** A server can only fetch the document of a Postern that it reaches. */
function hasDocument(postern: string): boolean {
  const { protocol, hostname } = new URL(postern)
  return protocol === 'https:' && !isLoopbackHost(hostname)
}

export interface Registrations {
  /** Why no client can be known at the server, and what to do; null when one can. */
  faultOf(origin: ConnectedOrigin, manual: ManualClient | null, server: AuthorizationServer): string | null
  /** How Postern is a client there, and the redirect URI that it uses, or that is to be registered by hand. Registers nothing. */
  wayAt(
    origin: ConnectedOrigin,
    manual: ManualClient | null,
    server: AuthorizationServer,
  ): Promise<{ readonly by: FederatedClient['by'] | null; readonly redirectUri: string }>
  /** Redirect URI of a client of {@link clientFor} at an issuer. */
  redirectUri(origin: string, issuer: string, client: FederatedClient): Promise<string>
  /** Postern as a client there, registered if need be. Refuses with configuration_invalid. @param scopes that will be asked for */
  clientFor(
    origin: ConnectedOrigin,
    manual: ManualClient | null,
    at: Omit<Party, 'client'>,
    scopes: readonly string[],
  ): Promise<FederatedClient>
  /** The server does not know a client any more: the next one is registered anew. @param origin id */
  forget(origin: string, issuer: string, client: FederatedClient): Promise<void>
}

type Parts = Pick<
  FederationParts,
  'artifacts' | 'writeArtifacts' | 'asOnlyOne' | 'sealed' | 'clock' | 'fetch' | 'postern' | 'connections'
> & {
  readonly tokens: TokenClient
}

interface UsedBefore {
  /** With the same secret. */
  readonly same: string | null
  readonly any: string | null
}

const NEVER: UsedBefore = { same: null, any: null }

/** What is kept of a registration. */
interface Registered {
  readonly client: FederatedClient
  readonly scopes: readonly string[]
}

export function createRegistrations(parts: Parts): Registrations {
  const { artifacts, writeArtifacts, sealed, clock, postern } = parts
  const line = new InLine(1)
  /** Until when a client is believed to be known, monotonic, by issuer and id. */
  const known = new Lru<string, number>(KNOWN_MAX)
  const idOf = (origin: string, issuer: string): string =>
    sealed.hash(`${issuer}\n${redirectUriOf(issuer, postern)}\n${origin}`)

  async function keptAt(id: string): Promise<Registered | null> {
    const found = await artifacts.artifact(CLIENT, id)
    if (found === undefined || (found.expires_at !== null && found.expires_at <= clock.now())) return null
    // Sealed by this file from this very type
    return JSON.parse(sealed.open(found.sealed, CLIENT, id)) as Registered
  }

  async function keep(id: string, registered: Registered, expiresAt: number | null): Promise<void> {
    const text = sealed.seal(JSON.stringify(registered), CLIENT, id)
    const artifact = artifactOf(CLIENT, id, text, clock.now(), expiresAt)
    await writeArtifacts((writer) => writer.put(artifact, REGISTRATIONS_MAX))
  }

  /** A registration of earlier days may have been removed, of which a browser that is sent there would not bring word. */
  async function isKnown(at: Omit<Party, 'client'>, client: FederatedClient): Promise<boolean> {
    const key = `${at.server.issuer}\n${client.id}`
    if ((known.get(key) ?? 0) > clock.monotonic()) return true
    const answer = await parts.tokens.refresh({ ...at, client }, NO_TOKEN, {})
    if (answer.kind === 'refused' && answer.error === 'invalid_client') return false
    known.set(key, clock.monotonic() + KNOWN_MS)
    return true
  }

  async function registered(
    origin: string,
    at: Omit<Party, 'client'>,
    scopes: readonly string[],
  ): Promise<FederatedClient> {
    const { issuer } = at.server
    const id = idOf(origin, issuer)
    const redirectUri = redirectUriOf(issuer, postern)
    const kept = await keptAt(id)
    const fits = kept !== null && scopes.every((scope) => kept.scopes.includes(scope))
    if (fits && (await isKnown(at, kept.client))) return kept.client
    const both = [...new Set([...(kept?.scopes ?? []), ...scopes])]
    // An origin that names other scopes each time does not fill the store
    const wanted = both.length > SCOPES_MAX ? scopes : both
    const { client, expiresAt } = await register(parts.fetch, at, redirectUri, wanted, postern)
    await keep(id, { client, scopes: wanted }, expiresAt)
    known.set(`${issuer}\n${client.id}`, clock.monotonic() + KNOWN_MS)
    return client
  }

  /**
   * A client that was registered by hand is used at no other server because an origin has come to name one. Refuses with
   * configuration_invalid.
   */
  async function pinned(origin: ConnectedOrigin, client: ManualClient, issuer: string): Promise<void> {
    const { id, secret } = client
    const key = pinKeyOf(origin, client)
    const commonKey = commonKeyOf(origin.id, id)
    const [pin, common] = await Promise.all([
      artifacts.artifact(PIN, key),
      artifacts.artifact(COMMON, commonKey),
    ])
    const before = pin !== undefined && common !== undefined ? NEVER : await usedBefore(origin, client)
    const bound = await writeArtifacts(async (writer) => {
      const found = await writer.artifact(PIN, key)
      const first = found === undefined ? (before.same ?? issuer) : sealed.open(found.sealed, PIN, key)
      if (found === undefined)
        await writer.put(artifactOf(PIN, key, sealed.seal(first, PIN, key), clock.now(), null))
      if ((await writer.artifact(COMMON, commonKey)) === undefined) {
        // This version writes both together
        const at = found === undefined ? before.any : first
        const text = sealed.seal(at ?? '', COMMON, commonKey)
        await writer.put(artifactOf(COMMON, commonKey, text, clock.now(), null))
      }
      return first
    })
    if (bound === issuer) return
    const [what, next] =
      secret === null ? ['client ID', 'oauth.client_id'] : ['client secret', 'oauth.client_credential']
    throw refuse('configuration_invalid', {
      detail: `The authorization server of ${origin.name} has changed from ${bound} to ${issuer}. The ${what} was entered for the first. Register Postern at the second and enter the new ${next}.`,
    })
  }

  /**
   * The issuers at which accounts are connected with the client: with the same secret, of which earlier versions bound no client without
   * one, and with any, since a secret changes without another registration.
   */
  async function usedBefore({ id: origin }: ConnectedOrigin, manual: ManualClient): Promise<UsedBefore> {
    let any: string | null = null
    for (const row of await parts.connections.usable(origin, SEARCHED_MAX)) {
      const tokens = openTokens(sealed, row)
      if (tokens?.client.by !== 'manual' || tokens.client.id !== manual.id) continue
      any ??= tokens.server.issuer
      if (tokens.client.secret === manual.secret) return { same: tokens.server.issuer, any }
    }
    return { same: null, any }
  }

  function pinKeyOf(origin: ConnectedOrigin, { id, secret }: ManualClient): string {
    const place = JSON.stringify([origin.id, id, secret, origin.oauth.resource_metadata_url])
    return sealed.hash(`${PIN}\n${place}`)
  }

  const commonKeyOf = (origin: string, client: string): string =>
    sealed.hash(`${COMMON}\n${JSON.stringify([origin, client])}`)

  /** The redirect URI of a client that was entered by hand. @param used issuer of an earlier version, where nothing is kept yet */
  async function manualUri(
    origin: string,
    issuer: string,
    client: string,
    used: () => Promise<string | null>,
  ): Promise<string> {
    const key = commonKeyOf(origin, client)
    const found = await artifacts.artifact(COMMON, key)
    const at = found === undefined ? await used() : sealed.open(found.sealed, COMMON, key)
    return at === issuer ? postern + CONNECT_CALLBACK_PATH : redirectUriOf(issuer, postern)
  }

  return {
    faultOf: (origin, manual, server) => faultOfWay(origin, manual, server, postern),
    async wayAt(origin, manual, server) {
      const { by } = wayOf(origin, manual, server, postern)
      const { issuer } = server
      if (by !== 'manual') return { by, redirectUri: redirectUriOf(issuer, postern) }
      const used = async (): Promise<string | null> => {
        const pin = await artifacts.artifact(PIN, pinKeyOf(origin, manual!))
        if (pin !== undefined) return sealed.open(pin.sealed, PIN, pin.id)
        return (await usedBefore(origin, manual!)).any
      }
      return { by, redirectUri: await manualUri(origin.id, issuer, manual!.id, used) }
    },
    async redirectUri(origin, issuer, { by, id }) {
      if (by !== 'manual') return redirectUriOf(issuer, postern)
      return manualUri(origin, issuer, id, async () => null)
    },
    async clientFor(origin, manual, at, scopes) {
      const { by, fault } = wayOf(origin, manual, at.server, postern)
      if (by === null) throw new Unusable(`the authorization server ${at.server.issuer} ${fault}`)
      const { issuer } = at.server
      if (by === 'cimd') {
        const path = `/oauth/client/${origin.id}/${keyOf(issuer)}.json`
        return { id: postern + path, secret: null, method: 'none', by }
      }
      if (by === 'manual') {
        const { id, secret } = manual!
        await pinned(origin, manual!, issuer)
        const method = methodFor(null, { secret, key: null }, at.server.authMethods ?? undefined)
        return { id, secret, method, by }
      }
      // One after the other, over all processes: the next finds what was registered
      const place = JSON.stringify([origin.id, issuer])
      const key = `registration ${idOf(origin.id, issuer)}`
      return line.run(place, () => parts.asOnlyOne(key, () => registered(origin.id, at, scopes)))
    },
    async forget(origin, issuer, client) {
      known.delete(`${issuer}\n${client.id}`)
      if (client.by !== 'dcr') return
      // Earlier versions kept one for all origins
      const shared = sealed.hash(`${issuer}\n${postern}${CONNECT_CALLBACK_PATH}`)
      for (const id of [idOf(origin, issuer), shared])
        if ((await keptAt(id))?.client.id === client.id)
          await writeArtifacts((writer) => writer.remove(CLIENT, id))
    },
  }
}

/** Is no token anywhere: a server that knows the client answers invalid_grant to it. */
const NO_TOKEN = 'postern-checks-its-registration'

/** Why Postern cannot be a client of the server, and what to do; null when it can. @param postern origin of its URLs */
export function faultOfWay(
  origin: ConnectedOrigin,
  manual: ManualClient | null,
  server: AuthorizationServer,
  postern: string,
): string | null {
  const way = wayOf(origin, manual, server, postern)
  return way.by === null ? way.fault : null
}

type Way =
  | { readonly by: FederatedClient['by']; readonly fault: null }
  | { readonly by: null; readonly fault: string }

function wayOf(
  { oauth }: ConnectedOrigin,
  manual: ManualClient | null,
  server: AuthorizationServer,
  postern: string,
): Way {
  const wanted = oauth.registration
  if (manual !== null && (wanted === 'manual' || wanted === 'auto')) return { by: 'manual', fault: null }
  if (wanted === 'manual')
    return {
      by: null,
      fault: 'needs a client that was registered by hand: set oauth.client_id or oauth.client_credential',
    }
  const documents = hasDocument(postern)
  if (wanted === 'cimd' && documents) return { by: 'cimd', fault: null }
  if (wanted === 'cimd')
    return {
      by: null,
      fault: `cannot fetch the client metadata document of ${postern}: it must be a public https origin`,
    }
  if (wanted === 'auto' && documents && server.takesDocuments) return { by: 'cimd', fault: null }
  if (server.registrationEndpoint !== null) return { by: 'dcr', fault: null }
  return {
    by: null,
    fault: `registers no clients by itself. Register Postern there with the redirect URI ${redirectUriOf(server.issuer, postern)}, and set oauth.client_id or oauth.client_credential`,
  }
}

/** RFC 7591 section 3. */
async function register(
  send: GuardedFetch,
  at: Omit<Party, 'client'>,
  redirectUri: string,
  scopes: readonly string[],
  postern: string,
): Promise<{ client: FederatedClient; expiresAt: number | null }> {
  const { server, sourceOf } = at
  const url = server.registrationEndpoint!
  const asked = methodAt(server)
  const metadata = {
    ...METADATA,
    client_uri: postern,
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: asked,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
  }
  const { status, body } = await send({
    url,
    from: sourceOf(url),
    method: 'POST',
    headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify(metadata)),
  })
  const value = plainIn(body)
  const said = value !== null && typeof value['error'] === 'string' ? `: ${shownError(value)}` : ''
  if (status === 429 || status >= 500)
    throw new FetchFailure(`the registration answered ${status}${said}`, status)
  // Some servers take no scopes of their resources here, and allow each client all of them
  if (status === 400 && scopes.length > 0) return register(send, at, redirectUri, [], postern)
  if ((status !== 201 && status !== 200) || value === null)
    throw new Unusable(
      `the authorization server ${server.issuer} refused the registration with status ${status}${said}. Register Postern there with the redirect URI ${redirectUri}, and set oauth.client_id or oauth.client_credential`,
    )
  return readRegistration(value, asked, server.issuer)
}

/** RFC 7591 section 3.2.1. The server may have chosen another way to authenticate. */
function readRegistration(
  value: Plain,
  asked: ClientAuthMethod,
  issuer: string,
): { client: FederatedClient; expiresAt: number | null } {
  const { client_id: id, client_secret: secret, token_endpoint_auth_method: given } = value
  if (typeof id !== 'string' || id === '' || id.length > 2048)
    throw new Unusable(`the authorization server ${issuer} answered the registration without a client_id`)
  const own = typeof secret === 'string' && secret !== '' ? secret : null
  if (own !== null && own.length > SECRET_MAX)
    throw new Unusable(
      `the authorization server ${issuer} answered the registration with a client_secret of more than ${SECRET_MAX} characters`,
    )
  const method =
    own === null
      ? 'none'
      : (METHODS.find((one) => one === given) ?? (asked === 'none' ? 'client_secret_basic' : asked))
  const ends = Number(scalarText(value['client_secret_expires_at']) ?? 0)
  // A time that is no exact number of milliseconds is as far away as none
  const isKnown = own !== null && ends > 0 && Number.isSafeInteger(Math.floor(ends * 1000))
  const expiresAt = isKnown ? Math.floor(ends * 1000) : null
  return { client: { id, secret: method === 'none' ? null : own, method, by: 'dcr' }, expiresAt }
}

/** Characters of a client secret: it is stored with each account, and sent in a header. */
const SECRET_MAX = 2048

const METHODS: readonly ClientAuthMethod[] = ['client_secret_basic', 'client_secret_post', 'none']

/** A server that lists nothing takes client_secret_basic (RFC 8414 section 2). */
function methodAt({ authMethods }: AuthorizationServer): ClientAuthMethod {
  return METHODS.find((one) => (authMethods ?? ['client_secret_basic']).includes(one)) ?? 'none'
}

function artifactOf(
  kind: string,
  id: string,
  sealed: string,
  now: number,
  expiresAt: number | null,
): OAuthArtifact {
  return {
    kind,
    id,
    sealed,
    grant_id: null,
    other_id: null,
    account_id: null,
    created_at: now,
    expires_at: expiresAt,
    used_at: null,
  }
}
