/**
 * All state of one request, in parts: `identity` (replaced as a whole by the check `identify`), `collection` and `proxy`, and
 * `lane`, the services of the thread. Types say which parts earlier rows have set: a check behind `method` takes a
 * {@link Routed} exchange, which has a proxy and a caller.
 */
import type { Clock } from '../base/clock.ts'
import type { AwsSigner } from '../base/crypto/aws-signature.ts'
import type { Jwt } from '../base/crypto/jwt.ts'
import type { RunnerPlace } from '../base/net/address.ts'
import { PROBLEMS, type RefusalCode, type RefusalFacts } from '../base/refusal.ts'
import type { Tally } from '../guardrails/tally.ts'
import type { RecordAgent, SurfaceNumber } from '../record/fields.ts'
import type { CodeRunner } from '../sandbox/port.ts'
import type { ServiceRunner } from '../services/port.ts'
import type { KeptValues } from '../shared-state/ports/memory.ts'
import type {
  Bound,
  Claims,
  LinkedClient,
  LinkedProfile,
  LinkedToken,
  SignedIn,
  Verified,
} from '../snapshot/linked-types/client.ts'
import type {
  LinkedCollection,
  LinkedProxy,
  LinkedTarget,
  NodeServers,
} from '../snapshot/linked-types/collection.ts'
import type { ClientCertificate, Sent } from '../snapshot/linked-types/credential.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { CallerMemory, MemoryReservation } from '../wire/caller-memory.ts'
import type {
  AnswerStream,
  AnswerWriter,
  CallHandle,
  CallResult,
  ForwardRequest,
  Incoming,
  Outcome,
  PeerCertificate,
  Upstream,
} from '../wire/port.ts'
import type { Counters, HeldLimits } from './admit/port.ts'
import type { AnswerLooks } from './answer/answer-looks.ts'
import type { AnswerCache, CacheEntry } from './cache/cache-entries.ts'
import type { Captures } from './captures/waiting-captures.ts'
import type { CheckName } from './check-names.ts'
import type { Connections } from './forward/connections.ts'
import type { Pools } from './forward/pools.ts'
import type { Tokens } from './forward/tokens.ts'
import type { ExchangeGuard } from './guardrails/exchange-guard.ts'
import type { Webhooks } from './guardrails/webhooks.ts'
import type { IdempotencyKeys } from './idempotency/keys.ts'
import type { Issuers } from './identify/issuers.ts'
import type { SignIns } from './identify/sign-in-port.ts'
import type {
  AnswerVerdict,
  CalledCapability,
  CalledThroughVirtualMcp,
  Caller,
  Identified,
  MessageOutcome,
} from './port.ts'
import type { LinkedPlan } from './workflow/linked-plan.ts'
import type { CalledTool, ToolAnswer } from './workflow/tool-port.ts'
import type { RunTrace } from './workflow/trace.ts'

/** An answer made by the gateway itself. */
export interface Reply {
  readonly status: number
  /** Header lines ending in CRLF, without those that every answer gets. */
  readonly fields: string
  readonly body: string | Uint8Array
}

/** Bounds of a recorded request that is made again, since its caller proves nothing anew. */
export interface Replayed {
  /** Id of the proxy that it met. */
  readonly proxy: string
  /** Id of the token that proved its caller; empty where none did. */
  readonly credentialId: string
  /** Id of the user who asks for it; empty where no user does. */
  readonly user: string
}

/** A run of a workflow whose values a capture keeps. */
interface CapturedRun {
  /** The same plan, watched. */
  plan(plan: LinkedPlan): LinkedPlan
  /** To be called once when the run has ended. */
  ended(): void
}

/** A workflow that is tried live. */
export interface TriedWorkflow {
  readonly plan: LinkedPlan
  /** What its nodes ask beside the upstream. */
  readonly servers: NodeServers
}

/** Gives the body; see {@link Incoming.collect}. */
export type BodySource = Pick<Incoming, 'collect' | 'watchBody'>

/**
 * Where the answer to an exchange goes: the socket of a caller, or a call from within the process. The rest of a
 * request's life is the same for both, see `run.ts`.
 */
export interface End {
  /** Sends the request on and streams the answer back; null where every answer is gathered. */
  readonly stream: ((exchange: Exchange, upstream: Upstream, request: ForwardRequest) => void) | null
  /** Bytes of a gathered answer that are kept. */
  readonly keepBytesMax: number
  /** Bytes of a gathered answer that are read before the call is cut off. */
  readonly readBytesMax: number
  /** Only a whole answer may be passed on: a longer one than is kept is refused. */
  readonly isWholeOnly: boolean
  /** Gives the caller an answer that the gateway has made. */
  answer(exchange: Exchange, status: number, fields: string, body: string | Uint8Array): void
  /**
   * Begins an answer whose body is written over time; absent where every answer is gathered or read by the end itself.
   * @param fields all header lines
   */
  readonly open?: (exchange: Exchange, status: number, fields: string, writer: AnswerWriter) => AnswerStream
  /** Gives the caller the gathered answer of the upstream. */
  pass(exchange: Exchange, answer: GatheredAnswer): void
}

