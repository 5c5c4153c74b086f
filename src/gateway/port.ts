/**
 * What the MCP door of a gateway thread may ask of the gateway: who is calling, what that caller sees, and to run
 * one call through the same stages, counters and record as a call over REST.
 */
import type { ByteBudget, Reservation } from '../base/memory/bytes.ts'
import type { FieldError, RefusalCode } from '../base/refusal.ts'
import type { AskWebhook } from '../guardrails/asked.ts'
import type { Tally } from '../guardrails/tally.ts'
import type { AnswerCode, RecordAgent } from '../record/fields.ts'
import type { Caller as PolicySubject } from '../snapshot/find/capability-caller.ts'
import type { JoinedVirtualMcp } from '../snapshot/find/virtual-mcps.ts'
import type {
  ClientFragment,
  CollectionFragment,
  Contract,
  OriginFragment,
  PolicyFragment,
  ProfileFragment,
  ProxyFragment,
} from '../snapshot/fragments.ts'
import type { Bound, Claims, SignedIn, Verified } from '../snapshot/linked-types/client.ts'
import type { LinkedProxy } from '../snapshot/linked-types/collection.ts'
import type { CalledThrough, LinkedOrigin } from '../snapshot/linked-types/mcp.ts'
import type { CallHandle, Incoming } from '../wire/port.ts'
import type { Connection } from './forward/connections.ts'

/** A proven caller: the result of the checks `identify` to `authenticate`. Valid for one message only, so that a revocation holds from the next. */
export interface Caller {
  readonly client: Pick<ClientFragment, 'id'>
  readonly profile: Pick<ProfileFragment, 'id' | 'auth' | 'mcp_search' | 'mcp_view'>
  /** Id of the token or key that proved it, or empty for profiles of type none. */
  readonly credentialId: string
  /** `sub` of a token that others signed; empty when there is none. */
  readonly subject: string
  /** OAuth client that such a token was issued to; empty when there is none. */
  readonly agentHost: string
  /** Claims of such a token that the profile lists. */
  readonly claims: Claims
  /** Set for a person who has signed in here: `subject` is the id of the user. */
  readonly signIn: SignedIn | null
  /** What the caller sent after `Bearer`, for exchanging it upstream; never shown, never recorded. Empty for a person who has signed in. */
  readonly bearer: string
  readonly ip: string
  /** The caller spoke TLS. */
  readonly secure?: boolean
  /** The certificate or the signed or introspected token that proved it, for what lasts longer than the message. Absent or null for a token of the profile, which is looked up. */
  readonly proof?: Bound | Verified | null
}

/** An endpoint as one caller sees it. */
export interface Endpoint {
  readonly collection: CollectionFragment
  readonly proxy: ProxyFragment
  /** Methods that both the proxy and the profile allow; never empty. */
  readonly methods: readonly string[]
  /** Base path and pattern: `/orders/v1/orders/{id}`. */
  readonly path: string
}

/** A call that is not made, as it would be sent. */
export interface JudgedCall {
  /** Path and query. */
  readonly target: string
  /** Header lines ending in CRLF. */
  readonly lines: string
  readonly body: Uint8Array | null
}

/** What a call needs to know of who makes it. */
export type CallerOfCall = Omit<Caller, 'client' | 'profile'> & {
  readonly client: Pick<ClientFragment, 'id'>
  readonly profile: Pick<ProfileFragment, 'id'>
}

export interface InnerCall {
  readonly caller: CallerOfCall
  /** Id of the message that asks for it, which its record, its answer and the upstream get. */
  readonly requestId: string
  readonly method: string
  /** A host that the collection answers on; empty for one that answers on all. One base path may have several. */
  readonly host: string
  /** Path and query of the call as REST would have sent them, percent-encoded; judged by the check `canonical` like any other. */
  readonly target: string
  /** Set for a request to an origin: then no path is looked up, and `target` is for the record. */
  readonly capability?: CalledCapability
  /** Set for an endpoint that a virtual MCP offers; absent for `execute_call`. */
  readonly through?: CalledThroughVirtualMcp | undefined
  /** Header lines ending in CRLF that the caller asked to send; names of identity, framing and forwarding are dropped. */
  readonly fields: string
  /** Header lines ending in CRLF that the door adds by itself; they are passed on as they are. */
  readonly ownFields?: string
  readonly body: Uint8Array | null
  /** `traceparent` and `tracestate` as the caller's message gave them; absent where it gave none. */
  readonly traceParent?: string | undefined
  readonly traceState?: string | undefined
  readonly agent: RecordAgent
  /** Bytes of the answer's body that are kept. */
  readonly keepBytesMax: number
  /** Reads the answer as it comes; then the body of the answer that `done` gets is empty. Absent: the answer is gathered. */
  readonly reader?: AnswerPieces
  /** The request whose end gives the call up; null for a call that goes on without its caller. */
  readonly until: Incoming | null
  /** Told of a call that was given up, whose answer never comes. */
  readonly gaveUp?: () => void
}

