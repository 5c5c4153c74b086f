import type { AwsSigner } from '../base/aws-signature.ts'
import type { Jwt } from '../base/jwt.ts'
import type { RefusalCode, RefusalFacts } from '../base/refusal.ts'
import type { RecordAgent } from '../record/fields.ts'
import type {
  Bound,
  Claims,
  ClientCertificate,
  LinkedClient,
  LinkedCollection,
  LinkedProfile,
  LinkedProxy,
  LinkedTarget,
  LinkedToken,
  Sent,
  Snapshot,
  Verified,
} from '../snapshot/snapshot.ts'
import type { HeldBytes, Holding } from '../wire/held-bytes.ts'
import type { CallHandle, Incoming, PeerCertificate } from '../wire/port.ts'
import type { Counters, Held } from './admit/counters.ts'
import type { CheckName } from './check-names.ts'
import type { Tokens } from './forward/tokens.ts'
import type { Issuers } from './identify/issuers.ts'
import type { MessageOutcome } from './port.ts'
import type { CacheEntry } from './replay/answer-cache.ts'
import type { Replays } from './replay/replay.ts'

/** An answer made by the gateway itself. */
export interface Reply {
  readonly status: number
  /** Header lines ending in CRLF, without those of check 18. */
  readonly fields: string
  readonly body: string | Uint8Array
}

/** What a request is bound to that is made again, since nobody proves it anew. */
export interface Replayed {
  /** Id of the proxy that it met. */
  readonly proxy: string
  /** Id of the token that proved its caller; empty where none did. */
  readonly credentialId: string
  /** Id of the user who asks for it; empty where no user does. */
  readonly user: string
}

/** Gives the whole body; see {@link Incoming.collect}. */
export type BodySource = Pick<Incoming, 'collect'>

/**
 * One request on its way through the stages, whatever door it came through. Every field is there from the start, so
 * that all exchanges have one shape.
 */
export class Exchange {
  // What came in
  readonly requestId: string
  /** Wall clock when the head had arrived, milliseconds. */
  readonly now: number
  /** Kept until the end, also when a newer one is published. */
  snapshot: Snapshot
  readonly counters: Counters
  /** 0 gateway, 1 gateway_mcp; as in records. */
  surface: 0 | 1
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
  /** Hosts that serve pages beside the published APIs; null where no pages are served. */
  pageHosts: ReadonlySet<string> | null = null
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
  /** Reads the body, for steps that must see it. */
  source: BodySource | null = null
  /** The whole body, once a step has read it. */
  body: Uint8Array | null = null

  // Who calls
  authorization: string | undefined = undefined
  certificate: PeerCertificate | null = null
  clientRef: string | undefined = undefined
  profileRef: string | undefined = undefined
  /** What stands after `Bearer`; empty when there is nothing of that form. */
  bearer = ''
  client: LinkedClient | null = null
  profile: LinkedProfile | null = null
  /** Found by its lookup, not proved yet. */
  token: LinkedToken | null = null
  /** An earlier request has proved the very same credential. */
  isProved = false
  /** The credential is signed or held by others; check 5 has found the profile that takes it. */
  isForeign = false
  /** What the certificate came to, for the profile that it fits. */
  bound: Bound | null = null
  /** Read, not proved. */
  jwt: Jwt | null = null
  /** Where a proved one is remembered, and what is remembered of it. */
  verifiedKey = ''
  verified: Verified | null = null
  /** `sub` of a proved token that others signed; empty when there is none. */
  subject = ''
  /** OAuth client that such a token was issued to; empty when there is none. */
  agentHost = ''
  /** Claims of it that the profile lists. */
  claims: Claims = NO_CLAIMS
  issuers: Issuers | null = null
  /** Id of the token or key, once it is proved. */
  credentialId = ''

  // What is called
  collection: LinkedCollection | null = null
  proxy: LinkedProxy | null = null
  /** The path fits these proxies, but the method fits none. */
  others: readonly LinkedProxy[] | null = null
  credential: Sent | null = null
  /** It is shown in the handshake with the upstream. */
  shownCertificate: ClientCertificate | null = null
  /** It signs the request. */
  signing: AwsSigner | null = null
  /** Another one may be had where the upstream refuses it. */
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

  /** Fetches tokens for upstreams. */
  tokens: Tokens | null = null

  // What became of it
  code: RefusalCode | null = null
  /** Number of the check that ended it; -1 when none did. */
  stoppedAt = -1
  /** Name of the row that refused; empty for refusals from outside of the list. */
  check: CheckName = ''
  facts: RefusalFacts = NO_FACTS
  /** For the record alone. */
  reason = ''
  /** For `Retry-After`; 0 for none. */
  retryAfterMs = 0
  /** Lines of RateLimit-Policy and RateLimit, or empty. */
  limitLines = ''
  /** `policy/limit` with the fewest requests left, or that refused; empty without limits. */
  nearestLimit = ''
  /** For what the contract would have refused it, where that is only reported; else empty. */
  contractFault = ''
  /** {@link limitLines} has X-RateLimit-* too. */
  hasXLimits = false
  /** What the limits get back when the answer has ended. */
  heldLimits: Held | null = null
  /** Value of `Allow`. */
  allow = ''
  /** The answer of a check that needs no upstream. */
  reply: Reply | null = null
  /** Lines for a page of another origin, or empty. */
  corsLines = ''
  /** Line of X-Cache, or empty. */
  cacheLine = ''

  // What is remembered of answers
  replays: Replays | null = null
  /** Under which the answer is kept; empty when it is not. */
  cacheKey = ''
  /** Lines of conditions that the kept answer is judged by. */
  conditions = ''
  /** No longer fresh, but good enough should the upstream fail. */
  stale: CacheEntry | null = null
  /** The idempotency key that this request holds; empty when it holds none. */
  claim = ''
  /** Everything about it is over, the caller has its answer or has left. */
  isOver = false
  /** The call whose answer is gathered for this request. */
  held: CallHandle | null = null
  /** Counts what this thread keeps in memory. */
  memory: HeldBytes | null = null
  /** What of it is kept for this exchange, until everything about it is over; null when nothing was. */
  holding: Holding | null = null

  /** True for a path that belongs to another door. Only requests at `/mcp` are recorded then. */
  reserved = false
  /** Messages of a request at `/mcp` that led to no call; null when nothing was said of any. */
  messages: MessageOutcome[] | null = null
  agent: RecordAgent | null = null
  /** Set for a recorded request that is made again. */
  replayed: Replayed | null = null

  constructor(
    requestId: string,
    now: number,
    snapshot: Snapshot,
    counters: Counters,
    surface: 0 | 1,
    method: string,
    path: string,
    host: string,
    ip: string,
    bodyBytes: number,
  ) {
    this.requestId = requestId
    this.now = now
    this.snapshot = snapshot
    this.counters = counters
    this.surface = surface
    this.method = method
    this.path = path
    this.host = host
    this.ip = ip
    this.bodyBytes = bodyBytes
  }
}

const NO_CLAIMS: Claims = new Map()
const NO_FACTS: RefusalFacts = Object.freeze({})
