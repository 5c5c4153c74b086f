/**
 * A gateway thread: two listeners, the stages, the /mcp door. Wiring only; what is decided is decided by the parts.
 */
import { parentPort } from 'node:worker_threads'
import { isLoopbackHost } from '../base/address.ts'
import { createAllowedOrigins } from '../base/allowed-origins.ts'
import { createClock } from '../base/clock.ts'
import { ALL_DOORS, type Part } from '../base/doors.ts'
import { createRequestIds } from '../base/ids.ts'
import { PROBLEMS, type RefusalCode, refuse, toProblem } from '../base/refusal.ts'
import { createClosedConnections } from '../fleet/gateway/closed-connections.ts'
import { CONTROL_CONNECTIONS_MAX, createControlDoor } from '../fleet/gateway/control-door.ts'
import { createCrossOrigin } from '../fleet/gateway/cross-origin.ts'
import { createIdempotencyClient } from '../fleet/gateway/idempotency-client.ts'
import { createKeySetClient } from '../fleet/gateway/key-set-client.ts'
import { createRouter, LISTENERS } from '../fleet/gateway/router.ts'
import { createVerifiedTokens } from '../fleet/gateway/verified-tokens.ts'
import { sendHeartbeats } from '../fleet/shared/heartbeats.ts'
import {
  type Answers,
  type FromGateway,
  type GatewayInit,
  HEALTH,
  type Question,
  type ToGateway,
} from '../fleet/shared/messages.ts'
import { createMetricsPage } from '../fleet/shared/metrics-page.ts'
import { readinessOf } from '../fleet/shared/readiness.ts'
import { createCounters } from '../gateway/admit/counters.ts'
import { SourceCounts } from '../gateway/admit/sources.ts'
import { CHECK_NAMES } from '../gateway/check-names.ts'
import type { Exchange } from '../gateway/exchange.ts'
import { cameByProxy, FIELD_RULES, fieldRules } from '../gateway/fields.ts'
import { createGateway } from '../gateway/gateway.ts'
import { fieldValue } from '../gateway/header-lines.ts'
import { trustedNetworks } from '../gateway/identify/origin.ts'
import { createConsumerDoor } from '../mcp/consumer/door.ts'
import { createRunningCalls } from '../mcp/consumer/running.ts'
import { connectSink } from '../record/connect.ts'
import { EXPOSITION_TYPES, expositionFormatOf } from '../record/exposition.ts'
import { RequestCounts } from '../record/request-counts.ts'
import { createRecordSink } from '../record/sink.ts'
import { keepThreadFigures } from '../record/thread-figures.ts'
import { createThreadEvents } from '../shared-state/memory/events.ts'
import { openKeyMemory } from '../shared-state/memory/key-memory.ts'
import { createTombstones } from '../shared-state/memory/tombstones.ts'
import { isIn, networkOf } from '../snapshot/find/network.ts'
import { fromSent, fromSentFragment } from '../snapshot/sent-delta.ts'
import { createOpener } from '../vault/opener.ts'
import { CallerMemory } from '../wire/caller-memory.ts'
import { createNativeEngine } from '../wire/native/engine.ts'
import type { Incoming } from '../wire/port.ts'
import { threadData } from './data.ts'

/** How long the control plane may take to answer. */
const CONTROL_ANSWER_MS = 120_000

if (parentPort === null) throw new Error('threads/gateway.ts runs as a worker thread only')
const main = parentPort
const init = await threadData<GatewayInit>()
const say = (message: FromGateway): void => main.postMessage(message)
const report = (error: unknown, requestId = ''): void => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  say({ kind: 'log', level: 'error', message: requestId === '' ? text : `${requestId}: ${text}` })
}

const clock = createClock(init.clockCell ?? undefined)
const requestIds = createRequestIds(clock)
const health = new Int32Array(init.health)
const sink = createRecordSink({
  now: () => clock.now(),
  sourceOf: networkOf,
  dropped: (requests) => Atomics.add(health, HEALTH.droppedByGateways, requests),
})
const counts = new RequestCounts(init.counts, init.slot, CHECK_NAMES)
const keys = createIdempotencyClient(say)
const sources = new SourceCounts(init.sources, init.slot)
const trusted = trustedNetworks(init.trustedProxies)
const memory = new CallerMemory(init.callerMemoryMax)
const closedConnections = createClosedConnections(clock, init.connectionsPerSourceMax, (message) =>
  say({ kind: 'log', level: 'warn', message }),
)
let opener = createOpener(init.credentialKey)

const createEngine =
  init.httpEngine === 'node' ? (await import('../wire/node/engine.ts')).createNodeEngine : createNativeEngine