/** An answer of the upstream that is at hand, the whole of it unless `truncated`. */
export type GatheredAnswer = Extract<CallResult, { ok: true }>

/**
 * One request on its way through the rows of `stages.ts`, whatever door it came through. Its parts: what came in, who
 * calls ({@link Exchange.identity}), what is called, what became of it, and the services of the thread
 * ({@link Exchange.lane}). Every field is there from the start, so that the engine gives all exchanges one layout.
 */
export class Exchange {
  readonly lane: Lane
  /** Where its answer goes. */
  readonly end: End
  /** Times and sizes, complete when everything is over. */
  readonly outcome: Outcome

  // What came in
  readonly requestId: string
  /** Wall clock when the head had arrived, milliseconds. */
  readonly now: number
  /** Kept until the end, also when a newer one is published. */
  snapshot: Snapshot
  /** As in records. */
  surface: SurfaceNumber
  readonly method: string
  readonly path: string
  /** Empty when none was sent, and for calls from within the process to collections of every host. */
  readonly host: string
  readonly ip: string
  /** The caller offers to go on as a WebSocket. */
  upgrade = false
  /** The caller spoke TLS. */
  secure = false
  /** A browser shows the answer as a document. */
  isDocument = false
  /** Declared body: 0 none, a length, or -1 chunked. */
  readonly bodyBytes: number

  /** Header lines of the caller that may be passed on, and the query without `?`. */
  pass = ''
  query = ''
  /** Header lines that only a collection can let pass. */
  withheld = ''
  /** `traceparent` and `tracestate` for the upstream; empty while none is known. */
  traceParent = ''
  traceState = ''
  /** Reads the body, for rows that must see it. */
  source: BodySource | null = null
  /** The whole body, once a row has read it. */
  body: Uint8Array | null = null

  // The caller: the credentials of the request, and the identity that the checks find
  authorization: string | undefined = undefined
  certificate: PeerCertificate | null = null
  clientRef: string | undefined = undefined
  profileRef: string | undefined = undefined
  identity: Identity = UNIDENTIFIED

  // The called endpoint: a proxy of a collection
  collection: LinkedCollection | null = null
  proxy: LinkedProxy | null = null
  /** The path fits these proxies, but the method fits none. */
  others: readonly LinkedProxy[] | null = null

  /** Set in the place of a path, for a capability of an origin. */
  capability: CalledCapability | null = null
  /** Set for an endpoint that is called through a virtual MCP. */
  through: CalledThroughVirtualMcp | null = null

  // The upstream
  credential: Sent | null = null
  /** Client certificate for the handshake with the upstream. */
  shownCertificate: ClientCertificate | null = null
  /** It signs the request. */
  signing: AwsSigner | null = null
  /** Another credential may be had where the upstream refuses this one. */
  hasOther = false
  /** The server that is asked now, and the bits of those that were. */
  target: LinkedTarget | null = null
  tried = 0
  /** Number of the trial of an open breaker that it is; 0 for none, -1 when its answer has counted. */
  trial = 0
  /** URL of the server that was asked last; empty when none was. */
  askedUrl = ''
  /** How often another server was asked. */
  retries = 0

  // What became of it
  code: RefusalCode | null = null
  /** What an answer came to that was passed on; null where its status says all. */
  verdict: AnswerVerdict | null = null
  /** The check that ended it; empty when none did. */
  check: CheckName = ''
  facts: RefusalFacts = NO_FACTS
  /** For the record alone. */
  reason = ''
  /** Runs in the place of the workflow of the proxy: a live trial. */
  triedWorkflow: TriedWorkflow | null = null
  /** Keeps what the nodes of its workflow give, for a capture; null where none has taken the request. */
  captured: CapturedRun | null = null
  /** Of the workflow that ran; null where none did. */
  trace: RunTrace | null = null
  /** For `Retry-After`, milliseconds; 0 for none. */
  retryAfterMs = 0
  /** Lines of RateLimit-Policy and RateLimit, or empty. */
  limitLines = ''
  /** `policy/limit` with the fewest requests left, or that refused; empty without limits. */
  nearestLimit = ''
  /** The fault that its contract would have refused, where that is only reported; else empty. */
  contractFault = ''
  /** {@link limitLines} has X-RateLimit-* too. */
  hasXLimits = false
  /** Places and units that the limits get back when the answer has ended. */
  heldLimits: HeldLimits | null = null
  /** Value of `Allow`. */
  allow = ''
  /** The answer of a check that needs no upstream. */
  reply: Reply | null = null
  /** Lines for a page of another origin, or empty. */
  corsLines = ''
  /** Line of X-Cache, or empty. */
  cacheLine = ''

