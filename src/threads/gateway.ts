/**
 * All TCP of both listeners: HTTP, the checks, `/mcp`, health checks and metrics, from its own state and without SQL. `WORKERS` of
 * them. Rules: `fleet/gateway`, `gateway`, `mcp`.
 */
import { parentPort, Worker } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import { createAllowedOrigins } from '../base/http/origins.ts'
import { createRequestIds } from '../base/ids.ts'
import { createEgress } from '../base/net/egress.ts'
import { entryUrl } from '../base/program.ts'
import { collectGarbage } from '../base/threads/process.ts'
import { createConnectionPlaces } from '../fleet/gateway/connection-places.ts'
import { createConsoleCallerClient, createConsoleMcp } from '../fleet/gateway/console.ts'
import { controlUpstream, createControlDoor } from '../fleet/gateway/control-door.ts'
import { createCrossOrigin } from '../fleet/gateway/cross-origin.ts'
import { createFailedOrigins } from '../fleet/gateway/failed-origins.ts'
import { createHealthDoors, createOwnAnswers } from '../fleet/gateway/health-doors.ts'
import {
  createConnectionClient,
  createIdempotencyClient,
  createKeySetClient,
  createOnceClient,
  createOriginSessionClient,
  createSharedWatch,
  createSignInClient,
} from '../fleet/gateway/main-thread.ts'
import { createOrders } from '../fleet/gateway/main-thread-orders.ts'
import { pageHostsOf } from '../fleet/gateway/page-hosts.ts'
import { gatherRefusedCallers } from '../fleet/gateway/refused-callers.ts'
import { createReservedPaths } from '../fleet/gateway/reserved-paths.ts'
import { createRouter, LISTENERS } from '../fleet/gateway/router.ts'
import { createVerifiedTokens } from '../fleet/gateway/verified-tokens.ts'
import { contactCheck } from '../fleet/shared/contact.ts'
import { type FromGateway, type GatewayInit, HEALTH, watcherOf } from '../fleet/shared/messages.ts'
import { createMetricsPage } from '../fleet/shared/metrics-page.ts'
import { sendHeartbeats } from '../fleet/shared/readiness.ts'
import { createCounters } from '../gateway/admit/counters.ts'
import { SourceCounts } from '../gateway/admit/source-counts.ts'
import { CHECK_NAMES } from '../gateway/check-names.ts'
import type { Exchange } from '../gateway/exchange.ts'
import { createGateway } from '../gateway/gateway.ts'
import { trustedNetworks } from '../gateway/identify/origin.ts'
import { FIELD_RULES, fieldRules } from '../gateway/request-headers.ts'
import { createConsumerDoor } from '../mcp/consumer/door.ts'
import { createRunningCalls } from '../mcp/http/message.ts'
import { createOriginAccess } from '../mcp/virtual/call/argument-headers.ts'
import { createToolCalls } from '../mcp/virtual/call/tool-calls.ts'
import { createVirtualDoor } from '../mcp/virtual/door.ts'
import { createParking } from '../mcp/virtual/input/parking.ts'
import { createOriginSessions } from '../mcp/virtual/sessions/sessions.ts'
import { createOriginProbe, createOriginWatch } from '../mcp/virtual/streams/watched-origins.ts'
import { connectRecordQueue, createRecordQueue } from '../record/record-queue.ts'
import { keepThreadFigures, RequestCounts, THREAD_CELLS } from '../record/request-counts.ts'
import { createCodePool } from '../sandbox/pool.ts'
import { createServiceClient } from '../services/client.ts'
import { createThreadHeldCalls } from '../shared-state/memory/held-calls.ts'
import { openKeptValues } from '../shared-state/memory/kept-values.ts'
import {
  createSharedOnce,
  createTombstones,
  openEndedIds,
  openKeyMemory,
} from '../shared-state/memory/key-memory.ts'
import { createThreadEvents } from '../shared-state/memory/shared-cells.ts'
import type { Once, OnceKind } from '../shared-state/ports/memory.ts'
import { isIn, networkOf } from '../snapshot/find/network.ts'
import { createOpener } from '../vault/vault.ts'
import { CallerMemory } from '../wire/caller-memory.ts'
import { createNativeEngine } from '../wire/native/engine.ts'
import type { Incoming } from '../wire/port.ts'
import { threadData } from './data.ts'

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
const recorded = createRecordQueue({
  now: () => clock.now(),
  sourceOf: networkOf,
  dropped: (requests) => Atomics.add(health, HEALTH.droppedByGateways, requests),
})
const refusedCallers = gatherRefusedCallers(recorded, say)
const counts = new RequestCounts(init.counts, init.slot, CHECK_NAMES)
const keys = createIdempotencyClient(say)
const once = createOnceClient(say)
const onceOf = (kind: OnceKind, cells: SharedArrayBuffer): Once =>
  init.sharesOnce ? createSharedOnce(openKeyMemory(cells), once.of(kind)) : openKeyMemory(cells)
