/** Answers the authorization server: at which MCP endpoints of gateway threads may a person sign in? */
import type { OriginSpec } from '../model/mcp/origin.ts'

/** What is at a resource for one person. */
export type McpOffer =
  | {
      readonly kind: 'virtual_mcp'
      readonly id: string
      readonly name: string
      /** The MCP servers behind it. */
      readonly origins: readonly OfferedOrigin[]
    }
  /** The profiles that the person may pick; never empty. */
  | { readonly kind: 'profiles'; readonly profiles: readonly OfferedProfile[] }

interface OfferedOrigin {
  readonly id: string
  readonly slug: string
  readonly name: string
  /** The person is to connect an account there before an application is allowed. */
  readonly required: boolean
  readonly isReachable: boolean
}

export interface OfferedProfile {
  readonly id: string
  /** Of client and profile. */
  readonly name: string
}

/** An AI application as a resource of the configuration. */
export interface KnownHost {
  readonly id: string
  readonly slug: string
  readonly active: boolean
  /** Inactive since its first consent: no administrator has decided about it yet. */
  readonly isHeld: boolean
}

export interface McpAccess {
  /** Null where there is nothing that the person may use: the same for what does not exist. */
  offer(account: string, resource: `/mcp${string}`): Promise<McpOffer | null>
  /** The host of an application; undefined before its first consent. @param software see `model/access/host` */
  host(software: string): Promise<KnownHost | undefined>
  /** True while a new application waits for an administrator. */
  holdsNew(): Promise<boolean>
  /** The same host, made when the application comes for the first time. */
  arrive(application: { readonly software: string; readonly name: string }): Promise<KnownHost>
}

// Answers the authorization server: at which origins may a person connect an account?

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
