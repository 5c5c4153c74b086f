/** The messages between the main thread and the gateway threads. Plain data only. */
import type { MessagePort } from 'node:worker_threads'
import type { ClockCell } from '../../base/clock.ts'
import type { Part, Protected } from '../../base/doors.ts'
import { textHash } from '../../base/json/canonical.ts'
import type { OwnedBytes } from '../../base/memory/bytes.ts'
import type { RunnerPlace } from '../../base/net/address.ts'
import type { EgressSettings } from '../../base/net/egress.ts'
import { SLOTS_MAX } from '../../gateway/admit/stripe-locks.ts'
import type { Trial } from '../../gateway/forward/try-credential.ts'
import type { GuardrailTrial } from '../../gateway/guardrails/try-guardrail.ts'
import type { Claim } from '../../gateway/idempotency/keys.ts'
import type { CertificateField } from '../../gateway/identify/certificate-fields.ts'
import type { KeySetAnswer } from '../../gateway/identify/key-sets.ts'
import type { KeptAnswer } from '../../gateway/kept-answer.ts'
import type { WorkflowTrial } from '../../gateway/try-workflow.ts'
import type {
  ConnectionAnswer,
  ConsoleCall,
  ConsoleCaller,
  RefusedConnection,
  SignInProof,
} from '../../model/access/caller.ts'
import type { CredentialTest } from '../../model/api/credential.ts'
import type { GuardrailTried } from '../../model/api/guardrail.ts'
import type { UpstreamHealth } from '../../model/api/upstream.ts'
import type { Explanation, Hypothetical } from '../../model/explanation.ts'
import type { OriginNews, OriginProbed } from '../../model/mcp/origin.ts'
import type { ReplayAnswer, ReplayAsked } from '../../model/replay.ts'
import type { ArmedCapture, Taken } from '../../model/workflow/capture.ts'
import type { TrialAnswer } from '../../model/workflow/trial.ts'
import type { HttpEngine } from '../../settings/values.ts'
import type { SharedCells } from '../../shared-state/memory/shared-cells.ts'
import type { Event } from '../../shared-state/ports/events.ts'
import type { Claimed, OnceKind } from '../../shared-state/ports/memory.ts'
import type { PooledSession, SessionKey, TakenSession } from '../../shared-state/ports/origin-sessions.ts'
import type { OriginFragment } from '../../snapshot/fragments.ts'
import type { SentDelta } from '../../snapshot/packed-fragments.ts'
import type { TlsOptions } from '../../wire/port.ts'

/** Given to a gateway thread when it starts. */
export interface GatewayInit {
  /** Number of the thread, 0 to WORKERS - 1; a replacement gets the number of the one it replaces. */
  readonly slot: number
  readonly listen: { readonly host: string; readonly port: number }
  readonly controlListen: { readonly host: string; readonly port: number }
  /** Several threads listen on one port. */
  readonly reusePort: boolean
  /** Unix socket of the control plane. */
  readonly controlSocket: string
  /** What may be connected to. */
  readonly egress: EgressSettings
  /** Where stdio servers are run; null for nowhere. */
  readonly runner: RunnerPlace | null
  readonly origin: string
  /** Issuer of Postern's own authorization server. */
  readonly issuer: string
  readonly controlOrigin: string
  /** Origins of pages that may call; null where no list is set. */
  readonly corsOrigins: readonly string[] | null
  readonly version: string
  /** What the gateway listener hands to the control plane. */
  readonly expose: readonly Part[]
  readonly trustedProxies: readonly string[]
  /** In which they tell of client certificates. */
  readonly certificateField: CertificateField | null
  /** They begin connections with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean
  readonly httpEngine: HttpEngine
  /** Null for plain HTTP. */
  readonly tls: TlsOptions | null
  /** Likewise for the control listener. */
  readonly controlTls: TlsOptions | null
  /** Bytes that it may keep in memory for callers. */
  readonly callerMemoryMax: number
  /** Rate and quota counters of all threads. */
  readonly counters: SharedArrayBuffer
  /** Connections and pending requests of each source, counted by all threads; see gateway/admit/sources. */
  readonly sources: SharedArrayBuffer
  readonly connectionsPerSourceMax: number
  readonly pendingPerSourceMax: number
  /** What all threads count for the metrics page; see record/request-counts. */
  readonly counts: SharedArrayBuffer
  /** Threads that write there. */
  readonly countSlots: number
  /** Start of the process, seconds since the epoch. */
  readonly startedAt: number
  /** Facts that all threads answer health questions from; see {@link HEALTH}. */
  readonly health: SharedArrayBuffer
  /** What all threads remember together. */
  readonly cells: SharedCells
  /** Keys that are used once are claimed over all processes too, by the main thread. */
  readonly sharesOnce: boolean
  /** See fleet/shared/contact; null where nothing is refused for want of it. */
  readonly contact: SharedArrayBuffer | null
  readonly clockCell: ClockCell | null
  /** Opens credential secrets; derived, never the master key. */
  readonly credentialKey: OwnedBytes
  /** Seals MCP session ids; derived. */
  readonly sessionKey: OwnedBytes
  /** Knows tokens that other gateways have issued; derived. */
  readonly importedKey: OwnedBytes
}

