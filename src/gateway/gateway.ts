import type { Clock } from '../base/clock.ts'
import { DOORS, isAtOrBelow } from '../base/doors.ts'
import { createFetchJson } from '../base/fetch-json.ts'
import { mayHaveOwnCookies, withoutOwnCookies } from '../base/own-cookies.ts'
import type { RefusalCode } from '../base/refusal.ts'
import type { CredentialTest } from '../model/credential-test.ts'
import { HTTP_METHODS } from '../model/methods.ts'
import type { ReplayAnswer, ReplayAsked } from '../model/replay.ts'
import { isReserved } from '../model/reserved-paths.ts'
import type { UpstreamHealth } from '../model/upstream-health.ts'
import type { RecordSink } from '../record/fields.ts'
import type { RequestCounts } from '../record/request-counts.ts'
import type { SnapshotDelta } from '../snapshot/fragments.ts'
import { applyDelta, EMPTY_SNAPSHOT } from '../snapshot/link.ts'
import { hostName } from '../snapshot/mounts.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Opener } from '../vault/opener.ts'
import { HELD_BYTES_MAX, HeldBytes } from '../wire/held-bytes.ts'
import type { Handler, Incoming, Upstream, UpstreamOptions } from '../wire/port.ts'
import type { Counters } from './admit/counters.ts'
import { admitDiscovery } from './admit/discovery.ts'
import { endLimits } from './admit/limits.ts'
import { createContractFaults } from './contract/unusable.ts'
import { Exchange } from './exchange.ts'
import {
  AGENT_NAME,
  AUTHORIZATION,
  agentFields,
  CLIENT_ID,
  CONVERSATION_ID,
  COOKIE,
  PROFILE_ID,
  SEC_FETCH_DEST,
  TRACE_PARENT,
  TRACE_STATE,
} from './fields.ts'
import { createHealthChecks } from './forward/checks.ts'
import { healthOf } from './forward/health.ts'
import { createPools } from './forward/pools.ts'
import { forwardRequest } from './forward/request.ts'
import { endTarget, goesElsewhere } from './forward/targets.ts'
import { createTokens } from './forward/tokens.ts'
import { takeTrace } from './forward/trace.ts'
import { type Trial, tryCredential } from './forward/try-credential.ts'
import { answerRoomOf, overloaded, roomOf } from './holding.ts'
import { identified } from './identified.ts'
import { type CertificateField, createToldCertificates } from './identify/certificate-fields.ts'
import { createIssuers } from './identify/issuers.ts'
import { createKeyMemory, openKeyMemory } from './identify/key-memory.ts'
import { createKeySets, type LoadKeySet } from './identify/key-sets.ts'
import { forwardedOrigin, trustedNetworks } from './identify/origin.ts'
import { createInnerCalls } from './inner.ts'
import { makeAgain } from './make-again.ts'
import type { Caller, GatewayPort, Identified, InnerCall } from './port.ts'
import { createRecordWriter, declaredAgent } from './record.ts'
import { AnswerCache } from './replay/answer-cache.ts'
import { type IdempotencyKeys, IdempotencyMemory, KEYS_BOUNDS, localKeys } from './replay/idempotency.ts'
import type { Replays } from './replay/replay.ts'
import { answerFields } from './shape/answer-fields.ts'
import { callHeld, insteadOf, isHeld } from './shape/held.ts'
import { problemAnswer } from './shape/problem.ts'
import { isDocument, isPage, replyFields } from './shape/shared-origin.ts'
import { endWatch } from './shape/watch.ts'
import { admits, CALL, CANONICAL, checkOf, MCP, REST, ROUTE } from './stages.ts'
import { createVisible } from './visible.ts'

