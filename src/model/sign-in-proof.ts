/** What the main thread says about an access token for an MCP endpoint. */
export type SignInProof =
  | {
      readonly ok: true
      /** Id of the user. */
      readonly user: string
      /** Id of the grant, which ends all tokens of it. */
      readonly grant: string
      readonly scopes: readonly string[]
      /** End of the token, milliseconds since the epoch. */
      readonly until: number
    }
  | {
      readonly ok: false
      readonly code: 'credential_invalid' | 'credential_expired' | 'identity_unavailable'
      readonly reason: string
    }
