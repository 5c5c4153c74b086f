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
