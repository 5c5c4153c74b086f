import type { Clock } from '../base/clock.ts'
import type { RunnerPlace } from '../base/net/address.ts'
import type { Egress } from '../base/net/egress.ts'
import { createFetchJson } from '../base/net/fetch-json.ts'
import type { CredentialTest } from '../model/api/credential.ts'
import type { GuardrailTried } from '../model/api/guardrail.ts'
import type { UpstreamHealth } from '../model/api/upstream.ts'
import type { Explanation, Hypothetical } from '../model/explanation.ts'
import type { ReplayAnswer, ReplayAsked } from '../model/replay.ts'
import type { ArmedCapture, Taken } from '../model/workflow/capture.ts'
import type { TrialAnswer } from '../model/workflow/trial.ts'
import type { RecordQueue } from '../record/fields.ts'
import type { RequestCounts } from '../record/request-counts.ts'
import type { CodeRunner } from '../sandbox/port.ts'
import type { ServiceRunner } from '../services/port.ts'
import type { KeptValues, Once } from '../shared-state/ports/memory.ts'
import { withSelection } from '../snapshot/find/capability-selection.ts'
import { hostName } from '../snapshot/find/paths.ts'
import { clientOf, isSharedWith } from '../snapshot/find/people.ts'
import { EMPTY_SNAPSHOT, type NextSnapshot, nextSnapshot, withOriginsDown } from '../snapshot/link/link.ts'
import type { LinkedOrigin, LinkedVirtualMcp } from '../snapshot/linked-types/mcp.ts'
import type { SnapshotDelta } from '../snapshot/packed-fragments.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Opener } from '../vault/vault.ts'
import { CALLER_MEMORY_MAX, CallerMemory } from '../wire/caller-memory.ts'
import type { Handler, Incoming, Upstream, UpstreamOptions } from '../wire/port.ts'
import { admitDiscovery } from './admit/discovery.ts'
import type { Counters } from './admit/port.ts'
import { AnswerLooks } from './answer/answer-looks.ts'
import { isPage } from './answer/shared-origin.ts'
import { AnswerCache } from './cache/cache-entries.ts'
import { createCaptures } from './captures/waiting-captures.ts'
import { contractFaults, createContractFaults } from './contract/request.ts'
import { createInnerCalls } from './ends/in-process.ts'
import { createSockets, NOT_READY_RETRY_MS } from './ends/socket.ts'
import { createToolSteps } from './ends/tool-steps.ts'
import { type Exchange, holderOf, identified, type Lane } from './exchange.ts'
import { answerBudgetOf, budgetOf, holderFor, reserveFor } from './exchange-memory.ts'
import { explain } from './explain/explain.ts'
import { createAskOrigin } from './forward/ask-origin.ts'
import { connectionOf } from './forward/connected.ts'
import type { Connections } from './forward/connections.ts'
import { createHealthChecks } from './forward/health-checks.ts'
import { createPools } from './forward/pools.ts'
import { healthOf } from './forward/targets.ts'
import { createTokens } from './forward/tokens.ts'
import { type Trial, tryCredential } from './forward/try-credential.ts'
import { type GuardrailTrial, tryGuardrail } from './guardrails/try-guardrail.ts'
import { createWebhooks } from './guardrails/webhooks.ts'
import { type IdempotencyKeys, IdempotencyMemory, KEYS_BOUNDS, localKeys } from './idempotency/keys.ts'
import { endOf } from './identify/active.ts'
import { lasts } from './identify/certificate.ts'
import type { CertificateField } from './identify/certificate-fields.ts'
import { createIssuers, type Proofs } from './identify/issuers.ts'
import { createKeySets, type LoadKeySet } from './identify/key-sets.ts'
import { standingOfSignIn } from './identify/sign-in.ts'
import type { SignIns } from './identify/sign-in-port.ts'
import type { Caller, GatewayPort, Identified } from './port.ts'
import { createRecordWriter, mcpSurfaceOf } from './record.ts'
import { replayRequest } from './replay.ts'
import { admits, CALL, MCP, ORIGIN_CHECKS } from './stages.ts'
import { tryWorkflow, type WorkflowTrial } from './try-workflow.ts'
import { createVisible, policySubject } from './visible.ts'
import type { CallTool } from './workflow/tool-port.ts'

