/**
 * Plain data about callers that threads send each other: connected accounts, sessions of the console, and proofs of sign-ins.
 */

/** What the main thread answers a gateway thread that needs the token or key of a connection. */
export type ConnectionAnswer =
  | {
      readonly ok: true
      /** Names the connection as it is now: it changes whenever the connection is made, ended or switched. */
      readonly connection: string
      /** Of the token; two answers with the same number carry the same token. */
      readonly generation: number
      readonly header: string
      /** Of the header: a secret. */
      readonly value: string
      /** Until when it may be sent without asking again; milliseconds since the epoch. */
      readonly until: number
    }
  | {
      readonly ok: false
      /** `connect_required`: the person must connect the account, at {@link page}. `credential_unavailable`: try again later. */
      readonly code: 'connect_required' | 'credential_unavailable'
      /** A sentence without secrets. */
      readonly reason: string
      /** Absolute URL of the page on which the person connects the account; null where no person can. */
      readonly page: string | null
    }

/** What an origin has refused: with 401, or with 403 and a challenge that names scopes. */
export interface RefusedConnection {
  readonly connection: string
  readonly generation: number
  /**
   * The same call had a token renewed before, and the origin has refused the new one too. Another refresh does not help: the answer is
   * `connect_required`, with the page, unless the account was connected anew since.
   */
  readonly isAgain?: true
  /**
   * Field `WWW-Authenticate` of a 403, which asks for more scopes than the token has (RFC 6750 section 3.1). The token is still good for
   * other calls. The answer is `connect_required` where the person can allow more, and `credential_unavailable` where nobody can.
   */
  readonly challenge?: string
}

/** Subject of the connection that all callers share. */
export const SHARED = ''

/** What the main thread says about a session of the console that is to call a virtual MCP. */
export type ConsoleCaller =
  | {
      readonly ok: true
      /** Access token of the person for the virtual MCP; null where only the session was to be proved. */
      readonly token: string | null
    }
  | {
      readonly ok: false
      readonly code:
        | 'credential_invalid'
        | 'credential_expired'
        | 'not_found'
        | 'client_inactive'
        | 'store_unavailable'
      /** What is wrong and how to mend it, for the page. */
      readonly detail: string
    }

/** A request of the console for a virtual MCP, as far as the main thread needs to know it. */
export interface ConsoleCall {
  /** Values of the session cookies that the browser sent. */
  readonly sessions: readonly string[]
  /** The virtual MCP that the token is to be for; null: the request has brought a token, and only the session is to be proved. */
  readonly resource: `/mcp${string}` | null
  readonly ip: string
  readonly userAgent: string | null
  readonly requestId: string
}

/** What the main thread says about an access token for an MCP endpoint. */
export type SignInProof =
  | {
      readonly ok: true
      /** Id of the user; null for an agent that acts for itself. */
      readonly user: string | null
      /** Id of the grant, which ends all tokens of it; null for a token that an agent got for itself. */
      readonly grant: string | null
      readonly scopes: readonly string[]
      /** End of the token, milliseconds since the epoch. */
      readonly until: number
    }
  | {
      readonly ok: false
      readonly code: 'credential_invalid' | 'credential_expired' | 'identity_unavailable'
      readonly reason: string
    }
