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