export interface GatewayOptions {
  /** Opens a pool: `engine.upstream`. */
  readonly upstream: (options: UpstreamOptions) => Upstream
  /** Where stdio servers are run; nowhere when absent. */
  readonly runner?: RunnerPlace | null
  /** Runs the code of workflows; none can be run when absent. */
  readonly code?: CodeRunner
  /** Asks databases and mail servers; none can be asked when absent. */
  readonly services?: ServiceRunner
  /** Calls tools of origins for workflows; none can be called when absent. */
  readonly callTool?: CallTool
  /** What may be asked for keys and tokens. */
  readonly egress: Egress
  readonly counters: Counters
  readonly records: RecordQueue
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
  /** Tokens that may be used once. */
  readonly usedTokens: Once
  /** Sign-ins of people at MCP endpoints; absent: there are none. */
  readonly signIns?: SignIns
  /** Accounts of people at origins; absent: there are none. */
  readonly connections?: Connections
  readonly proofs: Proofs
  /** Values that workflows keep. */
  readonly keptValues: KeptValues
  /** Opens sealed secrets of credentials. */
  readonly open: Opener
  /** Knows tokens that other gateways have issued; none is known when absent. */
  readonly importedKey?: Uint8Array
  /** Idempotency keys of all threads; of this one alone when absent. */
  readonly idempotency?: IdempotencyKeys
  /** False while this process may not know what was revoked: nothing is served. Always true when absent. */
  readonly isInContact?: () => boolean
  /** What this thread keeps in memory for callers; bounded by {@link CALLER_MEMORY_MAX} when absent. */
  readonly memory?: CallerMemory
  /**
   * Gets requests whose path is reserved. It must lead to one `answer` or `forward`; `X-Request-ID` is the
   * exchange's. A record is written for those at `/mcp` alone.
   */
  readonly reserved: (incoming: Incoming<Exchange>, exchange: Exchange) => void
  /** Told of each request to an origin that could not reach it, by id of the origin. */
  readonly originFailed?: (origin: string) => void
  /** Told of each request that a capture has taken, and of the values of its run. */
  readonly captured?: (taken: Taken) => void
  /** Told of what the program itself did wrong; also of what is configured and cannot be used, when a call first meets it. */
  readonly fault?: (fault: unknown) => void
}

/** The data plane of one thread: the handler of its listener, and the port of its MCP door. */
export interface Gateway extends Handler<Exchange>, GatewayPort {
  /** Links a part of a delta, which the next `apply` completes and puts in force. @param full that of the whole delta */
  load(part: Pick<SnapshotDelta, 'put' | 'drop'>, full: boolean): void
  /** Puts a delta in force for every request that starts from now on. Returns what fails closed in it. */
  apply(delta: SnapshotDelta): readonly string[]
  /** A grant of a person was revoked, or an account at an origin has ended: whoever waits for changes looks again. */
  signInEnded(): void
  /** Says which origins cannot be reached from now on: their items are in no list. */
  setOriginsDown(ids: ReadonlySet<string>): void
  readonly snapshot: Snapshot
  /** Address of the caller and id of a request that goes through no checks. */
  trace(incoming: Incoming<Exchange>): { readonly ip: string; readonly requestId: string }
  /** Shows what a guardrail does to a sample. Its webhook is asked. */
  tryGuardrail(trial: GuardrailTrial): Promise<GuardrailTried>
  /** Makes the calls that show whether a credential works. */
  tryCredential(trial: Trial): Promise<CredentialTest>
  /**
   * True for an origin that has sessions per user: each person has an account there, its credential is made of the token of the caller, or
   * the runner has a process per user.
   */
  isPersonal(origin: LinkedOrigin): boolean
  /** Judges a request that was not made. */
  explain(asked: Hypothetical): Explanation
  /** Makes a recorded request again; null when it had no whole answer in time. Never rejects. */
  replay(asked: ReplayAsked): Promise<ReplayAnswer | null>
  /** Runs a workflow once. Null where a live one had no whole answer in time. */
  tryWorkflow(asked: WorkflowTrial): Promise<TrialAnswer | null>
  /** From now on these captures wait for requests, in the place of those before. */
  arm(captures: readonly ArmedCapture[]): void
  /** When requests of this thread last used credentials, by id; milliseconds since the epoch. */
  credentialUses(): ReadonlyMap<string, number>
  /** How the servers of a published collection are, as this thread sees them; null when there are none. */
  healthOf(collection: string): UpstreamHealth | null
  /** Closes the pools. */
  close(): void
}