  // What is remembered of answers
  /** Key under which the answer is kept; empty when it is not. */
  cacheKey = ''
  /** Lines of conditions that the kept answer is judged by. */
  conditions = ''
  /** No longer fresh, but good enough should the upstream fail. */
  stale: CacheEntry | null = null
  /** The idempotency key that this request holds; empty when it holds none. */
  claim = ''

  /** The guardrails of the endpoint, and what they did; null where none applies. */
  guard: ExchangeGuard | null = null

  /** What guardrails found in calls that its workflow made; null where none looked at them. */
  stepTally: Tally | null = null

  /** Everything about it is over: the caller has its answer or has left. */
  isOver = false
  /** The call whose answer is gathered for this request. */
  gathering: CallHandle | null = null
  /** Bytes that are kept in memory for this exchange until everything about it is over; null when none were. */
  reservation: MemoryReservation | null = null

  /** True for a path that belongs to another door. Only requests at `/mcp` and below are recorded then. */
  reserved = false
  /** Messages of a request at `/mcp` that led to no call; null when nothing was said of any. */
  messages: MessageOutcome[] | null = null
  /** Its record was written before its end. */
  isRecorded = false
  agent: RecordAgent | null = null
  /** Set for a recorded request that is made again. */
  replayed: Replayed | null = null

  constructor(
    lane: Lane,
    end: End,
    outcome: Outcome,
    requestId: string,
    now: number,
    snapshot: Snapshot,
    surface: SurfaceNumber,
    method: string,
    path: string,
    host: string,
    ip: string,
    bodyBytes: number,
  ) {
    this.lane = lane
    this.end = end
    this.outcome = outcome
    this.requestId = requestId
    this.now = now
    this.snapshot = snapshot
    this.surface = surface
    this.method = method
    this.path = path
    this.host = host
    this.ip = ip
    this.bodyBytes = bodyBytes
  }
}

/** An exchange whose collection is known: what rows behind `route` may rely on. */
export type Located = Exchange & { collection: LinkedCollection }

/** An exchange whose client and profile are known. */
export type Known = Exchange & { identity: KnownIdentity }

/** An exchange whose collection and caller are known: what rows behind `held-back route` may rely on. */
export type Called = Located & Known

/** An exchange with everything that is called: what rows behind `method` may rely on. */
export type Routed = Called & { proxy: LinkedProxy }

/** An exchange whose server is chosen: what sends it on may rely on. */
export type Targeted = Routed & { target: LinkedTarget }

const NO_FACTS: RefusalFacts = Object.freeze({})

/** Times and sizes of a request that has just begun within the process. @param startedAt monotonic, milliseconds @param bytesIn length of its body */
export function startedOutcome(startedAt: number, bytesIn: number): Outcome {
  return {
    startedAt,
    status: 0,
    bytesIn,
    bytesOut: 0,
    upstreamAt: 0,
    upstreamHeadAt: 0,
    upstreamStatus: 0,
    isStream: false,
    endedAt: 0,
    aborted: false,
    truncated: false,
  }
}

/**
 * The holder of memory, streams and connections: a client as a whole. People at one host know nothing of each other, so
 * each of them counts alone. A caller of a profile of type none has proved nothing, so all such callers of a client count apart from
 * those with a credential.
 */
export function holderOf(
  {
    client,
    subject,
    credentialId,
  }: Pick<KnownIdentity, 'subject' | 'credentialId'> & { readonly client: { readonly id: string } },
  { hosts }: Pick<Snapshot, 'hosts'>,
): string {
  if (credentialId === '') return `${client.id}/`
  return subject !== '' && hosts.has(client.id) ? `${client.id}/${subject}` : client.id
}

/** What the door at `/mcp` is told of the caller of a message, once its checks have ended. */
export function identified(exchange: Exchange, admitted: boolean): Identified {
  if (admitted) return { ok: true, caller: callerOf(exchange) }
  const { code, facts, retryAfterMs } = exchange
  return {
    ok: false,
    code: code!,
    detail: facts.detail ?? PROBLEMS[code!].help,
    retryAfterMs: retryAfterMs === 0 ? null : retryAfterMs,
  }
}

