import { timerMs } from '../../base/clock.ts'
import { PROBLEMS, type RefusalCode } from '../../base/refusal.ts'
import { clientOf } from '../../snapshot/find/people.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { DEFAULT_LIMITS } from '../../wire/limits.ts'
import { FAILURE_CODES, type ForwardRequest, type Incoming, type Upstream } from '../../wire/port.ts'
import { canonicalTarget } from '../../wire/target.ts'
import { type End, Exchange, type GatheredAnswer, Identity, type Lane, startedOutcome } from '../exchange.ts'
import { accountOf, connectionFacts } from '../forward/connected.ts'
import type { Connected, NotConnected } from '../forward/connections.ts'
import { takeTrace } from '../forward/request.ts'
import type {
  AnswerPieces,
  CalledCapability,
  CallGuard,
  InnerAnswer,
  InnerCall,
  InnerCallHandle,
} from '../port.ts'
import { agentFields } from '../request-headers.ts'
import { begin, failed, over, refuse } from '../run.ts'
import type { CheckRow } from '../stage-types.ts'

/** Bytes of an answer that are read before a call from within the process is cut off. */
const READ_BYTES_MAX = 64 * 1024 * 1024
const NO_BODY = new Uint8Array(0)
const ENDED: NotConnected = {
  ok: false,
  code: 'connect_required',
  reason: 'The account was disconnected during the call.',
  page: null,
}

export interface InnerOptions {
  readonly lane: Lane
  /** The checks that calls to endpoints go through. */
  readonly checks: readonly CheckRow[]
  /** Those of requests to origins; absent where none are made. */
  readonly originChecks?: OriginChecks
  /** The snapshot in force. */
  readonly snapshot: () => Snapshot
  /** Told of each request to an origin that could not reach it, by id of the origin. */
  readonly originFailed?: (origin: string) => void
  /** Changes the exchange before its checks. */
  readonly prepare?: (exchange: Exchange) => void
}

interface OriginChecks {
  /** Of calls of capabilities. */
  readonly call: readonly CheckRow[]
  /** Of what Postern itself asks an origin, such as for a session. It takes no limits and has no record. */
  readonly own: readonly CheckRow[]
}

/** Gets the answer of a call once, or never when the call was given up. The record is written by then. */
export type Answered = (answer: InnerAnswer, exchange: Exchange) => void

/** Runs calls from within the process: the same checks, counters and records as over REST. */
export function createInnerCalls(
  options: InnerOptions,
): (call: InnerCall, done: Answered) => InnerCallHandle {
  return (call, done) => {
    const run = new InnerRun(options, call, done)
    run.begin()
    return run
  }
}

/** One call from its checks to its answer. It is the end of its own exchange. */
class InnerRun implements InnerCallHandle, End {
  readonly stream: End['stream']
  readonly keepBytesMax: number
  readonly readBytesMax = READ_BYTES_MAX
  readonly isWholeOnly = false
  readonly #checks: readonly CheckRow[]
  readonly #originFailed: InnerOptions['originFailed']
  readonly #call: InnerCall
  readonly #done: Answered
  readonly #exchange: Exchange
  readonly #isCanonical: boolean
  /** The request whose message led to the call; null where there is none. */
  #outer: Exchange | null
  /** Ends a request to an origin whose answer goes on for too long; absent for calls of endpoints. */
  #total: NodeJS.Timeout | undefined
  /** Set for what ends with the connection whose token it was sent with. */
  #unwatch: (() => void) | undefined