const engine = createEngine<Exchange>({
  clock,
  rules: fieldRules(init.trustedProxies.length > 0),
  onFault: report,
  keep: (peer) => memory.open(networkOf(peer)),
  admits,
  handler: {
    // The control listener serves reserved paths alone; published APIs are found by the gateway.
    request: (incoming) =>
      incoming.listener === LISTENERS.control ? route(incoming) : gateway.request(incoming),
    refused: (incoming, code, inner) => gateway.refused(incoming, code, inner),
    finished: (incoming) => {
      door.finished(incoming)
      gateway.finished(incoming)
    },
  },
})
const keySets = createKeySetClient(say)
const counters = createCounters(init.counters, init.slot)
const gateway = createGateway({
  keySets: keySets.load,
  usedTokens: openKeyMemory(init.cells.usedTokens),
  proofs: openKeyMemory(init.cells.proofs),
  upstream: (options) => engine.upstream(options),
  counters,
  records: sink,
  counts,
  clock,
  requestIds,
  trustedProxies: init.trustedProxies,
  certificateField: init.certificateField,
  secure: init.tls !== null,
  pageHosts: pageHostsOf(init.expose, [init.origin, init.listen.host, init.controlListen.host]),
  idempotency: keys,
  memory,
  open: (sealed, owner, field) => opener(sealed, owner, field),
  reserved: (incoming) => route(incoming),
  fault: report,
})
const own = [init.origin, init.controlOrigin]
const allowsOrigin = createAllowedOrigins(own, init.corsOrigins, true)
const crossOrigin = createCrossOrigin<Exchange>({
  gateway: allowsOrigin,
  management: createAllowedOrigins(own, init.corsOrigins, false),
  refuse: answerProblem,
})
/** Null where the gateway listener serves no page. @param addresses origins and hosts of this process. */
function pageHostsOf(expose: readonly Part[], addresses: readonly string[]): ReadonlySet<string> | null {
  if (!ALL_DOORS.some(({ hasPages, part }) => hasPages && part !== null && expose.includes(part))) return null
  const names = addresses.map((address) => URL.parse(address)?.hostname ?? address.toLowerCase())
  return new Set([...names, 'localhost', '127.0.0.1', '[::1]'])
}
const events = createThreadEvents((event) => say({ kind: 'event', event }))
const consumer = createConsumerDoor<Exchange>({
  gateway,
  sealKey: init.sessionKey,
  tombstones: createTombstones(init.cells.tombstones, events),
  usedReplies: openKeyMemory(init.cells.usedReplies),
  running: createRunningCalls(events),
  origin: init.origin,
  allowsOrigin,
  corsLines: crossOrigin.linesOf,
  version: init.version,
  clock,
  requestId: (incoming) => incoming.state?.requestId ?? requestIds(),
  taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
  fault: report,
})
const control = engine.upstream({
  address: { socketPath: init.controlSocket },
  tls: null,
  // The system connects at once: what takes longer is a machine that stood still
  connectTimeoutMs: 10_000,
  firstByteTimeoutMs: CONTROL_ANSWER_MS,
  idleTimeoutMs: CONTROL_ANSWER_MS,
  connectionsMax: CONTROL_CONNECTIONS_MAX,
  waitingMax: CONTROL_CONNECTIONS_MAX,
})
const verifiedTokens = createVerifiedTokens(clock, say)
const door = createControlDoor<Exchange>({
  control,
  trace: (incoming) => gateway.trace(incoming),
  corsLines: crossOrigin.linesOf,
  verifiedTokens,
  sources,
  pendingMax: init.pendingPerSourceMax,
  memory,
  now: () => clock.now(),
  refuse: answerProblem,
  failed: (incoming, code, inner) => gateway.refused(incoming, code, inner),
  fault: report,
})
const router = createRouter<Exchange>({
  consumer_mcp: consumer,
  control: (incoming) => door.answer(incoming),
  health: answerHealth,
  metrics: (incoming) => (isLocal(incoming) ? answerMetrics(incoming) : door.answer(incoming)),
  refuse: answerProblem,
  expose: new Set(init.expose),
})

function route(incoming: Incoming<Exchange>): void {
  if (crossOrigin.answers(incoming)) return
  // For answers that the gateway makes of a fault of the wire
  if (incoming.state !== null) incoming.state.corsLines = crossOrigin.linesOf(incoming)
  router(incoming)
}

/** A trusted proxy stands for many callers: its connections are not bounded by its address. */
function admits(peer: string, listener: number): (() => void) | null {
  if (trusted !== null && isIn(trusted, peer)) return () => {}
  const counted = listener === LISTENERS.control ? 'control_connections' : 'gateway_connections'
  const leave = sources.enter(counted, peer, init.connectionsPerSourceMax, clock.now())
  if (leave === null) closedConnections.note(peer)
  return leave
}

function answerJson(
  incoming: Incoming<Exchange>,
  status: number,
  type: string,
  requestId: string,
  body: unknown,
  more = '',
): void {
  const fields = `Content-Type: ${type}\r\nX-Request-ID: ${requestId}\r\nCache-Control: no-store\r\n${more}`
  incoming.answer(status, fields, JSON.stringify(body))
}

