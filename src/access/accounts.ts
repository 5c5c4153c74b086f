/** People and service identities that may sign in. */
import { isPlain, type Plain } from '../base/json/storable.ts'
import type { ConfigReader } from '../store/ports/config.ts'
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

// Agents as clients of the authorization server: each binding of a host with a live token or with keys is one.

/** A binding as a client of the authorization server. */
export interface Agent {
  /** `bnd_…`: the client id. */
  readonly id: string
  readonly host: { readonly id: string; readonly slug: string; readonly name: string }
  /** Path of the one virtual MCP that it opens. */
  readonly resource: `/mcp/${string}`
  /** The person in whose name it always calls; null for none. */
  readonly user: string | null
  /** It calls in the name of people whose tokens it exchanges, and never for itself. */
  readonly actsForPeople: boolean
  readonly credential: AgentCredential
}

/** By what an agent proves itself: a secret, or keys. */
interface AgentCredential {
  /** By which gateway threads know it: part of the token that is no secret, or a fingerprint of the keys. */
  readonly name: string
  /** SHA-256 of the token, base64url; null with keys. */
  readonly secretHash: string | null
  /** Public keys that it signs with (JWK); none with a secret. */
  readonly keys: readonly Plain[]
  /** Milliseconds since the epoch; null for never. */
  readonly expiresAt: number | null
}

export interface Agents {
  /** An active binding of an active host with a token or keys that have not ended; undefined for any other id. */
  find(id: string): Promise<Agent | undefined>
  /** True where the binding names the user, or a team of theirs, as one for whom it may act. */
  mayActFor(agent: Agent, user: string): Promise<boolean>
  /** True where a person may use a host at a resource: host and person are not switched off there. */
  mayPersonUse(host: string, resource: string, user: string): Promise<boolean>
}

/** True for the id of an agent. */
export function isAgentId(clientId: string): boolean {
  return clientId.startsWith('bnd_')
}

// Service identities as clients of the authorization server.

/** Field under which the hash of the secret of a service identity is sealed. */
export const CLIENT_SECRET = 'client_secret'

/** A service identity as a client of the authorization server. */
export interface ServiceClient {
  readonly id: string
  readonly slug: string
  readonly name: string
  /** Hash of its secret; null where it has none, or has keys, were they all retired. */
  readonly secretHash: string | null
  /** Public keys that it signs with. */
  readonly keys: readonly Plain[]
}

export interface ServiceClients {
  /** An active one that can prove itself, by id or slug. @param now milliseconds since the epoch */
  find(ref: string, now: number): Promise<ServiceClient | undefined>
}

/** @param open opens a sealed secret of an owner's field */
export function createServiceClients(
  reader: ConfigReader,
  open: (sealed: string, owner: string, field: string) => string,
): ServiceClients {
  return {
    async find(ref, now) {
      const identity = ref.startsWith('svc_')
        ? await reader.byId('service_identities', ref)
        : (await reader.bySlug('service_identities', ref))[0]
      if (identity?.spec['active'] !== true) return undefined
      const { id, slug, name } = identity
      const secret = (await reader.secretsOf([id])).find(({ field }) => field === CLIENT_SECRET)
      const keys = Array.isArray(identity.spec['keys']) ? identity.spec['keys'].filter(isPlain) : []
      return {
        id,
        slug,
        name,
        secretHash: secret === undefined || keys.length > 0 ? null : open(secret.sealed, id, CLIENT_SECRET),
        keys: keys.flatMap(({ retires_at, ...key }) =>
          typeof retires_at === 'string' && Date.parse(retires_at) <= now ? [] : [key],
        ),
      }
    },
  }
}
