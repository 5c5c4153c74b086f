/** Answers the authorization server: at which origins may a person connect an account? */
import type { OriginSpec } from '../model/mcp/origin.ts'

/** An origin as far as connections to it need. */
export interface ConnectedOrigin {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly active: boolean
  /** Of the MCP endpoint, absolute. */
  readonly url: string
  readonly mode: OriginSpec['auth_mode']
  readonly oauth: OriginSpec['oauth']
  readonly keyHeader: OriginSpec['key_header']
}

export interface OriginAccess {
  /**
   * Origins at which the person may connect an account: members of virtual MCPs that are shared with the person, or that an agent
   * calls for the person. In order of their names.
   */
  offered(account: string): Promise<readonly ConnectedOrigin[]>
  /** Origins at which the person may connect the account that all callers share; empty without the right to change origins. */
  shared(account: string): Promise<readonly ConnectedOrigin[]>
  byId(id: string): Promise<ConnectedOrigin | null>
}