/** Reads an answer while it comes. A throw is reported, and refuses the call as an internal error. */
export interface AnswerPieces {
  /** Between two pieces, milliseconds, for a stream that stands for as long as its reader wants: no total holds for it. */
  readonly idleTimeoutMs?: number
  head(status: number, fields: string): void
  /** The bytes are a loan for the time of the call. False: enough was read, and the call ends well. */
  piece(bytes: Buffer, from: number, to: number): boolean
  /**
   * What the request leads to comes on another stream: asked once the answer to the request has ended. True: the call goes on until
   * `over` is called, possibly at once, and its status is 200.
   */
  elsewhere?(status: number, over: () => void): boolean
  /** What the whole answer came to, asked once after its last piece. Absent: its status says all. */
  readonly judge?: () => AnswerVerdict
  /** The call was given up on its way: nothing more comes. */
  gaveUp(): void
}

/** What the record of a call says of an answer whose status alone does not tell. */
export interface AnswerVerdict {
  /** Null for a good answer. With a refusal the record has its status. */
  readonly code: RefusalCode | AnswerCode | null
  /** For the record alone. */
  readonly reason: string
  /** Bytes of the response, without other messages before it and without what frames it. */
  readonly bytes: number
}

/** A request to an origin that Postern itself makes. Header lines end in CRLF. */
interface OriginQuestion {
  readonly method: 'POST' | 'GET' | 'DELETE'
  readonly fields: string
  readonly body: string | null
  /** Where it goes at the server of the origin; absent: to its URL. */
  readonly at?: { readonly path: string; readonly query: string }
  /** Whose account at an origin with connections is used: the id of a person, or SHARED. Absent: that of the caller. */
  readonly as?: string
}

/** A call under way. */
export interface InnerCallHandle extends CallHandle {
  /**
   * The request in `until` is about to be answered and the call goes on without it. The record of the call is written now, and not
   * again at the end. The call still counts in limits of concurrency.
   * @param code of the refusal that the request is answered with; null for none
   */
  park(code: RefusalCode | null): void
}

/** The answer to an {@link OriginQuestion}, and why there is none, as only operators may read it. */
type OriginAnswered = InnerAnswer & { readonly reason: string }

export interface InnerAnswer {
  readonly requestId: string
  readonly status: number
  /** Header lines of the answer. */
  readonly fields: string
  readonly body: Uint8Array
  /** Bytes of the whole body. */
  readonly bodyBytes: number
  readonly truncated: boolean
  readonly durationMs: number
  /** Set when a check or the forwarding refused; the body is then the problem object. */
  readonly code: RefusalCode | null
}

/** What became of a message at `/mcp` that led to no call. */
export interface MessageOutcome {
  /** Unlike that of any other message. */
  readonly requestId: string
  /** Set when it was refused. */
  readonly code: RefusalCode | null
  /** For the record alone. */
  readonly reason: string
  /** Null when no message was read. */
  readonly agent: RecordAgent | null
  /** Id of the origin that it was for. */
  readonly origin?: string
  /** What guardrails found in it, as records have it. */
  readonly guardrailHits?: string
}

export type Identified =
  | { readonly ok: true; readonly caller: Caller }
  | {
      readonly ok: false
      readonly code: RefusalCode
      readonly detail: string
      readonly retryAfterMs: number | null
    }