const sources = new SourceCounts(init.sources, init.slot)
const trusted = trustedNetworks(init.trustedProxies)
const memory = new CallerMemory(init.callerMemoryMax)
let opener = createOpener(init.credentialKey)

const createEngine =
  init.httpEngine === 'node' ? (await import('../wire/node/engine.ts')).createNodeEngine : createNativeEngine
const egress = createEgress(init.egress)
const engine = createEngine<Exchange>({
  clock,
  egress,
  rules: fieldRules(init.trustedProxies.length > 0),
  onFault: report,
  keep: (peer) => memory.open(networkOf(peer)),
  admits: createConnectionPlaces({
    clock,
    sources,
    max: init.connectionsPerSourceMax,
    trusted,
    log: (message) => say({ kind: 'log', level: 'warn', message }),
  }),
  handler: {
    // The control listener serves reserved paths alone; published APIs are found by the gateway.
    request: (incoming) =>
      incoming.listener === LISTENERS.control ? route(incoming) : gateway.request(incoming),
    refused: (incoming, code, inner) => gateway.refused(incoming, code, inner),
    finished: (incoming) => {
      door.finished(incoming)
      consoleMcp.finished(incoming)
      gateway.finished(incoming)
    },
  },
})
const keySets = createKeySetClient(say)
const counters = createCounters(init.counters, init.slot)
const originFailed = createFailedOrigins(clock, say)
const ended = openEndedIds(init.cells.endedGrants, init.cells.endedEpoch)
const signIns = createSignInClient(init.issuer, ended, clock, say)
const connections = createConnectionClient(ended, clock, say)
const code = createCodePool({
  start: () => new Worker(entryUrl('code'), { name: 'code' }),
})
const services = createServiceClient({
  start: () =>
    new Worker(entryUrl('services'), {
      name: 'services',
      workerData: { egress: init.egress, clockCell: init.clockCell },
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    }),
})
const gateway = createGateway({
  code,
  services,
  ...(init.contact === null ? {} : { isInContact: contactCheck(init.contact, clock) }),
  callTool: (call, done) => callTool(call, done),
  keySets: keySets.load,
  usedTokens: onceOf('used_tokens', init.cells.usedTokens),
  proofs: openKeyMemory(init.cells.proofs),
  keptValues: openKeptValues(init.cells.keptValues, init.slot),
  signIns,
  connections,
  upstream: (options) => engine.upstream(options),
  egress,
  runner: init.runner,
  counters,
  records: refusedCallers.queue,
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
  importedKey: init.importedKey,
  reserved: (incoming) => route(incoming),
  originFailed,
  captured: (taken) => say({ kind: 'taken', taken }),
  fault: report,
})
const ownOrigins = [init.origin, init.controlOrigin]
const allowsOrigin = createAllowedOrigins(ownOrigins, init.corsOrigins, true)
const answers = createOwnAnswers({ requestIds, corsLines: (incoming) => crossOrigin.linesOf(incoming) })
const crossOrigin = createCrossOrigin<Exchange>({
  gateway: allowsOrigin,
  management: createAllowedOrigins(ownOrigins, init.corsOrigins, false),
  refuse: answers.problem,
})
const events = createThreadEvents((event) => say({ kind: 'event', event }))
events.subscribe('grant_ended', () => gateway.signInEnded())
const heldCalls = createThreadHeldCalls({
  slot: init.slot,
  send: (sent) => main.postMessage({ kind: 'attachment', ...sent } satisfies FromGateway, [sent.port]),
})
const mcpDoor = {
  gateway,
  sealKey: init.sessionKey,
  tombstones: createTombstones(init.cells.tombstones, events),
  usedReplies: onceOf('used_replies', init.cells.usedReplies),
  running: createRunningCalls(events),
  origin: init.origin,
  allowsOrigin,
  corsLines: crossOrigin.linesOf,
  version: init.version,
  clock,
  requestId: (incoming: Incoming<Exchange>) => incoming.state?.requestId ?? requestIds(),
  taken: [...FIELD_RULES.take, ...FIELD_RULES.peek],
  fault: report,
}
const consumer = createConsumerDoor<Exchange>(mcpDoor)
const consoleCallers = createConsoleCallerClient(say)
const sharedWatch = createSharedWatch(say)
const own = { name: 'postern', version: init.version }
const sessionPool = createOriginSessionClient(say)
const sessions = createOriginSessions({
  pool: sessionPool,
  gateway,
  own,
  clock,
  isPersonal: gateway.isPersonal,
})
const parking = createParking({
  ...mcpDoor,
  heldCalls,
  counted: (calls) => counts.set(THREAD_CELLS.parkedCalls, calls),
})
const access = createOriginAccess({
  gateway,
  events,
  own,
  clock,
  isPersonal: gateway.isPersonal,
  stale: (origin) => say({ kind: 'origin_news', origin, news: 'changed' }),
})
const callTool = createToolCalls({ ...access, sessions, clock, fault: report })
const virtual = createVirtualDoor<Exchange>({
  ...mcpDoor,
  access,
  parking,
  sessions,
  events,
  heldCalls,
  requestIds,
  isPersonal: gateway.isPersonal,
  sharedWatch,
})
const consoleMcp = createConsoleMcp<Exchange>({
  callers: consoleCallers,
  virtual,
  consoleOrigins: init.expose.includes('console') ? [init.origin, init.controlOrigin] : [init.controlOrigin],
  host: new URL(init.origin).host,
  trace: (incoming) => gateway.trace(incoming),
  refuse: answers.problem,
  fault: report,
})
const watch = createOriginWatch({
  gateway,
  own,
  requestIds,
  clock,
  news: (origin, news) => say({ kind: 'origin_news', origin, news }),
  failed: originFailed,
  updated: (origin, uris) => say({ kind: 'resources_updated', origin, uris }),
})
const control = engine.upstream(controlUpstream(init.controlSocket))
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
  refuse: answers.problem,
  failed: (incoming, code, inner) => gateway.refused(incoming, code, inner),
  fault: report,
})
const { health: answerHealth, metrics } = createHealthDoors({
  answers,
  requestIds,
  health,
  gateway,
  metricsPage: createMetricsPage({
    memory: init.counts,
    health: init.health,
    slots: init.countSlots,
    checks: CHECK_NAMES,
    version: init.version,
    startedAt: init.startedAt,
  }),
  toControl: (incoming) => door.answer(incoming),
})
const route = createReservedPaths(
  crossOrigin,
  createRouter<Exchange>({
    consumer_mcp: consumer,
    virtual_mcp: virtual,
    console_mcp: consoleMcp.answer,
    control: (incoming) => door.answer(incoming),
    health: answerHealth,
    metrics,
    toConsole: (incoming) => {
      const fields = `Location: /console/\r\nX-Request-ID: ${requestIds()}\r\nCache-Control: no-store\r\n`
      incoming.answer(303, fields, '')
    },
    refuse: answers.problem,
    expose: new Set(init.expose),
  }),
)

