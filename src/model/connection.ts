/** Accounts that people, or an administrator for all callers, have connected at origins. */

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