/** Bytes of kept answers in one thread. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024

/** Nothing is served before the first delta was applied: requests are answered with `not_ready`. */
export function createGateway(options: GatewayOptions): Gateway {
  const { counters, clock, open } = options
  const fetchJson = createFetchJson(options.egress)
  const keySets = options.keySets ?? createKeySets(clock, fetchJson)
  const runner = options.runner ?? null
  const pools = createPools(options.upstream, runner)
  const pageHosts = options.pageHosts ?? null
  const fault = options.fault ?? (() => {})
  const originFailed = options.originFailed ?? (() => {})
  const lane: Lane = {
    clock,
    counters,
    issuers: createIssuers(clock, keySets, fetchJson, options.usedTokens, options.proofs),
    signIns: options.signIns ?? null,
    connections: options.connections ?? null,
    keptAnswers: {
      cache: new AnswerCache(CACHE_BYTES_MAX),
      keys:
        options.idempotency ?? localKeys(new IdempotencyMemory({ ...KEYS_BOUNDS, now: () => clock.now() })),
    },
    keptValues: options.keptValues,
    tokens: createTokens(clock, fetchJson),
    memory: options.memory ?? new CallerMemory(CALLER_MEMORY_MAX),
    runner,
    captures: createCaptures(options.captured ?? (() => {})),
    pools,
    code: options.code ?? null,
    services: options.services ?? null,
    looks: new AnswerLooks(clock),
    webhooks: createWebhooks(pools, clock),
    callTool:
      options.callTool === undefined
        ? null
        : createToolSteps({ call: options.callTool, checks: ORIGIN_CHECKS, originFailed }),
    importedKey: options.importedKey ?? null,
    records: createRecordWriter(options.records, createContractFaults(fault), options.counts ?? null),
    fault,
    pageHosts,
  }
  const checks = createHealthChecks(clock, pools)
  const visible = createVisible()
  const secure = options.secure ?? false
  let snapshot = EMPTY_SNAPSHOT
  /** A full delta of which parts have arrived. */
  let loading: NextSnapshot | null = null
  let ready = false
  const { isInContact } = options
  const isServing = isInContact === undefined ? () => ready : () => ready && isInContact()
  const applied = new Set<() => void>()
  /** Hosts that collections have to themselves: no page is served there. */
  let siteHosts: ReadonlySet<string> = new Set()
  const inForce = (): Snapshot => snapshot
  const asking = createAskOrigin({
    lane,
    snapshot: inForce,
    checks: ORIGIN_CHECKS.own,
    requestIds: options.requestIds,
    originFailed,
  })
  const sockets = createSockets({
    lane,
    requestIds: options.requestIds,
    snapshot: inForce,
    isReady: isServing,
    trustedProxies: options.trustedProxies ?? [],
    certificateField: options.certificateField ?? null,
    secure,
    reserved: options.reserved,
    isWithheld: (path, host) => siteHosts.size > 0 && isPage(path) && siteHosts.has(hostName(host)),
  })

  return {
    request: sockets.request,
    refused: sockets.refused,
    finished: sockets.finished,
    trace: sockets.trace,

    get ready() {
      return isServing()
    },

    get snapshot() {
      return snapshot
    },

    identify(incoming): Identified | Promise<Identified> {
      // The door gets its incomings from this very handler, so their state is an exchange.
      const exchange = sockets.exchangeOf(incoming as Incoming<Exchange>)
      exchange.reserved = true
      exchange.surface = mcpSurfaceOf(exchange.path)
      // A message may come later than its head; what holds now counts.
      exchange.snapshot = snapshot
      if (!isServing()) {
        exchange.code = 'not_ready'
        exchange.check = 'route'
        exchange.retryAfterMs = NOT_READY_RETRY_MS
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
    budget: (incoming, of) =>
      (of === 'body' ? budgetOf : answerBudgetOf)((incoming as Incoming<Exchange>).state!),

    admitDiscovery(caller) {
      const profile = profileOf(caller)
      return profile === null ? 0 : admitDiscovery(counters, profile, clock.now())
    },

    endpoints(caller) {
      const profile = profileOf(caller)
      return profile === null ? [] : visible.endpoints(snapshot, profile, caller.signIn)
    },

    contract(endpoint, method) {
      return visible.contract(snapshot, endpoint, method)
    },

    contractFaults(endpoint, method, call) {
      return contractFaults(snapshot, endpoint, method, call)
    },

    policies(caller, endpoint) {
      const profile = profileOf(caller)
      return profile === null ? [] : visible.policies(snapshot, profile, endpoint)
    },

    call: createInnerCalls({
      lane,
      checks: CALL,
      originChecks: ORIGIN_CHECKS,
      originFailed,
      snapshot: inForce,
    }),

    giveUpWith(incoming, handle) {
      const exchange = (incoming as Incoming<Exchange>).state
      if (exchange === null || exchange.isOver) handle.abort()
      else exchange.gathering = handle
    },

    reserve: (caller) => reserveFor(lane, caller, snapshot),

    holderOf: (caller) => holderOf(caller, snapshot),

    onApplied(listener) {
      const own = (): void => listener()
      applied.add(own)
      return () => applied.delete(own)
    },

    standingOf(caller) {
      const profile = profileOf(caller)
      if (profile?.fragment.active !== true || !profile.client.fragment.active) return null
      const { client, binding } = profile
      const now = clock.now()
      const { valid_until } = client.fragment
      if (valid_until !== null && now >= valid_until) return null
      const token = client.tokens.find(({ fragment }) => fragment.id === caller.credentialId)
      if (token !== undefined && endOf(token, now) !== null) return null
      if (caller.proof != null && !lasts(caller.proof, now)) return null
      if (caller.signIn !== null) {
        const place = { snapshot, lane, now }
        const { person, host, fault } = standingOfSignIn(place, profile, caller, caller.signIn)
        return fault === null ? [client, host!, ...(person === undefined ? [] : [person])] : null
      }
      if (binding === null || binding.user === null) return [client]
      const bound = snapshot.people.get(binding.user)
      return bound?.active === true ? [client, bound] : null
    },

    signInEnded() {
      lane.connections?.look()
      for (const listener of [...applied]) listener()
    },

    policySubject: (caller) => policySubject(caller, snapshot),

    virtualMcp(caller, slug) {
      const virtualMcp = snapshot.virtualMcps.get(slug)
      if (virtualMcp === undefined || !mayOpen(caller, virtualMcp)) return null
      const joined = snapshot.joined.of(snapshot, virtualMcp)
      const only = profileOf(caller)?.binding?.only
      return only === undefined ? joined : withSelection(joined, only)
    },

    origin: (id) => snapshot.origins.get(id) ?? null,

    connectionOf: (caller, { id, fragment }) => connectionOf(lane, snapshot, caller, id, fragment),

    askWebhook: (caller) => (rule, leg, texts) =>
      lane.webhooks.ask(snapshot, holderFor(caller, snapshot), rule, leg, texts),

    askOrigin: asking.askOrigin,

    readOrigin: asking.readOrigin,

    isPersonal({ fragment: { credential, connection, verdict } }) {
      if (connection === 'user' || verdict?.per_user === true) return true
      return credential !== null && snapshot.credentials.get(credential)?.grant?.exchanges === true
    },

    explain: (asked) => explain(lane, snapshot, clock.now(), asked),

    tryWorkflow: (asked) => tryWorkflow(asked, { lane, snapshot: inForce, secure }),

    arm: (captures) => lane.captures.arm(captures),

    replay: (asked) => replayRequest(asked, { lane, snapshot: inForce, secure }),

    load(part, full) {
      loading ??= nextSnapshot(snapshot, full, open)
      loading.take(part)
    },

    apply(delta) {
      const { collections, origins, workflows, guardrails, credentials } = snapshot
      const next = loading ?? nextSnapshot(snapshot, delta.full, open)
      loading = null
      next.take(delta)
      snapshot = next.finish(delta.revision)
      ready = true
      const isRotated = snapshot.credentials !== credentials
      if (snapshot.collections !== collections) siteHosts = siteHostsOf(snapshot, pageHosts)
      const areServersStale =
        snapshot.collections !== collections ||
        snapshot.origins !== origins ||
        snapshot.workflows !== workflows ||
        snapshot.guardrails !== guardrails
      if (areServersStale || isRotated) {
        pools.keepFor(snapshot)
        checks.keepFor(snapshot)
      }
      if (isRotated) keepUses(credentials, snapshot.credentials)
      for (const listener of [...applied]) listener()
      return snapshot.faults
    },

    setOriginsDown(ids) {
      snapshot = withOriginsDown(snapshot, ids)
      for (const listener of [...applied]) listener()
    },

    tryGuardrail: (trial) => tryGuardrail(trial, { webhooks: lane.webhooks, snapshot }),

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
    return clientOf(snapshot, caller.client.id)?.profiles.get(caller.profile.id) ?? null
  }

  /** A client opens what it is assigned, and a person who has signed in at a host what is shared with them. */
  function mayOpen(caller: Caller, { id, fragment }: LinkedVirtualMcp): boolean {
    const host = snapshot.hosts.get(caller.client.id)
    if (host === undefined) return snapshot.clients.get(caller.client.id)?.virtualMcps.has(id) === true
    const binding = profileOf(caller)?.binding ?? null
    if (binding !== null && binding.virtual_mcp !== id) return false
    // An agent that acts for itself may what its binding says
    if (caller.subject === '') return binding !== null
    if (caller.signIn !== null && host.off.has(`${id} ${caller.subject}`)) return false
    if (binding === null && host.off.has(id)) return false
    const person = snapshot.people.get(caller.subject)
    return person?.active === true && isSharedWith(person, fragment, snapshot.teams)
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