export interface GatewayPort {
  /** False until a snapshot was applied (check: not_ready). */
  readonly ready: boolean
  /** The checks of the caller for one HTTP request at `/mcp`. Failures are recorded and throttled like those over REST. */
  identify(incoming: Incoming): Identified | Promise<Identified>
  /**
   * Says what became of one message, before its answer is sent; the record is written when the HTTP request ends. Null
   * says that the message is about to be run through {@link call}, which records it. A request of which nothing is
   * said is recorded once, by what HTTP tells of it.
   */
  message(incoming: Incoming, outcome: MessageOutcome | null): void
  /** Where bytes are counted that are kept in memory for an HTTP request at `/mcp`, until it is over. */
  budget(incoming: Incoming, of: 'body' | 'answer'): ByteBudget
  /** Counts a discovery call in its own bucket. Milliseconds to wait when it is one too many, else 0. */
  admitDiscovery(caller: Caller): number
  /** What the caller may call, by the very rules of the checks `assignment` and `method`, in order of base path and path. */
  endpoints(caller: Caller): readonly Endpoint[]
  /**
   * Contract of an endpoint, with the schemas its `#/$defs/…` references point into; null when none was given.
   * @param method for what differs by method.
   */
  contract(
    endpoint: Endpoint,
    method?: string,
  ): { readonly contract: Contract; readonly schemas: Readonly<Record<string, unknown>> } | null
  /** What the contract of an endpoint finds wrong with a call that is not made; see `contract/request.ts`. */
  contractFaults(endpoint: Endpoint, method: string, call: JudgedCall): readonly FieldError[]
  /** Policies that apply to the caller at the endpoint, outermost first, with where each is attached. */
  policies(
    caller: Caller,
    endpoint: Endpoint,
  ): readonly { readonly attachedTo: string; readonly policy: PolicyFragment }[]
  /** Calls `listener` after each snapshot that is put in force, until the function that it gives is called. */
  onApplied(listener: () => void): () => void
  /**
   * What decides whether a caller may call: the client, and for a person who has signed in the user and the host too. The same objects
   * as long as nothing about them has changed; null when the caller may call no longer.
   */
  standingOf(caller: Caller): readonly object[] | null
  /** The caller as capability policies see it. */
  policySubject(caller: Caller): PolicySubject
  /** The published virtual MCP of that slug; null where there is none that the caller may call. */
  virtualMcp(caller: Caller, slug: string): JoinedVirtualMcp | null
  /** The origin of that id; null where there is none. */
  origin(id: string): LinkedOrigin | null
  /** What calls of the caller to an origin with connections carry; at once where it is known. Never rejects. */
  connectionOf(caller: Caller, origin: LinkedOrigin): Connection | Promise<Connection>
  /** What asks the webhooks of guardrails about contents of a caller. */
  askWebhook(caller: Caller): AskWebhook
  /**
   * Asks an origin, also one that is not stored, over the sockets, address rules and credentials that calls use. Never rejects.
   * @param caller in whose name; without one Postern asks for itself
   */
  askOrigin(
    fragment: OriginFragment,
    question: OriginQuestion,
    caller?: Caller | null,
  ): Promise<OriginAnswered>
  /** The same, with the answer as it comes. `done` is called once, or never when the request was given up. */
  readOrigin(
    fragment: OriginFragment,
    question: OriginQuestion,
    reader: AnswerPieces,
    done: (answer: InnerAnswer) => void,
    caller?: Caller | null,
  ): CallHandle
  /** Runs a call in process, through all checks but those of the caller, which its message has passed. `done` is called once, or never when the call was given up. */
  call(call: InnerCall, done: (answer: InnerAnswer) => void): InnerCallHandle
  /** Gives up what answers an HTTP request when that is over, so also when its caller leaves. */
  giveUpWith(incoming: Incoming, handle: CallHandle): void
  /** Where bytes are counted that are kept for a caller beyond one HTTP request. The holder releases it. */
  reserve(caller: Caller): Reservation
  /** Under whom the caller shares what is bounded for each client. */
  holderOf(caller: Caller): string
}

/** What guardrails make of a message that leads to a call. The record of the call is written once its answer was judged. */
export interface CallGuard {
  readonly tally: Tally
  /** Why the answer is not passed on, once it was judged; null while it is. */
  readonly refusal: { readonly code: RefusalCode; readonly reason: string } | null
  /** Settles when an answer is judged that cannot be judged at once; null where it can. */
  readonly judging: Promise<unknown> | null
}

/**
 * The capability of an origin that is called. The route to the origin stands as collection and proxy of the exchange, so that limits,
 * credential and servers of the call are those of any request.
 */
export interface CalledCapability {
  readonly origin: LinkedOrigin
  readonly route: LinkedProxy
  /** Path and query of the MCP endpoint of the origin. */
  readonly path: string
  readonly query: string
  /** Id; empty for what Postern itself asks. */
  readonly virtualMcp: string
  /** Method of MCP; empty for what Postern itself asks. */
  readonly method: string
  /** Public name or URI of the capability; empty where the method has none. */
  readonly name: string
  /** Bytes of the JSON of the arguments, in UTF-8; 0 where it has none. */
  readonly argumentBytes: number
  /** Null where no guardrail applies. */
  readonly guard?: CallGuard | null
  /** A workflow makes the call: the limits of its caller were taken with the request that the workflow answers. */
  readonly isStep?: true
  /**
   * Set by the gateway for an origin with connections: whose token or key is sent. The id of a person, SHARED for the one that all callers
   * share; null for a caller who is no person.
   */
  readonly account?: string | null
}

/** An endpoint that is called as a capability of a virtual MCP. Its path leads to it, as over REST. */
export interface CalledThroughVirtualMcp {
  /** One object for all calls of a member, since plans of limits are kept by it. */
  readonly of: CalledThrough
  /** Id of the proxy that the capability stands for: a path that its arguments make must lead to no other. */
  readonly proxy: string
  /** Bytes of the JSON of the arguments, in UTF-8; 0 where it has none. */
  readonly argumentBytes: number
  /** Null where no guardrail applies beside those of the endpoint. */
  readonly guard?: CallGuard | null
}
