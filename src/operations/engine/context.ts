import type { Permission, Principal } from '../../access/principal.ts'
import type { Clock } from '../../base/clock.ts'
import type { Egress } from '../../base/net/egress.ts'
import type { ShownSetting } from '../../model/members.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { AuditTrail } from '../../record/audit-chain.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { Vault } from '../../vault/vault.ts'
import type { RunApart } from './apart.ts'
import type { Via } from './call.ts'
import type { Change } from './change.ts'
import type { CarryOut } from './change-request.ts'
import type { Placed } from './permission.ts'
import type {
  CredentialProbe,
  Explainer,
  ExportJobs,
  GuardrailTrials,
  LimitReader,
  LocalSignInPage,
  NodePort,
  OriginAuthorizations,
  OriginProbe,
  RecordQueries,
  Replayer,
  SinkPort,
  TriggerCaptures,
  UpstreamWatch,
  WorkflowTrials,
} from './ports.ts'
import type { WriteOptions } from './write-options.ts'

/** What an instance is called. */
interface Instance {
  readonly version: string
  /** Name of its environment (POSTERN_ENV). */
  readonly environment: string | null
  /** Origin at which callers reach the gateway listener, such as `https://api.example.com`. */
  readonly gatewayUrl: string
  /** Origin at which the management interfaces are reached. */
  readonly managementUrl: string
}

/** What a handler may use. Filled in by invoke; the ports behind it are wired by serve.ts. */
export interface OperationContext {
  readonly principal: Principal
  readonly via: Via
  readonly options: WriteOptions
  readonly clock: Clock
  readonly records: RecordQueries
  /** Judges requests that were not made, by what the gateway serves now. */
  readonly explainer: Explainer
  /** Makes recorded requests again. */
  readonly replayer: Replayer
  /** Runs workflows that are tried. */
  readonly trials: WorkflowTrials
  /** Requests of callers that are kept for trials. */
  readonly captures: TriggerCaptures
  /** Tries guardrails that ask a webhook. */
  readonly guardrails: GuardrailTrials
  /** Knows and tries credentials for upstreams. */
  readonly credentials: CredentialProbe
  /** Finds out how origins are spoken to and what they list. */
  readonly origins: OriginProbe
  /** Sends test events to sinks. */
  readonly sinks: SinkPort
  /** Processes that share the database of this one. */
  readonly nodes: NodePort
  /** Knows the authorization servers of origins. */
  readonly authorizations: OriginAuthorizations
  /** The keys that secrets are sealed with; only a write may change them. */
  readonly vault: Pick<Vault, 'keys' | 'isCurrent' | 'addKey' | 'dropKeys' | 'open' | 'fingerprint'>
  /** Judges what Postern is to connect to. */
  readonly egress: Pick<Egress, 'faultOf' | 'settings'>
  /** How the servers behind collections are. */
  readonly upstreams: UpstreamWatch
  /** Knows whether the audit trail is whole. */
  readonly trail: Pick<AuditTrail, 'verify'>
  /** What the limits of the gateway have counted. */
  readonly limits: LimitReader
  /** Files of records and of the trail that were asked for. */
  readonly exports: ExportJobs
  /** Grants in their compact form that claims of an identity provider are mapped to. */
  readonly mappedGrants: readonly string[]
  /** How local users sign in; null when they do not. */
  readonly localSignIn: LocalSignInPage | null
  /** Where clients reach MCP endpoints, such as https://gateway.example.com. */
  readonly gatewayOrigin: string
  /** The instance that answers. */
  readonly instance: Instance
  /** What the process was started with. */
  readonly settings: readonly ShownSetting[]
  /** The configuration as the principal may see it: for a read the last committed state, for a write that of its transaction. */
  readonly reader: ConfigReader
  /** All of the configuration, for rules that hold over what the principal cannot see; nothing of it is shown. */
  readonly whole: ConfigReader
  /** Does work in a thread apart that takes long by what the caller sends. */
  readonly apart: RunApart
  /** Does what others asked for, as them. */
  readonly carryOut: CarryOut
  /** The transaction of a write. A read that asks for it is a fault. */
  readonly change: Change
  /**
   * The resource that a read is about, or one that is named beside. Refuses with not_found, or with permission_denied
   * when the permission, which is that of the operation unless another is given, does not reach it.
   */
  find<T extends ResourceType>(type: T, ref: string, permission?: Permission): Promise<Resource<T>>
  /** Names of the operations that the principal may call, on anything at all, such as `proxies.create`. */
  callable(): readonly string[]
  /** Refuses with permission_denied unless the principal has a further permission for anything at all. */
  require(permission: Permission): void
  /** True when the principal has a further permission for the resource. */
  allows(permission: Permission, resource: Placed): Promise<boolean>
  /** Refuses with permission_denied unless the principal has a further permission for the resource. */
  demand(permission: Permission, resource: Placed): Promise<void>
}