/** @param more further header lines. */
function answerProblem(incoming: Incoming<Exchange>, code: RefusalCode, detail: string, more = ''): void {
  if (incoming.state !== null) incoming.state.code = code
  const requestId = incoming.state?.requestId ?? requestIds()
  const problem = toProblem(refuse(code, { detail }), requestId)
  const lines = more + crossOrigin.linesOf(incoming)
  answerJson(incoming, PROBLEMS[code].status, 'application/problem+json', requestId, problem, lines)
}

/** Alive, and ready to serve: from memory alone. */
function answerHealth(incoming: Incoming<Exchange>): void {
  const { path } = incoming
  if (incoming.method !== 'GET' && incoming.method !== 'HEAD') {
    answerProblem(incoming, 'method_not_allowed', `${path} answers GET.`, 'Allow: GET, HEAD\r\n')
    return
  }
  if (path === '/healthz') {
    answerJson(incoming, 200, 'application/health+json', requestIds(), { status: 'pass' })
    return
  }
  const { faults, revision } = gateway.snapshot
  const { ready, status, ...facts } = readinessOf(health, gateway.ready, faults.length)
  answerJson(incoming, ready ? 200 : 503, 'application/health+json', requestIds(), {
    status,
    revision,
    ...facts,
    // What fails closed and why; the control listener is the operator's.
    ...(incoming.listener === LISTENERS.control ? { faults } : { faults: faults.length }),
  })
}

/**
 * True for a caller on this machine that asks for it by a loopback name: a page that a browser there shows under a name of
 * its own is none, and neither is a proxy on this machine, which may speak for anyone.
 */
function isLocal(incoming: Incoming<Exchange>): boolean {
  if (cameByProxy(incoming)) return false
  return isLoopbackHost(gateway.trace(incoming).ip) && isLoopbackHost(incoming.host.replace(/:\d+$/, ''))
}

const metricsPage = createMetricsPage({
  memory: init.counts,
  health: init.health,
  slots: init.countSlots,
  checks: CHECK_NAMES,
  version: init.version,
  startedAt: init.startedAt,
})

/** From shared memory alone. */
function answerMetrics(incoming: Incoming<Exchange>): void {
  if (incoming.method !== 'GET' && incoming.method !== 'HEAD') {
    answerProblem(incoming, 'method_not_allowed', '/metrics answers GET.', 'Allow: GET, HEAD\r\n')
    return
  }
  const format = expositionFormatOf(fieldValue(incoming.pass, 'accept') ?? '')
  const page = metricsPage(format, readinessOf(health, gateway.ready, gateway.snapshot.faults.length))
  const fields = `Content-Type: ${EXPOSITION_TYPES[format]}\r\nX-Request-ID: ${requestIds()}\r\nCache-Control: no-store\r\n`
  incoming.answer(200, fields, page)
}

async function listen(): Promise<void> {
  const { reusePort } = init
  const announces = init.proxyProtocol && trusted !== null ? (peer: string) => isIn(trusted, peer) : null
  await engine.listen({ ...init.listen, reusePort, tls: init.tls, announces })
  await engine.listen({ ...init.controlListen, reusePort, tls: init.controlTls })
  sendHeartbeats({ health, cell: HEALTH.heartbeats + init.slot })
  say({ kind: 'listening' })
}

keepThreadFigures(counts, () => gateway.snapshot.revision)

let started = false
main.on('message', (message: ToGateway) => {
  switch (message.kind) {
    case 'snapshot_part':
      gateway.load({ put: message.put.map(fromSentFragment), drop: [] })
      return
    case 'snapshot': {
      const faults = gateway.apply(fromSent(message.delta))
      say({ kind: 'applied', faults })
      if (started) return
      started = true
      listen().catch((error: unknown) => {
        throw error
      })
      return
    }
    case 'recorder':
      connectSink(sink, message.port)
      return
    case 'key_set':
      keySets.answered(message.id, message.answer)
      return
    case 'proved':
      verifiedTokens.answered(message.id, message.principal)
      return
    case 'ask': {
      const { id, question } = message
      void answerTo(question).then((answer) => say({ kind: 'answered', id, answer }))
      return
    }
    case 'credential_key':
      opener = createOpener(message.credentialKey)
      return
    case 'tls':
      engine.setTls(message.tls, LISTENERS[message.listener])
      return
    case 'claimed':
      keys.claimed(message.id, message.claim)
      return
    case 'event':
      events.deliver(message.event)
      return
    case 'drain':
      void drain(message.deadlineMs)
      return
  }
})

async function answerTo(question: Question): Promise<Answers[Question['about']]> {
  switch (question.about) {
    case 'request':
      return gateway.explain(question.asked)
    case 'credential':
      return gateway.tryCredential(question.trial)
    case 'replay':
      return gateway.replay(question.asked)
    case 'uses':
      return gateway.credentialUses()
    case 'health':
      return gateway.healthOf(question.collection)
  }
}

async function drain(deadlineMs: number): Promise<void> {
  await engine.drain(deadlineMs)
  gateway.close()
  control.close()
  sink.end()
  engine.close()
  say({ kind: 'drained' })
}