  constructor(options: InnerOptions, call: InnerCall, done: Answered) {
    this.#checks = checksOf(options, call)
    this.#originFailed = options.originFailed
    this.keepBytesMax = call.keepBytesMax
    const { reader } = call
    this.stream =
      reader === undefined
        ? null
        : (exchange, upstream, request) => this.#read(exchange, upstream, request, reader)
    this.#call = call
    this.#done = done
    const target = canonicalTarget(call.target)
    this.#isCanonical = target !== null
    this.#exchange = toExchange(options, this, call, target?.path ?? pathOf(call.target), target?.query ?? '')
    options.prepare?.(this.#exchange)
    // The door gets its incomings from the gateway's handler, so their state is an exchange
    this.#outer = (call.until as Incoming<Exchange> | null)?.state ?? null
    if (this.#outer !== null) this.#outer.gathering = this
  }

  begin(): void {
    const exchange = this.#exchange
    const { capability, reader } = this.#call
    if (capability !== undefined && reader?.idleTimeoutMs === undefined)
      this.#total = setTimeout(() => this.#tooLong(), timerMs(capability.origin.fragment.total_ms)).unref()
    const fault = boundFault(this.#call)
    if (fault !== null) refuse(exchange, fault, 'wire')
    else if (!this.#isCanonical) refuse(exchange, 'request_not_canonical', 'canonical')
    // Deleted after the message was admitted
    else if (exchange.identity.profile === null) refuse(exchange, 'identity_rejected', 'identify')
    else begin(this.#checks, exchange)
  }

  /** Gives the call up: its caller has left. */
  abort(): void {
    const exchange = this.#exchange
    if (exchange.isOver) return
    exchange.outcome.aborted = true
    this.#over()
    try {
      this.#call.gaveUp?.()
      this.#call.reader?.gaveUp()
    } catch (error) {
      exchange.lane.fault(error)
    }
  }

  park(code: RefusalCode | null): void {
    const exchange = this.#exchange
    if (exchange.isOver || exchange.isRecorded) return
    if (this.#outer !== null) this.#outer.gathering = null
    this.#outer = null
    this.#endWithConnection(exchange)
    const { outcome, lane } = exchange
    outcome.status = code === null ? 200 : PROBLEMS[code].status
    exchange.code = code
    outcome.endedAt = lane.clock.monotonic()
    lane.records.request(exchange)
    exchange.isRecorded = true
  }

  /** Whatever came kept the origin from being idle. */
  #tooLong(): void {
    const exchange = this.#exchange
    if (exchange.isOver) return
    exchange.gathering?.abort()
    exchange.gathering = null
    exchange.reason = 'the answer did not end in time'
    refuse(exchange, 'upstream_timeout', 'forward')
  }

  /** For what goes on for long: a stream that stands, and a call that waits for the person. */
  #endWithConnection(exchange: Exchange): void {
    const { credential, lane } = exchange
    if (exchange.capability?.account == null || credential === null) return
    // Nothing else is sent with an account
    const { connection } = credential as Connected
    this.#unwatch ??= lane.connections?.onEnded(connection, () => {
      if (exchange.isOver) return
      exchange.gathering?.abort()
      exchange.gathering = null
      exchange.reason = ENDED.reason
      exchange.facts = connectionFacts(exchange.capability!.origin.fragment.slug, ENDED)
      refuse(exchange, ENDED.code, 'forward')
    })
  }

  answer(exchange: Exchange, status: number, fields: string, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    // A problem is given whole: a part of it says nothing
    const keptMax = exchange.code === null ? this.keepBytesMax : bytes.length
    const truncated = bytes.length > keptMax
    this.#give(status, fields, bytes.subarray(0, keptMax), bytes.length, truncated)
  }

  pass(_exchange: Exchange, { status, fields, body, bodyBytes, truncated }: GatheredAnswer): void {
    this.#give(status, fields, body, bodyBytes, truncated)
  }

  /** Hands the answer over piece by piece. */
  #read(exchange: Exchange, upstream: Upstream, request: ForwardRequest, reader: AnswerPieces): void {
    const { outcome } = exchange
    let status = 0
    let fields = ''
    let bytes = 0
    const body = exchange.bodyBytes === 0 ? null : exchange.body
    const { readBytesMax } = this
    const { idleTimeoutMs } = reader
    if (idleTimeoutMs !== undefined) this.#endWithConnection(exchange)
    const give = (): void =>
      this.#guarded(() => {
        if (exchange.isOver) return
        const verdict = reader.judge?.() ?? null
        exchange.verdict = verdict
        this.#give(status, fields, NO_BODY, verdict?.bytes ?? bytes, false)
      })
    const end = (): void =>
      this.#guarded(() => {
        exchange.gathering = null
        const came = (): void => {
          status = 200
          give()
        }
        if (reader.elsewhere?.(status, came) !== true) give()
      })
    const handle = upstream.stream(
      // Postern reads this response itself and ignores the headers that callers get
      {
        ...request,
        responseFields: '',
        body,
        readBytesMax,
        ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
      },
      {
        head: (head) => {
          ;({ status, fields } = head)
          outcome.upstreamAt = head.upstreamAt
          outcome.upstreamHeadAt = head.upstreamHeadAt
          outcome.upstreamStatus = status
          this.#guarded(() => reader.head(status, fields))
        },
        piece: (buffer, from, to) => {
          bytes += to - from
          this.#guarded(() => {
            if (reader.piece(buffer, from, to)) return
            handle.abort()
            end()
          })
          return true
        },
        end,
        failed: (failure, inner, upstreamAt) =>
          this.#guarded(() => {
            exchange.gathering = null
            outcome.upstreamAt = upstreamAt
            failed(exchange, FAILURE_CODES[failure], inner)
          }),
      },
    )
    exchange.gathering = handle
  }

  /** Called from events of sockets: a throw there would end the thread. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      const exchange = this.#exchange
      exchange.lane.fault(error)
      if (exchange.isOver) return
      exchange.gathering?.abort()
      exchange.gathering = null
      exchange.reason = 'fault'
      refuse(exchange, 'internal_error', 'forward')
    }
  }

  #give(status: number, fields: string, body: Uint8Array, bodyBytes: number, truncated: boolean): void {
    const exchange = this.#exchange
    const { outcome, requestId, code } = exchange
    outcome.status = status
    outcome.bytesOut = bodyBytes
    const { capability, through } = this.#call
    const guard = exchange.isRecorded ? null : ((capability ?? through)?.guard ?? null)
    exchange.isRecorded ||= guard !== null
    this.#over()
    if (capability !== undefined && isUnreachable(code, status)) this.#originFailed?.(capability.origin.id)
    const durationMs = outcome.endedAt - outcome.startedAt
    const answer = { requestId, status, fields, body, bodyBytes, truncated, durationMs, code }
    try {
      this.#done(answer, exchange)
    } finally {
      if (guard?.judging != null) void guard.judging.then(() => this.#recordJudged(guard))
      else if (guard !== null) this.#recordJudged(guard)
    }
  }

  /** Guardrails look at an answer as its caller gets it. */
  #recordJudged({ refusal }: CallGuard): void {
    const exchange = this.#exchange
    if (refusal !== null && exchange.code === null) {
      exchange.code = refusal.code
      exchange.reason = refusal.reason
      exchange.verdict = null
      exchange.outcome.status = PROBLEMS[refusal.code].status
    }
    exchange.lane.records.request(exchange)
  }

  #over(): void {
    const { outcome, lane } = this.#exchange
    clearTimeout(this.#total)
    this.#unwatch?.()
    if (this.#outer !== null) this.#outer.gathering = null
    outcome.endedAt = lane.clock.monotonic()
    over(this.#exchange)
  }
}

/** The server could not be reached, or something before it says so. */
function isUnreachable(code: RefusalCode | null, status: number): boolean {
  if (code !== null) return code === 'upstream_unreachable' || code === 'upstream_unavailable'
  return status >= 502 && status <= 504
}

function checksOf({ checks, originChecks }: InnerOptions, { capability }: InnerCall): readonly CheckRow[] {
  if (capability === undefined || originChecks === undefined) return checks
  return capability.method === '' ? originChecks.own : originChecks.call
}

function toExchange(
  { lane, snapshot: inForce }: InnerOptions,
  end: End,
  call: InnerCall,
  path: string,
  query: string,
): Exchange {
  const { caller, method, body } = call
  const snapshot = inForce()
  const bytes = body === null ? 0 : body.length
  const exchange = new Exchange(
    lane,
    end,
    startedOutcome(lane.clock.monotonic(), bytes),
    call.requestId,
    lane.clock.now(),
    snapshot,
    1,
    method,
    path,
    call.host,
    caller.ip,
    bytes,
  )
  const identity = new Identity()
  identity.client = clientOf(snapshot, caller.client.id) ?? null
  identity.profile = identity.client?.profiles.get(caller.profile.id) ?? null
  identity.credentialId = caller.credentialId
  identity.subject = caller.subject
  identity.agentHost = caller.agentHost
  identity.claims = caller.claims
  identity.signIn = caller.signIn
  identity.bearer = caller.bearer
  exchange.identity = identity
  exchange.secure = caller.secure ?? false
  exchange.pass = call.ownFields ?? ''
  if (call.fields !== '') {
    const { pass, withheld } = agentFields(call.fields)
    exchange.pass += pass
    exchange.withheld = withheld
  }
  if (call.traceParent !== undefined) takeTrace(exchange, call.traceParent, call.traceState)
  exchange.query = query
  exchange.body = body ?? NO_BODY
  exchange.agent = call.agent
  if (call.through !== undefined) {
    exchange.through = call.through
    exchange.surface = 2
  }
  if (call.capability !== undefined) locate(exchange, call.capability, caller)
  return exchange
}

/** What is called is known: no path leads to it. */
function locate(exchange: Exchange, capability: CalledCapability, caller: InnerCall['caller']): void {
  const { fragment } = capability.origin
  const hasAccount = fragment.connection === undefined || capability.account !== undefined
  exchange.capability = hasAccount
    ? capability
    : { ...capability, account: accountOf(fragment, caller, exchange.identity.profile) }
  exchange.collection = capability.origin.route
  exchange.proxy = capability.route
  exchange.query = capability.query
  exchange.reserved = true
  exchange.surface = capability.method === '' ? 0 : 2
}

/** The bounds that a listener holds a request to hold here too (check `wire`). */
function boundFault(call: InnerCall): RefusalCode | null {
  const { targetBytesMax, headBytesMax } = DEFAULT_LIMITS
  if (call.target.length > targetBytesMax) return 'uri_too_long'
  if (call.fields.length > headBytesMax) return 'headers_too_large'
  return null
}

/** The path of a target that was refused, as far as it can be shown. */
function pathOf(target: string): string {
  const end = target.search(/[?#]/)
  return (end === -1 ? target : target.slice(0, end)).replace(/[^!-~]/g, '').slice(0, 2048)
}