export interface GatewayOptions {
  /** Opens a pool: `engine.upstream`. */
  readonly upstream: (options: UpstreamOptions) => Upstream
  readonly counters: Counters
  readonly records: RecordSink
  /** What the metrics page counts; nothing is counted when absent. */
  readonly counts?: RequestCounts
  readonly clock: Clock
  readonly requestIds: () => string
  /** Networks whose forwarding headers are believed; the listener must then have the rules for them. None by default. */
  readonly trustedProxies?: readonly string[]
  /** In which they tell of the certificates of their callers. In none by default. */
  readonly certificateField?: CertificateField | null
  /** The gateway listener speaks TLS. */
  readonly secure?: boolean
  /** Host names at which pages to sign in, agree and administer are served beside the published APIs; null: none are. */
  readonly pageHosts?: ReadonlySet<string> | null
  /** Key sets of issuers; fetched by this very thread when absent. */
  readonly keySets?: LoadKeySet
  /** Tokens that may be used once, as all threads remember them; a small memory of its own when absent. */
  readonly usedTokens?: SharedArrayBuffer
  /** Proofs that any thread has verified; a small memory of its own when absent. */
  readonly proofs?: SharedArrayBuffer
  /** Opens sealed secrets of credentials. */
  readonly open: Opener
  /** Idempotency keys of all threads; of this one alone when absent. */
  readonly idempotency?: IdempotencyKeys
  /** What this thread keeps in memory for callers; bounded by {@link HELD_BYTES_MAX} when absent. */
  readonly memory?: HeldBytes
  /**
   * Gets requests whose path is reserved. It must lead to one `answer` or `forward`; `X-Request-ID` is the
   * exchange's. A record is written for those at `/mcp` alone.
   */
  readonly reserved: (incoming: Incoming<Exchange>, exchange: Exchange) => void
  /** Told of what is configured and cannot be used, when a call first meets it. */
  readonly fault?: (fault: string) => void
}

/** The data plane of one thread: the handler of its listener, and the port of its MCP door. */
export interface Gateway extends Handler<Exchange>, GatewayPort {
  /** Puts a delta in force for every request that starts from now on. Returns what fails closed in it. */
  apply(delta: SnapshotDelta): readonly string[]
  readonly snapshot: Snapshot
  /** Address of the caller and id of a request that goes through no stages. */
  trace(incoming: Incoming<Exchange>): { readonly ip: string; readonly requestId: string }
  /** Makes the calls that show whether a credential works. */
  tryCredential(trial: Trial): Promise<CredentialTest>
  /** Makes a recorded request again; null when it had no whole answer in time. Never rejects. */
  replay(asked: ReplayAsked): Promise<ReplayAnswer | null>
  /** When requests of this thread last used credentials, by id; milliseconds since the epoch. */
  credentialUses(): ReadonlyMap<string, number>
  /** How the servers of a published collection are, as this thread sees them; null when there are none. */
  healthOf(collection: string): UpstreamHealth | null
  /** Closes the pools. */
  close(): void
}

/** Places of each memory of keys in a gateway that shares none. */
const KEYS_ALONE = 4096

