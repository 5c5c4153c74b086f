import type { Jwt } from '../base/crypto/jwt.ts'
import type {
  Bound,
  Claims,
  LinkedClient,
  LinkedProfile,
  LinkedToken,
  SignedIn,
  Verified,
} from '../snapshot/linked/client.ts'

const NO_CLAIMS: Claims = new Map()

/**
 * The identity of the caller, as far as the checks have found it. The check `identify` replaces it as a whole, because the door
 * at `/mcp` may identify the caller of an exchange twice, and the first result must not count for the second.
 */
export class Identity {
  /** The text after `Bearer`; empty when there is none. */
  bearer = ''
  client: LinkedClient | null = null
  profile: LinkedProfile | null = null
  /** Found by its lookup, not proved yet. */
  token: LinkedToken | null = null
  /** An earlier request has proved the very same credential. */
  isProved = false
  /** The credential is signed or held by others; `identify` has found the profile that takes it. */
  isForeign = false
  /** The credential is a token of Postern's own authorization server, and a person has signed in. */
  isSignIn = false
  /** The judged certificate, for the profile that it fits. */
  bound: Bound | null = null
  /** Read, not proved. */
  jwt: Jwt | null = null
  /** Key under which a proved credential is remembered, and the remembered proof. */
  verifiedKey = ''
  verified: Verified | null = null
  /** `sub` of a proved token of another issuer; empty when there is none. */
  subject = ''
  /** OAuth client that such a token was issued to; empty when there is none. */
  agentHost = ''
  /** Claims of it that the profile lists. */
  claims: Claims = NO_CLAIMS
  /** Of a call from within the process: the person who has signed in; null for a client with a credential of its own. */
  signIn: SignedIn | null = null
  /** Id of the token or key, once it is proved. */
  credentialId = ''
}

/** The identity of every exchange before the check `identify`. Frozen: a write would be seen by all of them. */
export const UNIDENTIFIED: Identity = Object.freeze(new Identity())

/** An identity whose client and profile are known. */
export type KnownIdentity = Identity & { client: LinkedClient; profile: LinkedProfile }
