/** What the rest of Postern can ask of the accounts of people at origins, without knowing OAuth. */
import type { ConnectedOrigin } from '../../access/mcp-access.ts'
import type { ConnectionAnswer, RefusedConnection } from '../../model/access/caller.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'

export type { ConnectedOrigin } from '../../access/mcp-access.ts'

/** A client that was registered by hand at the authorization server of an origin. */
export interface ManualClient {
  readonly id: string
  /** Null for a public client. */
  readonly secret: string | null
}

/** An event of a connection, for the audit trail. */
export interface ConnectionHappening {
  readonly event: 'connected' | 'connect_failed' | 'disconnected' | 'refresh_failed'
  /** Empty for the shared connection. */
  readonly user: string
  readonly origin: string
  /** Sentences without secrets, such as the error of the authorization server. */
  readonly reason: string | null
  readonly issuer: string | null
}

/** A connection as its person sees it. */
export interface ShownConnection {
  readonly state: 'connected' | 'refresh_failed' | 'switched_off' | 'none'
  readonly accountLabel: string
  readonly connectedAt: number | null
  readonly expiresAt: number | null
  /** Scopes that calls have lacked; connecting again asks for them. */
  readonly lacked: readonly string[]
  /** The access token names the MCP server as its audience. Null for an account without tokens. */
  readonly isBound: boolean | null
}

/** What a person agrees to before the browser leaves for an authorization server that an origin has named. */
export interface ConnectOffer {
  /** URL of the MCP server that gets the access token. */
  readonly url: string
  readonly issuer: string
  /** Host of the page on which the person signs in. */
  readonly signInHost: string
  /** Endpoints on another host than the issuer, by what they are for. */
  readonly elsewhere: readonly { readonly use: string; readonly host: string }[]
  /** Empty: the authorization server chooses. */
  readonly scopes: readonly string[]
  /** Value of the `resource` parameter (RFC 8707); null where none is sent. */
  readonly resource: string | null
  /** The authorization server is on the host of the MCP server. */
  readonly isOwnServer: boolean
  /** Hash of all that was offered, and of the endpoints that get the code. */
  readonly digest: string
}

/** What an administrator must know to register Postern at the authorization server of an origin. */
export interface OriginAuthorization {
  readonly issuer: string
  /** How Postern is a client there; null where it cannot be one yet. */
  readonly registration: 'manual' | 'cimd' | 'dcr' | null
  /** The redirect URI that Postern uses there, or that is to be registered by hand. */
  readonly redirectUri: string
  /** As of {@link ConnectOffer}. */
  readonly elsewhere: ConnectOffer['elsewhere']
  /** The server says that its responses carry `iss`, so that a response without it is refused (RFC 9207). */
  readonly hasIssParameter: boolean
  /** Why Postern cannot be a client there, as a predicate without period; null where it can. */
  readonly fault: string | null
}

/**
 * Postern as OAuth client of the authorization servers of origins, and the broker of the tokens. Refusals:
 * `configuration_invalid` where the origin or its authorization server cannot be used, with a sentence that says why and what to do;
 * `credential_invalid` if the person or the authorization server did not allow it; `permission_denied` where an administrator has
 * switched the connection off; `overloaded` where the person has begun too often at once.
 */
export interface Federation {
  /** How Postern is a client of the authorization server of an origin. Nothing is registered or kept for it. */
  authorization(origin: ConnectedOrigin): Promise<OriginAuthorization>
  /**
   * What {@link begin} would do, for the person to agree to. Nothing is registered or kept for it.
   * @param user empty for the shared connection
   * @returns null where Postern gets tokens without the person, so that there is nothing to agree to
   */
  offer(user: string, origin: ConnectedOrigin): Promise<ConnectOffer | null>
  /**
   * Begins to connect an account. The answer is the URL to which the browser of the person goes, or what is offered by now if that is
   * not what the person has agreed to.
   * @param user empty for the shared connection @param by id of the person who uses the browser
   * @param returnTo path to which the browser goes in the end @param agreed digest of the offer that the person has agreed to
   */
  begin(
    user: string,
    origin: ConnectedOrigin,
    by: string,
    returnTo: string,
    agreed: string,
  ): Promise<URL | ConnectOffer>
  /**
   * Finishes what {@link begin} began. Each attempt can be finished once.
   * @param callback URL to which the authorization server sent the browser @param by as for {@link begin}
   */
  finish(callback: URL, by: string): Promise<{ readonly origin: string; readonly returnTo: string }>
  /** Keeps a key that the person has entered. Refuses with input_invalid what no header can carry. */
  keepKey(user: string, origin: ConnectedOrigin, key: string): Promise<void>
  /** Deletes a connection, and revokes its tokens if the authorization server supports that (RFC 7009). False if there was none. */
  disconnect(user: string, origin: ConnectedOrigin): Promise<boolean>
  /** Revokes the tokens of a connection that is no longer stored, if the authorization server supports that. Never rejects. */
  revoke(ended: StoredConnection): Promise<void>
  shown(user: string, origin: string): Promise<ShownConnection>
  /**
   * The token or key that a gateway thread sends to the origin for this person. A token that is about to end is refreshed first. Never
   * rejects.
   * @param refused the token or key that the origin has refused; null for none
   */
  answer(user: string, origin: string, refused: RefusedConnection | null): Promise<ConnectionAnswer>
}
