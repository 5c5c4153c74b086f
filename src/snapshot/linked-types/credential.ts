/** Credentials as a thread has linked them, and the tokens that it has fetched. */
import type { KeyObject } from 'node:crypto'
import type { AwsSigner } from '../../base/crypto/aws-signature.ts'
import type { Secret } from '../../base/crypto/token.ts'
import type { Lru } from '../../base/memory/lru.ts'

/** A credential; its own line and pair are empty where `grant` fetches what is sent. */
export interface LinkedCredential extends Sent {
  readonly kind: 'credential'
  readonly id: string
  /** Null for one that is sent as it stands. */
  readonly grant: LinkedGrant | null
  /** Null for one that is not shown in handshakes. */
  readonly certificate: ClientCertificate | null
  /** With what databases and mail servers are signed in to; null for what is not of type basic. */
  readonly login: { readonly username: string; readonly password: Secret } | null
  /** Null for one that signs no requests. */
  readonly signing: AwsSigner | null
  /** What it was before a rotation: tried where the present one is refused, until then (milliseconds since the epoch). */
  readonly previous: { readonly credential: LinkedCredential; readonly until: number } | null
  /** When a request last used it, milliseconds since the epoch; 0 for never. */
  usedAt: number
}

/** What is put into the request to an upstream. */
export interface Sent {
  /** Header that is sent; empty for a query parameter. */
  readonly line: string
  /** Lower-case name of that header; empty for a query parameter. */
  readonly name: string
  /** `name=value`, percent-encoded, for the query; else empty. */
  readonly pair: string
  /** Name of the query parameter, decoded. */
  readonly parameter: string
}

/** What the gateway shows in handshakes with upstreams. */
export interface ClientCertificate {
  /** Fingerprints (SHA-256) of it and of `ca`; what differs shares no connections. */
  readonly id: string
  /** The certificate and those that lead to its authority. */
  readonly pem: string
  readonly key: Secret
  /** Authorities that are trusted where the upstream names none of its own; null for those of the system. */
  readonly ca: string | null
}

/** How tokens for an upstream are fetched, and those that this thread holds. */
export interface LinkedGrant {
  readonly url: string
  /** Empty where an assertion alone says who asks. */
  readonly clientId: string
  /** What the token endpoint is shown: a secret in a header or in the form, or an assertion about the client or as the grant. */
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'jwt_bearer'
  readonly secret: Secret | null
  readonly key: KeyObject | null
  readonly keyId: string | null
  /** What each assertion says beside its times. */
  readonly claims: Readonly<Record<string, string>>
  /** The caller's own token goes into the form, and what comes back is for this caller alone. */
  readonly exchanges: boolean
  /** Members of the form beside those of the client. */
  readonly form: Readonly<Record<string, string>>
  /** Asks in its place, until then, where the endpoint refuses it; see {@link LinkedCredential.previous}. */
  readonly previous: { readonly grant: LinkedGrant; readonly until: number } | null
  /** Tokens by a hash of the caller's; the empty name is the client itself. */
  readonly tokens: Lru<string, CachedToken>
}

/** One token of a grant, cached by one thread. Times are monotonic milliseconds. */
export interface CachedToken {
  /** Null before the first answer. */
  sent: Sent | null
  /** A new one is fetched in the background from here on, is waited for from here on, and it ends here. */
  refreshAt: number
  waitAt: number
  endsAt: number
  /** Of the last attempt that failed; empty when none did since the last good one. */
  failure: string
  failedAt: number
  /** When a refused token last made a new one be fetched. */
  forcedAt: number
  flight: Promise<void> | null
}