const NO_BODY = new Uint8Array(0)
/** Bytes of kept answers in one thread. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024
const ALL_METHODS_LINE = HTTP_METHODS.join(', ')

/** Nothing is served before the first delta was applied: requests are answered with `not_ready`. */
export function createGateway(options: GatewayOptions): Gateway {
  const { counters, clock, requestIds, open, reserved } = options
  const pools = createPools(options.upstream)
  const checks = createHealthChecks(clock, pools)
  const recorder = createRecordWriter(
    options.records,
    createContractFaults(options.fault ?? (() => {})),
    options.counts ?? null,
  )
  const visible = createVisible()
  const fetchJson = createFetchJson()
  const tokens = createTokens(clock, fetchJson)
  const keySets = options.keySets ?? createKeySets(clock, fetchJson)
  const usedTokens = openKeyMemory(options.usedTokens ?? createKeyMemory(KEYS_ALONE))
  const proofs = openKeyMemory(options.proofs ?? createKeyMemory(KEYS_ALONE))
  const issuers = createIssuers(clock, keySets, fetchJson, usedTokens, proofs)
  const replays: Replays = {
    cache: new AnswerCache(CACHE_BYTES_MAX),
    keys: options.idempotency ?? localKeys(new IdempotencyMemory({ ...KEYS_BOUNDS, now: () => clock.now() })),
  }
  const memory = options.memory ?? new HeldBytes(HELD_BYTES_MAX)
  const told = createToldCertificates(options.certificateField ?? null)
  let snapshot = EMPTY_SNAPSHOT
  let ready = false
  const trusted = trustedNetworks(options.trustedProxies ?? [])
  const secure = options.secure ?? false
  const pageHosts = options.pageHosts ?? null
  /** Hosts that collections have to themselves: no page is served there. */
  let siteHosts: ReadonlySet<string> = new Set()

  function toExchange(incoming: Incoming<Exchange>): Exchange {
    const origin = trusted === null ? null : forwardedOrigin(incoming, trusted, secure)
    const exchange = new Exchange(
      origin?.requestId ?? requestIds(),
      clock.now(),
      snapshot,
      counters,
      0,
      incoming.method,
      incoming.path,
      incoming.host,
      origin === null ? incoming.peer : origin.ip,
      incoming.bodyBytes,
    )
    exchange.secure = origin === null ? secure : origin.secure
    if (origin !== null) exchange.reason = origin.fault
    const { taken } = incoming
    exchange.authorization = taken[AUTHORIZATION]
    exchange.clientRef = taken[CLIENT_ID]
    exchange.profileRef = taken[PROFILE_ID]
    // A trusted proxy speaks for its callers: a certificate of its own is not theirs
    if (snapshot.bindings.size > 0)
      exchange.certificate = origin === null ? (incoming.certificate ?? null) : told(taken)
    exchange.upgrade = incoming.upgrade === true
    exchange.issuers = issuers
    const cookie = taken[COOKIE]
    exchange.pass =
      cookie !== undefined && mayHaveOwnCookies(cookie) ? withoutOwnCookies(incoming.pass) : incoming.pass
    const dest = taken[SEC_FETCH_DEST]
    if (dest !== undefined) exchange.isDocument = isDocument(dest)
    exchange.pageHosts = pageHosts
    if (incoming.withheld !== undefined) exchange.withheld = incoming.withheld
    const traceParent = taken[TRACE_PARENT]
    if (traceParent !== undefined) takeTrace(exchange, traceParent, taken[TRACE_STATE])
    const agentName = taken[AGENT_NAME]
    const conversationId = taken[CONVERSATION_ID]
    if (agentName !== undefined || conversationId !== undefined)
      exchange.agent = declaredAgent(agentName, conversationId)
    exchange.query = incoming.query
    exchange.source = incoming
    exchange.replays = replays
    exchange.tokens = tokens
    exchange.memory = memory
    incoming.state = exchange
    return exchange
  }

  function toInnerExchange(call: InnerCall, path: string, query: string): Exchange {
    const { caller, method, body } = call
    const bytes = body === null ? 0 : body.length
    const exchange = new Exchange(
      call.requestId,
      clock.now(),
      snapshot,
      counters,
      1,
      method,
      path,
      call.host,
      caller.ip,
      bytes,
    )
    const client = snapshot.clients.get(caller.client.id) ?? null
    exchange.client = client
    exchange.profile = client?.profiles.get(caller.profile.id) ?? null
    exchange.credentialId = caller.credentialId
    exchange.secure = caller.secure ?? false
    exchange.subject = caller.subject
    exchange.agentHost = caller.agentHost
    exchange.claims = caller.claims
    exchange.bearer = caller.bearer
    const { pass, withheld } = agentFields(call.fields)
    exchange.pass = pass
    exchange.withheld = withheld
    if (call.traceParent !== undefined) takeTrace(exchange, call.traceParent, call.traceState)
    exchange.query = query
    exchange.body = body ?? NO_BODY
    exchange.replays = replays
    exchange.tokens = tokens
    exchange.memory = memory
    return exchange
  }

  /** The end of the checks of a request over REST. */
  function judged(incoming: Incoming<Exchange>, exchange: Exchange, admitted: boolean): void {
    if (!admitted) {
      const { reply } = exchange
      if (reply === null) answerProblem(incoming, exchange)
      else incoming.answer(reply.status, replyFields(exchange, reply) + answerFields(exchange), reply.body)
      return
    }
    const max = exchange.collection!.fragment.body_bytes_max
    if (max < incoming.bodyBytesMax) incoming.bodyBytesMax = max
    send(incoming, exchange)
  }

  function send(incoming: Incoming<Exchange>, exchange: Exchange): void {
    const upstream = pools.of(exchange.target!, exchange.shownCertificate)
    const request = forwardRequest(exchange, exchange.pass, incoming.query)
    if (isHeld(exchange))
      callHeld(exchange, incoming, upstream, request, (code, inner) => refused(incoming, code, inner))
    else incoming.forward(upstream, request)
  }

  function refused(incoming: Incoming<Exchange>, code: RefusalCode, inner: string): void {
    let exchange = incoming.state
    if (exchange === null) {
      exchange = toExchange(incoming)
      if (isReserved(incoming.path)) setReserved(exchange)
    }
    exchange.reason = inner
    if (goesElsewhere(exchange, code, incoming.outcome.upstreamAt > 0, clock.now())) {
      send(incoming, exchange)
      return
    }
    const other = insteadOf(exchange, code)
    if (other !== null) {
      incoming.answer(other.status, other.fields, other.body)
      return
    }
    exchange.code = code
    exchange.stoppedAt = checkOf(code)
    if (code === 'method_not_allowed') exchange.allow = ALL_METHODS_LINE
    if (code === 'overloaded' && incoming.outcome.upstreamAt === 0) overloaded(exchange)
    answerProblem(incoming, exchange)
  }

  function answerProblem(incoming: Incoming<Exchange>, exchange: Exchange): void {
    const { status, fields, body } = problemAnswer(exchange)
    incoming.answer(status, fields, body)
  }

  return {
    request(incoming) {
      const exchange = toExchange(incoming)
      if (trusted !== null && exchange.reason !== '') {
        if (isReserved(incoming.path)) setReserved(exchange)
        exchange.code = 'request_not_canonical'
        exchange.stoppedAt = CANONICAL
        answerProblem(incoming, exchange)
        return
      }
      if (isReserved(incoming.path)) {
        setReserved(exchange)
        if (siteHosts.size > 0 && isPage(incoming.path) && siteHosts.has(hostName(incoming.host))) {
          exchange.code = 'not_available'
          answerProblem(incoming, exchange)
        } else reserved(incoming, exchange)
        return
      }
      if (!ready) {
        refuseNotReady(exchange)
        answerProblem(incoming, exchange)
        return
      }
      const admitted = admits(REST, exchange)
      if (typeof admitted === 'boolean') judged(incoming, exchange, admitted)
      else void admitted.then((yes) => judged(incoming, exchange, yes))
    },

    refused,

    finished(incoming) {
      const exchange = incoming.state
      if (exchange === null) return
      const { truncated, status, upstreamStatus } = incoming.outcome
      if (truncated && status !== 101) {
        exchange.code = 'upstream_invalid_response'
        exchange.reason = 'the answer broke off'
      }
      endLimits(exchange, status)
      endTarget(exchange, upstreamStatus, clock.now())
      endWatch(exchange, upstreamStatus)
      exchange.holding?.release()
      const { messages } = exchange
      if (messages !== null) recorder.messages(exchange, incoming.outcome, messages)
      else if (!exchange.reserved || exchange.surface === 1) recorder.request(exchange, incoming.outcome)
    },

    trace(incoming) {
      const { state } = incoming
      if (state !== null) return state
      const origin = trusted === null ? null : forwardedOrigin(incoming, trusted, secure)
      return { ip: origin?.ip ?? incoming.peer, requestId: origin?.requestId ?? requestIds() }
    },

    get ready() {
      return ready
    },

    get snapshot() {
      return snapshot
    },

    identify(incoming): Identified | Promise<Identified> {
      // The door gets its incomings from this very handler, so their state is an exchange.
      const its = incoming as Incoming<Exchange>
      const exchange = its.state ?? toExchange(its)
      exchange.reserved = true
      exchange.surface = 1
      // A message may come later than its head; what holds now counts.
      exchange.snapshot = snapshot
      if (!ready) {
        refuseNotReady(exchange)
        return identified(exchange, false)
      }
      const admitted = admits(MCP, exchange)
      return typeof admitted === 'boolean'
        ? identified(exchange, admitted)
        : admitted.then((yes) => identified(exchange, yes))
    },

    message(incoming, outcome) {
      const exchange = (incoming as Incoming<Exchange>).state
      if (exchange === null) return
      exchange.messages ??= []
      if (outcome !== null) exchange.messages.push(outcome)
    },

    // The door gets its incomings from this very handler, so their state is an exchange.
    room: (incoming, of) => (of === 'body' ? roomOf : answerRoomOf)((incoming as Incoming<Exchange>).state!),

    admitDiscovery(caller) {
      const profile = profileOf(caller)
      return profile === null ? 0 : admitDiscovery(counters, profile, clock.now())
    },

    endpoints(caller) {
      const profile = profileOf(caller)
      return profile === null ? [] : visible.endpoints(snapshot, profile)
    },

    contract(endpoint, method) {
      return visible.contract(snapshot, endpoint, method)
    },

    policies(caller, endpoint) {
      const profile = profileOf(caller)
      return profile === null ? [] : visible.policies(snapshot, profile, endpoint)
    },

    call: createInnerCalls({
      clock,
      pools,
      rows: CALL,
      record: recorder.request,
      toExchange: toInnerExchange,
    }),

    replay: (asked) =>
      makeAgain(asked, {
        clock,
        pools,
        secure,
        record: recorder.request,
        toExchange: toInnerExchange,
      }),

    apply(delta) {
      const { collections, credentials } = snapshot
      snapshot = applyDelta(snapshot, delta, open)
      ready = true
      if (snapshot.collections !== collections) options.counts?.rename(snapshot.collections)
      const isRotated = snapshot.credentials !== credentials
      if (snapshot.collections !== collections) siteHosts = siteHostsOf(snapshot, pageHosts)
      if (snapshot.collections !== collections || isRotated) {
        pools.keepFor(snapshot)
        checks.keepFor(snapshot)
      }
      if (isRotated) keepUses(credentials, snapshot.credentials)
      return snapshot.faults
    },

    tryCredential: (trial) => tryCredential(trial, { snapshot, open, pools, clock, fetchJson }),

    credentialUses() {
      const used = [...snapshot.credentials.values()].filter(({ usedAt }) => usedAt > 0)
      return new Map(used.map(({ id, usedAt }) => [id, usedAt]))
    },

    healthOf(id) {
      const upstream = snapshot.collections.get(id)?.upstream ?? null
      return upstream === null ? null : healthOf(upstream, clock.now())
    },

    close() {
      checks.close()
      pools.close()
    },
  }

  function profileOf(caller: Caller) {
    return snapshot.clients.get(caller.client.id)?.profiles.get(caller.profile.id) ?? null
  }
}

function siteHostsOf({ collections }: Snapshot, pageHosts: ReadonlySet<string> | null): ReadonlySet<string> {
  if (pageHosts === null) return new Set()
  const hosts = [...collections.values()].flatMap(({ fragment }) => fragment.hosts)
  return new Set(hosts.filter((host) => !pageHosts.has(host)))
}

/** A credential that was linked anew was used when it was used before. */
function keepUses(before: Snapshot['credentials'], after: Snapshot['credentials']): void {
  for (const [id, credential] of after)
    if (credential.usedAt === 0) credential.usedAt = before.get(id)?.usedAt ?? 0
}

/** The door at `/mcp` belongs to the data plane; the control plane keeps its own trail. */
function setReserved(exchange: Exchange): void {
  exchange.reserved = true
  if (isAtOrBelow(exchange.path, DOORS.consumerMcp.path)) exchange.surface = 1
}

function refuseNotReady(exchange: Exchange): void {
  exchange.code = 'not_ready'
  exchange.stoppedAt = ROUTE
  exchange.retryAfterMs = 1000
}