/** The two listeners, by name. */
export type Listener = 'gateway' | 'control'

/** What a gateway thread can be asked. */
export type Question =
  | { readonly about: 'request'; readonly asked: Hypothetical }
  | { readonly about: 'credential'; readonly trial: Trial }
  /** `as`: whose account at the origin is used, the id of a person or empty for the one that all callers share; absent for none. */
  | { readonly about: 'origin'; readonly origin: OriginFragment; readonly as?: string }
  | { readonly about: 'replay'; readonly asked: ReplayAsked }
  | { readonly about: 'trial'; readonly asked: WorkflowTrial }
  | { readonly about: 'guardrail'; readonly trial: GuardrailTrial }
  | { readonly about: 'uses' }
  /** Captures that wait from now on, in place of those before. */
  | { readonly about: 'captures'; readonly captures: readonly ArmedCapture[] }
  | { readonly about: 'health'; readonly collection: string }

export interface Answers {
  readonly request: Explanation
  readonly credential: CredentialTest
  readonly origin: OriginProbed
  /** Null when it had no whole answer in time. */
  readonly replay: ReplayAnswer | null
  /** Null when a live one had no whole answer in time. */
  readonly trial: TrialAnswer | null
  readonly guardrail: GuardrailTried
  /** When credentials were last used by this thread, by id; milliseconds since the epoch. */
  readonly uses: ReadonlyMap<string, number>
  /** They wait. */
  readonly captures: true
  /** Null for a collection that is not published, or has no upstream. */
  readonly health: UpstreamHealth | null
}

/** An attachment to a call that another thread holds; see shared-state/memory/held-calls. */
export interface Attachment {
  readonly kind: 'attachment'
  /** Of the thread that holds it. */
  readonly slot: number
  readonly id: string
  /** Closed where there is no such thread, which tells the other side. */
  readonly port: MessagePort
}

export type ToGateway =
  | { readonly kind: 'snapshot'; readonly delta: SentDelta }
  /** Some packed fragments of the full delta that comes after all its parts. No fragment comes twice. */
  | { readonly kind: 'snapshot_part'; readonly piece: OwnedBytes; readonly full: boolean }
  /** Batches of request records go to this port; a new one comes when the recorder was restarted. */
  | { readonly kind: 'recorder'; readonly port: MessagePort }
  /** A question; what `answered` brings back has its id. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** What opens credential secrets from now on, before the first snapshot that needs it. */
  | { readonly kind: 'credential_key'; readonly credentialKey: OwnedBytes }
  /** New certificates, or new keys for session tickets. */
  | { readonly kind: 'tls'; readonly listener: Listener; readonly tls: TlsOptions }
  | { readonly kind: 'drain'; readonly deadlineMs: number }
  /** What became of the question of this number. */
  | { readonly kind: 'key_set'; readonly id: number; readonly answer: KeySetAnswer }
  /** Id of the principal that the token of this number was verified for; null for none. */
  | { readonly kind: 'proved'; readonly id: number; readonly principal: string | null }
  /** What the verification of the token of this number came to. */
  | { readonly kind: 'signed_in'; readonly id: number; readonly proof: SignInProof }
  /** What is sent for the person and the origin of the question of this number: a token or key. */
  | { readonly kind: 'connected'; readonly id: number; readonly answer: ConnectionAnswer }
  /** What the session of the question of this number may call as. */
  | { readonly kind: 'console_caller'; readonly id: number; readonly caller: ConsoleCaller }
  /** What the claim of an idempotency key came to. */
  | { readonly kind: 'claimed'; readonly id: number; readonly claim: Claim }
  /** What the claim of a key that is used once came to. */
  | { readonly kind: 'claimed_once'; readonly id: number; readonly claimed: Claimed }
  /** Of sessions at origins. */
  | { readonly kind: 'origin_session'; readonly reply: SessionReply }
  /** Another thread has published it. */
  | { readonly kind: 'event'; readonly event: Event }
  /** The threads that share the watching of origins, by slot; see watchers.ts. */
  | { readonly kind: 'watchers'; readonly slots: readonly number[] }
  /** Origins that cannot be reached, in place of those before. */
  | { readonly kind: 'origins_down'; readonly origins: readonly string[] }
  /** As the question of that name, for a thread that starts. */
  | { readonly kind: 'captures'; readonly captures: readonly ArmedCapture[] }
  /** Resources of an origin that this thread watches for all threads, in place of those before. */
  | { readonly kind: 'watch_resources'; readonly origin: string; readonly uris: readonly string[] }
  /** Resources that this thread wants to hear of have changed. */
  | { readonly kind: 'resources_updated'; readonly origin: string; readonly uris: readonly string[] }
  /** The thread of another slot has ended. */
  | { readonly kind: 'thread_ended'; readonly slot: number }
  /** A request that reached another thread attaches to a call of this one. */
  | Attachment

