import type { z } from 'zod'
import type { Permission, Principal } from '../access/principal.ts'
import type { Clock } from '../base/clock.ts'
import type { ResourceType } from '../model/common.ts'
import type { CredentialTest } from '../model/credential-test.ts'
import type { Explanation, Hypothetical } from '../model/explanation.ts'
import type { RequestRecord } from '../model/record.ts'
import type { ReplayAnswer, ReplayAsked } from '../model/replay.ts'
import type { ShownSetting } from '../model/setting.ts'
import type { UpstreamHealth } from '../model/upstream-health.ts'
import type { AuditTrail } from '../record/audit-chain.ts'
import type { Removal } from '../record/messages.ts'
import type { RecordQueryClient } from '../record/query-client.ts'
import type { PlannedLimit } from '../snapshot/find/limit-plan.ts'
import type { CredentialFragment } from '../snapshot/fragments.ts'
import type { ConfigReader, Resource } from '../store/ports/config.ts'
import type { Vault } from '../vault/vault.ts'
import type { CarryOut } from './approvals/carry-out.ts'
import type { Change } from './change.ts'
import type { Via, WriteOptions } from './define.ts'
import type { ExportJobs } from './exports/jobs.ts'
import type { Placed } from './sight.ts'

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
  /** Knows and tries credentials for upstreams. */
  readonly credentials: CredentialProbe
  /** The keys that secrets are sealed with; only a write may change them. */
  readonly vault: Pick<Vault, 'keys' | 'isCurrent' | 'addKey' | 'dropKeys' | 'open' | 'fingerprint'>
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
  /** What the process was started with. */
  readonly settings: readonly ShownSetting[]
  /** The configuration as the principal may see it: for a read the last committed state, for a write that of its transaction. */
  readonly reader: ConfigReader
  /** All of the configuration, for rules that hold over what the principal cannot see; nothing of it is shown. */
  readonly whole: ConfigReader
  /** Does what others asked for, as them. */
  readonly carryOut: CarryOut
  /** The transaction of a write. A read that asks for it is a fault. */
  readonly change: Change
  /**
   * The resource that a read is about, or one that is named beside. Refuses with not_found, or with permission_denied
   * when the permission, which is that of the operation unless another is given, does not reach it.
   */
  find(type: ResourceType, ref: string, permission?: Permission): Promise<Resource>
  /** Refuses with permission_denied unless the principal has a further permission for anything at all. */
  require(permission: Permission): void
  /** True when the principal has a further permission for the resource. */
  allows(permission: Permission, resource: Placed): Promise<boolean>
  /** Refuses with permission_denied unless the principal has a further permission for the resource. */
  demand(permission: Permission, resource: Placed): Promise<void>
}

export interface RecordQueries extends Pick<RecordQueryClient, 'metrics' | 'contract'> {
  /**
   * Deletes the records that fit, as many as there is time for. Refuses with records_unavailable.
   * @param selection as of `list`, without its page
   * @param onlyCount deletes nothing, and says how many it would
   */
  remove(selection: Record<string, unknown>, onlyCount: boolean): Promise<Removal>
  list(
    filter: Record<string, unknown>,
  ): Promise<{ items: z.output<typeof RequestRecord>[]; next_cursor: string | null }>
  get(id: string): Promise<z.output<typeof RequestRecord> | undefined>
}

export interface LimitReader {
  /** What a counter holds now; null when it has counted nothing. Never waits for a gateway thread. */
  read(limit: PlannedLimit, now: number): LimitReading | null
}

interface LimitReading {
  readonly used: number
  /** Milliseconds until more is left; 0 when all is. */
  readonly resetMs: number
  /** Requests that it refused, or would have. */
  readonly refused: number
}

/** A credential that is to be tried. */
export interface CredentialTrial {
  readonly fragment: CredentialFragment
  /** Secret fields that are not stored, by name. */
  readonly secrets: Readonly<Record<string, string>>
  /** Where it is to be called; null for no call of an upstream. `target` is a path, with a query or without. */
  readonly at: { readonly collection: string; readonly target: string } | null
  /** What is exchanged, where the credential does that. */
  readonly subjectToken: string | null
}

export interface CredentialProbe {
  /** Makes the calls. Rejects while no gateway thread listens. */
  test(trial: CredentialTrial): Promise<CredentialTest>
  /** Why a secret of a credential cannot be read where it lies, as a sentence; null when it can. */
  faultOf(id: string): string | null
  /** When calls last used credentials, by id; milliseconds since the epoch. */
  uses(): Promise<ReadonlyMap<string, number>>
}

export interface UpstreamWatch {
  /** As the gateway threads see them; null when none can tell. */
  health(collection: string): Promise<UpstreamHealth | null>
}

interface LocalSignInPage {
  /** Where the token of a set-up link is taken. */
  setUpUrl(token: string): string
}

export interface Replayer {
  /** Null when there was no whole answer in time. Rejects while no gateway thread listens. */
  replay(asked: ReplayAsked): Promise<ReplayAnswer | null>
}

export interface Explainer {
  /** Rejects while no gateway thread listens. */
  explain(asked: Hypothetical): Promise<Explanation>
}
