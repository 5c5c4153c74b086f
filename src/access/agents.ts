/** Agents as clients of the authorization server: each binding of a host with a live token or with keys is one. */
import type { Plain } from '../base/json/plain.ts'

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