export type FromGateway =
  /** Both listeners accept and a snapshot is applied. */
  | { readonly kind: 'listening' }
  /** The next change is in force for every request that starts from now on. */
  | { readonly kind: 'applied'; readonly faults: readonly string[] }
  | { readonly kind: 'answered'; readonly id: number; readonly answer: Answers[Question['about']] }
  | { readonly kind: 'drained' }
  /** Asks for the keys of an issuer; see gateway/identify/key-sets. */
  | {
      readonly kind: 'key_set'
      readonly id: number
      readonly source: string
      readonly maxAgeMs: number
    }
  /** Has an access token of management verified; see verified-tokens.ts. */
  | { readonly kind: 'prove'; readonly id: number; readonly token: string; readonly resource: Protected }
  /** Has an access token for an MCP endpoint verified; see gateway/identify/sign-in. */
  | {
      readonly kind: 'sign_in'
      readonly id: number
      readonly token: string
      readonly resource: `/mcp${string}`
    }
  /** Asks for the token or key that a person, or all callers, have connected at an origin; see gateway/forward/connections. */
  | {
      readonly kind: 'connection'
      readonly id: number
      /** Empty for the account that all callers share. */
      readonly user: string
      readonly origin: string
      /** What the origin has refused; null for nothing. */
      readonly refused: RefusedConnection | null
    }
  /** Asks for whom a session of the console calls a virtual MCP; see console-caller-client.ts. */
  | ({ readonly kind: 'console_caller'; readonly id: number } & ConsoleCall)
  /** Idempotency keys; see gateway/idempotency/keys. */
  | { readonly kind: 'claim'; readonly id: number; readonly key: string; readonly fingerprint: string }
  | { readonly kind: 'settle'; readonly key: string; readonly answer: KeptAnswer | null }
  | { readonly kind: 'release'; readonly key: string }
  /** Claims a key that is used once over all processes. Times are milliseconds since the epoch. */
  | {
      readonly kind: 'claim_once'
      readonly id: number
      readonly of: OnceKind
      readonly key: string
      readonly until: number
      readonly now: number
    }
  /** Of sessions at origins. */
  | { readonly kind: 'origin_session'; readonly said: SessionSaid }
  /** For all other threads. */
  | { readonly kind: 'event'; readonly event: Event }
  /** Resources of an origin that the thread wants to hear of, in place of those before. */
  | { readonly kind: 'want_resources'; readonly origin: string; readonly uris: readonly string[] }
  /** Resources of an origin that the thread watches have changed. */
  | { readonly kind: 'resources_updated'; readonly origin: string; readonly uris: readonly string[] }
  /** What the thread has heard about the lists of an origin that it watches. */
  | { readonly kind: 'origin_news'; readonly origin: string; readonly news: OriginNews }
  /** An origin cannot be reached, or fails. */
  | { readonly kind: 'origin_failed'; readonly origin: string }
  /** A request that was taken for a capture, or the values of its run. */
  | { readonly kind: 'taken'; readonly taken: Taken }
  /** Callers that MCP endpoints have refused, gathered. */
  | { readonly kind: 'refused_callers'; readonly refused: readonly RefusedCallers[] }
  | Attachment
  /** Something that a person should see; never a secret. */
  | { readonly kind: 'log'; readonly level: 'warn' | 'error'; readonly message: string }

