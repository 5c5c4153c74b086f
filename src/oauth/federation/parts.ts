/** What the modules of this folder are made with. */
import type { Clock } from '../../base/clock.ts'
import type { GuardedFetch } from '../../base/net/guarded-fetch.ts'
import type { Links } from '../../shared-state/ports/links.ts'
import type { ConnectionReader, ConnectionWriter } from '../../store/ports/connections.ts'
import type { OAuthReader, OAuthWriter } from '../../store/ports/oauth.ts'
import type { Sealed } from '../server/sealed.ts'
import type { ConnectedOrigin, ConnectionHappening, ManualClient } from './port.ts'
import type { TokenOutcome } from './token-client.ts'

/** Tokens of a person that an identity provider of the company has issued to Postern. */
export interface IdentityTokens {
  /** The provider at which the person signed in. */
  readonly issuer: string
  readonly idToken: string
  /** Null if there is none, or if it has ended. */
  readonly accessToken: string | null
}

/** Postern as a client of the identity providers, for the modes that exchange their tokens. */
export interface IdentityExchange {
  /** Valid tokens of the person; null if there are none, so that the person must sign in again. */
  tokensOf(user: string): Promise<IdentityTokens | null>
  /** RFC 8693 at the token endpoint of that provider. */
  exchange(issuer: string, form: Readonly<Record<string, string>>): Promise<TokenOutcome>
}

export interface FederationParts {
  readonly connections: ConnectionReader
  /** One transaction. */
  readonly writeConnections: <T>(work: (writer: ConnectionWriter) => Promise<T>) => Promise<T>
  /** Where clients that registered themselves are kept, and endings of sign-ins. */
  readonly artifacts: Pick<OAuthReader, 'artifact' | 'lastEnding' | 'hasEnded'>
  readonly writeArtifacts: <T>(work: (writer: OAuthWriter) => Promise<T>) => Promise<T>
  /** Connections that are being made, sealed, by the hash of their `state`. */
  readonly links: Links<string>
  readonly sealed: Pick<Sealed, 'seal' | 'open' | 'hash'>
  readonly clock: Clock
  readonly fetch: GuardedFetch
  readonly origin: (id: string) => Promise<ConnectedOrigin | null>
  /**
   * Whether `by` may connect the account of `user` at the origin with that id. Asked within the transaction that stores the account: much
   * may have changed while an authorization server answered.
   */
  readonly mayConnect: (user: string, origin: string, by: string) => Promise<boolean>
  readonly manualClient: (origin: ConnectedOrigin) => Promise<ManualClient | null>
  /** Origin of the URLs of Postern, such as `https://gateway.example.com`. */
  readonly postern: string
  /** Called with the id of a connection whose tokens must no longer be used. */
  readonly ended: (connection: string) => void
  readonly happened: (happening: ConnectionHappening) => void
  /** Logs a warning: a sentence without secrets. */
  readonly warn: (sentence: string) => void
  /** Absolute URL of the page on which the person connects the account. */
  readonly pageOf: (originSlug: string, user: string) => string
  /** Null without an identity provider. */
  readonly identity: IdentityExchange | null
}
