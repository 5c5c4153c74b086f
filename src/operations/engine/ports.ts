import type { z } from 'zod'
import type { ConnectedOrigin } from '../../access/mcp-access.ts'
import type { CredentialTest } from '../../model/api/credential.ts'
import type { GuardrailSample, GuardrailTried } from '../../model/api/guardrail.ts'
import type { UpstreamHealth } from '../../model/api/upstream.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import type { OriginProbed } from '../../model/mcp/origin.ts'
import type { KeptExport, RequestRecord, WholeRecord } from '../../model/record.ts'
import type { ReplayAnswer, ReplayAsked } from '../../model/replay.ts'
import type { SinkTest } from '../../model/sink.ts'
import type { CapturedRequest, CaptureMatch } from '../../model/workflow/capture.ts'
import type { TrialAnswer, TrialAsked, TrialStep } from '../../model/workflow/trial.ts'
import type { FollowedRecords, Removal } from '../../record/messages.ts'
import type { RecordQueryClient } from '../../record/query-client.ts'
import type { PlannedLimit } from '../../snapshot/find/limit-plan.ts'
import type { CredentialFragment, GuardrailFragment, OriginFragment } from '../../snapshot/fragments.ts'
import type { PlanFragment } from '../../snapshot/plan.ts'
import type { NodeRow } from '../../store/ports/nodes.ts'
import type { Resource } from '../../store/ports/resource.ts'

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
  get(id: string): Promise<WholeRecord | undefined>
  /**
   * Records that were stored after `filter.cursor`, in that order. If none fits, waits up to `waitMs` milliseconds. Refuses with
   * records_unavailable.
   * @param by id of the caller
   */
  follow(filter: Record<string, unknown>, waitMs: number, by: string): Promise<FollowedRecords>
}

export interface LimitReader {
  /** What a counter holds now; null when it has counted nothing. Never waits for a gateway thread. */
  read(limit: PlannedLimit, now: number): LimitReading | null
  /** Nodes over which limits are divided, this one included. */
  readonly nodes: number
  /** Whether limits are counted in Valkey; `down`: it cannot be reached. */
  readonly leaseState: 'off' | 'up' | 'down'
}