/** The proven caller of an exchange. */
export function callerOf(exchange: Exchange): Caller {
  const { identity, ip, secure } = exchange
  const { client, profile, credentialId, subject, agentHost, claims, bearer, verified, bound } =
    identity as KnownIdentity
  const signIn = verified?.signIn ?? identity.signIn
  const { auth, mcp_search, mcp_view } = profile.fragment
  return {
    client,
    profile: { id: profile.id, auth, mcp_search, mcp_view },
    credentialId,
    subject,
    agentHost,
    claims,
    signIn,
    // A token of Postern's own says nothing to an upstream, and is shown to none
    bearer: signIn === null ? bearer : '',
    ip,
    secure,
    proof: bound ?? verified,
  }
}

/** What a gateway thread remembers of answers. */
interface KeptAnswers {
  readonly cache: AnswerCache
  readonly keys: IdempotencyKeys
}

/** Writes the records of a thread. A record that cannot be kept never fails a request. */
export interface RecordWriter {
  /** Writes the record of a request or call. A record that cannot be kept never fails a request. */
  request(exchange: Exchange): void
  /** Writes one record for each message of a request at `/mcp` that led to no call. */
  messages(exchange: Exchange, messages: readonly MessageOutcome[]): void
}

/** The services of one gateway thread that its requests share. */
export interface Lane {
  readonly clock: Clock
  readonly counters: Counters
  readonly issuers: Issuers
  /** Sign-ins of people at MCP endpoints; null where there are none. */
  readonly signIns: SignIns | null
  /** Accounts at origins; null where there are none. */
  readonly connections: Connections | null
  /** Kept answers and idempotency keys. */
  readonly keptAnswers: KeptAnswers
  /** Values that workflows keep, the same for all threads. */
  readonly keptValues: KeptValues
  /** Fetches tokens for upstreams. */
  readonly tokens: Tokens
  /** Counts the bytes that this thread keeps in memory for callers. */
  readonly memory: CallerMemory
  /** Where stdio servers are run; null where the settings name no runner. */
  readonly runner: RunnerPlace | null
  /** Captures that wait for requests. */
  readonly captures: Captures
  /** Connections to upstreams. */
  readonly pools: Pools
  readonly records: RecordWriter
  /** Knows tokens that other gateways have issued; null where none is known. */
  readonly importedKey: Uint8Array | null
  /** Runs the code of workflows; null where none can be run. */
  readonly code: CodeRunner | null
  /** Asks databases and mail servers for workflows; null where none can be asked. */
  readonly services: ServiceRunner | null
  /** Bounds what looking at answers costs this thread. */
  readonly looks: AnswerLooks
  /** Asks the webhooks of guardrails. */
  readonly webhooks: Webhooks
  /**
   * Calls a tool of an origin for the workflow of an exchange; null where none can be called. `done` is told once, never at once, and
   * never of a call that was given up.
   */
  readonly callTool:
    | ((outer: Exchange, tool: CalledTool, done: (answer: ToolAnswer) => void) => CallHandle)
    | null
  /** Told of what the program itself did wrong, and of what is configured and cannot be used. */
  readonly fault: (fault: unknown) => void
  /** Hosts that serve pages beside the published APIs; null where no pages are served. */
  readonly pageHosts: ReadonlySet<string> | null
}

const NO_CLAIMS: Claims = new Map()

/**
 * The identity of the caller, as far as the checks have found it. The check `identify` replaces it as a whole, because the door
 * at `/mcp` may identify the caller of an exchange twice, and the first result must not count for the second.
 */
export class Identity {
  /** The text after `Bearer`; empty when there is none. */
  bearer = ''
  client: LinkedClient | null = null
  profile: LinkedProfile | null = null
  /** Found by its lookup, not proved yet. */
  token: LinkedToken | null = null
  /** An earlier request has proved the very same credential. */
  isProved = false
  /** The credential is signed or held by others; `identify` has found the profile that takes it. */
  isForeign = false
  /** The credential is a token of Postern's own authorization server, and a person has signed in. */
  isSignIn = false
  /** The judged certificate, for the profile that it fits. */
  bound: Bound | null = null
  /** Read, not proved. */
  jwt: Jwt | null = null
  /** Key under which a proved credential is remembered, and the remembered proof. */
  verifiedKey = ''
  verified: Verified | null = null
  /** `sub` of a proved token of another issuer; empty when there is none. */
  subject = ''
  /** OAuth client that such a token was issued to; empty when there is none. */
  agentHost = ''
  /** Claims of it that the profile lists. */
  claims: Claims = NO_CLAIMS
  /** Of a call from within the process: the person who has signed in; null for a client with a credential of its own. */
  signIn: SignedIn | null = null
  /** Id of the token or key, once it is proved. */
  credentialId = ''
}

/** The identity of every exchange before the check `identify`. Frozen: a write would be seen by all of them. */
const UNIDENTIFIED: Identity = Object.freeze(new Identity())

/** An identity whose client and profile are known. */
export type KnownIdentity = Identity & { client: LinkedClient; profile: LinkedProfile }
