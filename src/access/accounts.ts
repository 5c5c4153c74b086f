/** People and service identities that may sign in. */
import type { Grant, Principal } from './principal.ts'

/** Someone who may sign in. */
export interface Account {
  /** `usr_…`; `sub` of what is issued for them. */
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly email: string | null
  /** False ends sessions and tokens with the next request. */
  readonly active: boolean
}

/** What an identity provider tells of someone who signed in there (OpenID Connect Core 1.0, section 2). */
export interface Arrival {
  readonly issuer: string
  readonly subject: string
  /** Undefined, as the name, where nothing is told of it: it stays as it was. */
  readonly email?: string | null | undefined
  readonly name?: string | null | undefined
  readonly groups: readonly string[]
  /** Grants in their compact form that its claims are mapped to; see `readGrant`. */
  readonly grants: readonly string[]
  /** Time of issue of the claims, in seconds since the epoch: claims older than the newest known ones change nothing. */
  readonly claimsIssuedAt?: number | undefined
}

/** How someone has been proved, and what was delegated by that. */
interface Proof {
  /** For the audit, such as `oauth` or `personal_token`. */
  readonly authMethod: string
  /** Milliseconds since the epoch, or null for never. */
  readonly expiresAt: number | null
  /** Nothing beyond these either; null for all that the account may do. */
  readonly ceiling: readonly Grant[] | null
}

/** Those who ask the control plane under a name of their own: users and service identities. */
export interface Accounts {
  /** A user, active or not. */
  find(id: string): Promise<Account | undefined>
  /** A local user by slug or email. */
  findLocal(name: string): Promise<Account | undefined>
  /** The user that an identity provider knows by a subject, active or not, as they came last. */
  arrived(issuer: string, subject: string): Promise<Account | undefined>
  /**
   * The user that an identity provider speaks of, made when they come for the first time; email, groups and mapped
   * grants are taken over anew each time. Refuses with credential_invalid when the user is inactive.
   */
  arrive(arrival: Arrival): Promise<Account>
  /**
   * A user or a service identity with what it may do now. Refuses with credential_invalid when there is none, or when
   * it is inactive.
   */
  principalOf(id: string, proof: Proof): Promise<Principal>
}