interface LimitReading {
  /** As far as this node knows: of calendar quotas at all nodes, else here. */
  readonly used: number
  /** What this node admits now. */
  readonly remaining: number
  /** What this node may admit before it asks Valkey again; null where it is not counted there. */
  readonly held: number | null
  /** What this node has counted, and what that may come to here. */
  readonly own: number
  readonly ownMax: number
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

/** The processes that share one database. */
export interface NodePort {
  /** All as they are now. @see self id of this one @see now milliseconds since the epoch, by the clock that all are judged by */
  read(): Promise<{ readonly rows: readonly NodeRow[]; readonly self: string; readonly now: number }>
  /** Makes a node not ready for requests, or ready again. False where there is no such node. */
  drain(id: string, isDraining: boolean): Promise<boolean>
  /** Forgets a node. False likewise. */
  remove(id: string): Promise<boolean>
}

export interface CredentialProbe {
  /** Makes the calls. Rejects while no gateway thread listens. */
  test(trial: CredentialTrial): Promise<CredentialTest>
  /** Why a secret of a credential cannot be read where it lies, as a sentence; null when it can. */
  faultOf(id: string): string | null
  /** When calls last used credentials, by id; milliseconds since the epoch. */
  uses(): Promise<ReadonlyMap<string, number>>
}

export interface OriginProbe {
  /**
   * Finds out how an origin is spoken to and what it lists. Rejects while no gateway thread listens.
   * @param as whose account at an origin with connections is used: the id of a person, or SHARED. Absent: it is asked as nobody
   */
  probe(origin: OriginFragment, as?: string): Promise<OriginProbed>
}

/** Delivery to sinks. */
export interface SinkPort {
  /** Sinks may write files: POSTERN_SINK_DIR is set. */
  readonly writesFiles: boolean
  /** Sends a test event. Never rejects for what the destination does. */
  test(sink: Resource<'sinks'>): Promise<SinkTest>
}

export interface OriginAuthorizations {
  /** Asks the origin for its authorization server. Refuses with configuration_invalid where that cannot be used. */
  find(origin: ConnectedOrigin): Promise<{
    readonly issuer: string
    readonly registration: 'manual' | 'cimd' | 'dcr' | null
    readonly redirectUri: string
    readonly elsewhere: readonly { readonly use: string; readonly host: string }[]
    readonly hasIssParameter: boolean
    /** A predicate without period, such as "registers no clients by itself"; null for none. */
    readonly fault: string | null
  }>
}

export interface UpstreamWatch {
  /** As the gateway threads see them; null when none can tell. */
  health(collection: string): Promise<UpstreamHealth | null>
}

export interface LocalSignInPage {
  /** Where the token of a set-up link is taken. */
  setUpUrl(token: string): string
}

export interface Replayer {
  /** Null when there was no whole answer in time. Rejects while no gateway thread listens. */
  replay(asked: ReplayAsked): Promise<ReplayAnswer | null>
}

export interface WorkflowTrials {
  /** Null when a live trial had no whole answer in time. Rejects while no gateway thread listens. */
  run(asked: TrialAsked<PlanFragment>): Promise<TrialAnswer | null>
}

export interface GuardrailTrials {
  /** What a guardrail makes of a sample. Its webhook is asked. Rejects while no gateway thread listens. */
  run(asked: GuardrailSample & { readonly fragment: GuardrailFragment }): Promise<GuardrailTried>
}

export interface Explainer {
  /** Rejects while no gateway thread listens. */
  explain(asked: Hypothetical): Promise<Explanation>
}

/** What a new export is, before anything has become of it. */
type NewExport = Pick<
  KeptExport,
  'id' | 'of' | 'format' | 'filters' | 'created_by' | 'owner' | 'collections' | 'filter'
>

/**
 * Exports and their files. Invariants:
 * 1. One runs at a time, in steps between which everybody else has their turn.
 * 2. A file never holds more than the bounds, and is read only when it is whole.
 * 3. An export ends as `ready` or with a sentence that says why not, also when the process ends.
 */
export interface ExportJobs {
  /** Why somebody cannot have one more now, as a sentence; null when they can. */
  faultOf(owner: string): Promise<string | null>
  /** How a new one begins. */
  begin(order: NewExport): KeptExport
  /** Takes it into the queue. */
  add(begun: KeptExport): Promise<KeptExport>
  find(id: string): Promise<KeptExport | undefined>
  /** Newest first. */
  all(): Promise<readonly KeptExport[]>
  /** The file of one that is ready; undefined when it is gone. */
  read(
    id: string,
  ): Promise<{ readonly bytes: number; readonly stream: ReadableStream<Uint8Array> } | undefined>
  /** Ends one that is not done, and deletes the file of one that is. */
  cancel(id: string, by: string): Promise<KeptExport | undefined>
  /** Deletes the files that have been kept long enough, and ends what an ended process has left. */
  sweep(): Promise<void>
  /** Ends what runs; resolves when nothing is written any more. */
  stop(): Promise<void>
}

/** What a capture waits for. */
export interface CaptureOrder {
  /** As it was when the capture began: what may be seen of the capture is judged by it once the proxy is gone. */
  readonly proxy: Pick<Resource, 'type' | 'id' | 'slug' | 'parent' | 'spec'>
  /** Slug. */
  readonly collection: string
  readonly match: CaptureMatch
  /** Slugs of the client and the profile in `match`. */
  readonly named: { readonly client: string | null; readonly profile: string | null }
  readonly count: number
  readonly ttlMs: number
  /** Name of the principal. */
  readonly startedBy: string
}

export interface KeptCapture extends Omit<CaptureOrder, 'ttlMs'> {
  readonly id: string
  /** Times in milliseconds since the epoch. */
  readonly startedAt: number
  readonly until: number
  readonly requests: readonly {
    readonly request: CapturedRequest
    readonly keptUntil: number
    /** Null until the run of the workflow has ended, and without a workflow. */
    readonly values: readonly TrialStep[] | null
  }[]
  /** Why it was ended before; null where it was not. */
  readonly end: 'cancelled' | 'proxy_deleted' | null
}

/** Requests of callers that are kept for trials. */
export interface TriggerCaptures {
  /** How many requests may be waited for in addition. */
  room(): number
  /** Resolves when all gateway threads wait. */
  start(order: CaptureOrder): Promise<KeptCapture>
  find(id: string): KeptCapture | undefined
  /** Newest first. */
  all(): readonly KeptCapture[]
  isWaiting(capture: KeptCapture): boolean
  /** Ends a capture, and deletes what it has kept. */
  end(id: string, why: NonNullable<KeptCapture['end']>): Promise<void>
}