async function listen(): Promise<void> {
  // Before any request waits for it
  await collectGarbage()
  const { reusePort } = init
  const announces = init.proxyProtocol && trusted !== null ? (peer: string) => isIn(trusted, peer) : null
  await engine.listen({ ...init.listen, reusePort, tls: init.tls, announces })
  await engine.listen({ ...init.controlListen, reusePort, tls: init.controlTls })
  sendHeartbeats({ health, cell: HEALTH.heartbeats + init.slot })
}

async function drain(deadlineMs: number): Promise<void> {
  watch.close()
  await Promise.all([engine.drain(deadlineMs), parking.close()])
  await sessions.close()
  gateway.close()
  code.close()
  services.close()
  control.close()
  recorded.end()
  refusedCallers.tell()
  engine.close()
}

keepThreadFigures(counts, () => gateway.snapshot.revision)
main.on(
  'message',
  createOrders({
    gateway,
    probe: createOriginProbe({ gateway, runner: init.runner, clock, own }),
    say,
    listen,
    recordTo: (port) => connectRecordQueue(recorded, port),
    keySets,
    verifiedTokens,
    signIns,
    connections,
    consoleCallers,
    keys,
    once,
    originSessions: sessionPool,
    deliver: events.deliver,
    watch: {
      share: (slots) => watch.take((origin) => watcherOf(slots, origin) === init.slot),
      want: watch.want,
      down: watch.down,
    },
    sharedWatch,
    heldCalls,
    setCredentialKey: (credentialKey) => {
      opener = createOpener(credentialKey)
    },
    setTls: (tls, listener) => engine.setTls(tls, listener),
    drain,
  }),
)