/** Cells of the health buffer (Int32, read and written with Atomics). */
export const HEALTH = {
  /** 1 once the process has received a stop signal. */
  draining: 0,
  /** Gateway threads that listen. */
  threads: 1,
  /** Request records that the recorder lost. */
  recordsDropped: 2,
  /** 1 while the recorder thread runs and writes. */
  recorder: 3,
  /** Gateway threads that there are to be. */
  workers: 4,
  /** 1 once all of them have listened. */
  started: 5,
  /** 1 while the store of the configuration can be used. */
  store: 6,
  /** Request records that gateway threads dropped; they add to it. */
  droppedByGateways: 7,
  /** From here on one cell for each of {@link STORES}: 0, or one more than the index of its fault in STORE_FAULTS. */
  faults: 8,
  /** Gateway threads whose event loop is blocked; see heartbeats.ts. */
  stalled: 13,
  /** From here on one cell for each of {@link REPLACEMENTS}: gateway threads that were replaced for that reason. */
  replaced: 14,
  /** Origins that cannot be reached. */
  originsDown: 17,
  /** When the main thread last finished a look at the stores, as {@link healthTime} counts. */
  looked: 18,
  /** 1 while an operator drains this node: it serves, and load balancers are to send it nothing. */
  drained: 19,
  /** Nodes on the database that are counted, this one included; 0 where an instance has its data in files. */
  nodes: 20,
  /** Nodes that are silent, and were not removed. */
  nodesSilent: 21,
  /** 1 while the clock of this machine is too far from that of the database. */
  skewed: 22,
  /** Whether Valkey can be used, and since when: see fleet/shared/valkey-state. */
  valkey: 23,
  valkeySince: 24,
  /** From here on one cell for the heartbeats of each gateway thread, by slot. */
  heartbeats: 25,
  cells: 25 + SLOTS_MAX,
} as const

/**
 * Why gateway threads are replaced, in the order of their cells: a thread ended by itself, its event loop was blocked, or it did
 * not listen in time after its start.
 */
export const REPLACEMENTS = ['died', 'hung', 'start_timeout'] as const
export type Replacement = (typeof REPLACEMENTS)[number]

/** Milliseconds that all threads count from one origin, whatever the clock is set to, in the positive numbers of a cell. */
export function healthTime(): number {
  return Number(process.hrtime.bigint() / 1_000_000n) & 0x7fff_ffff
}

/** The files whose state health tells of, in the order of their cells. */
export const STORES = ['config', 'records', 'idempotency', 'serving', 'key'] as const
export type StoreName = (typeof STORES)[number]

/** Slots of the threads beside the gateway threads, which count up from 0, among those who use the shared counters. */
export const COUNTER_SLOT = { leases: SLOTS_MAX - 3, main: SLOTS_MAX - 2, recorder: SLOTS_MAX - 1 } as const

// Chooses the gateway thread that watches an origin.

/**
 * Which of the threads watches an origin: the one of the highest score (rendezvous hashing), so that few origins change their
 * thread when a thread comes or goes. Null where there are no threads.
 * @param slots of the threads that may watch
 */
export function watcherOf(slots: readonly number[], origin: string): number | null {
  let best: { readonly slot: number; readonly score: string } | null = null
  for (const slot of slots) {
    const score = textHash(`${slot} ${origin}`)
    if (best === null || score > best.score) best = { slot, score }
  }
  return best?.slot ?? null
}

// The report of a gateway thread about callers that MCP endpoints have refused. Plain data.

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

// Messages between a gateway thread and the main thread about sessions at origins; see shared-state/ports/origin-sessions.

export type SessionSaid =
  /** The reply has the id. */
  | { readonly about: 'take'; readonly id: number; readonly key: SessionKey }
  | { readonly about: 'opened'; readonly serial: string; readonly session: string | null }
  | { readonly about: 'failed'; readonly serial: string; readonly reason: string }
  | { readonly about: 'used' | 'gone'; readonly serial: string }
  | { readonly about: 'task_began'; readonly serial: string; readonly task: string; readonly ms: number }
  | { readonly about: 'task_ended'; readonly origin: string; readonly session: string; readonly task: string }
  | { readonly about: 'client_left'; readonly client: string }
  /** The reply has the id. */
  | { readonly about: 'release'; readonly id: number; readonly serial: string }

export type SessionReply =
  | { readonly about: 'taken'; readonly id: number; readonly taken: TakenSession }
  /** @see isLast the thread ends the session at the origin */
  | { readonly about: 'released'; readonly id: number; readonly isLast: boolean }
  | { readonly about: 'retired'; readonly session: PooledSession }
