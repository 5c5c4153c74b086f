/** The report of a gateway thread about callers that MCP endpoints have refused. Plain data. */

/** Equal refusals of callers at MCP endpoints. */
export interface RefusedCallers {
  readonly surface: 'gateway_mcp' | 'virtual_mcp'
  /** Why, for the audit trail alone. */
  readonly reason: string
  readonly code: string
  readonly ip: string
  /** Id of the virtual MCP; empty for none. */
  readonly virtualMcp: string
  /** Id of the user or of the client that has proved itself; null for a caller that has proved nothing. */
  readonly actor: string | null
  /** Id of the profile, host or binding that the caller names; empty for none. */
  readonly profile: string
  readonly count: number
}
