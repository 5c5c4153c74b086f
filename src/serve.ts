/**
 * Control plane: operations and interfaces. It owns the configuration store and the master key, compiles and publishes snapshots, and
 * replaces threads that end. One for the process. Rules: `control`, `operations`, `fleet/main`.
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type ClockCell, createClock, repeat } from './base/clock.ts'
import { createAllowedOrigins, createProtectedResources } from './base/http/origins.ts'
import { openSocketDirectory } from './base/net/address.ts'
import { createEgress, type EgressSettings } from './base/net/egress.ts'
import { createFetchJson, createPublicGetJson } from './base/net/fetch-json.ts'
import { demandAuthorities } from './base/net/valkey-url.ts'
import { PROGRAM } from './base/program.ts'
import { faultText } from './base/refusal.ts'
import { collectGarbage } from './base/threads/process.ts'
import { createClaimedWork } from './control/claimed-work.ts'
import { readClientPins } from './control/client-pins.ts'
import { createCredentialProbe } from './control/credential-probe.ts'
import { demandRoles, toIdentityProviders } from './control/identity-provider.ts'
import type { IssuedToken, SetUpLink, TokenRequest } from './control/local-socket.ts'
import { createSinkDelivery } from './control/sink-delivery.ts'
import { claimAddresses, originsOf } from './fleet/main/addresses.ts'
import { openCertificates } from './fleet/main/certificates.ts'
import { type Gateways, startGateways } from './fleet/main/gateways.ts'
import { keepHealth } from './fleet/main/store-health.ts'
import { HEALTH } from './fleet/shared/messages.ts'
import { createMetricsPage } from './fleet/shared/metrics-page.ts'
import { readinessOf } from './fleet/shared/readiness.ts'
import { CHECK_NAMES } from './gateway/check-names.ts'
import { KEYS_BOUNDS } from './gateway/idempotency/keys.ts'
import { createIssuerKeys } from './gateway/identify/issuers.ts'
import { createKeySets } from './gateway/identify/key-sets.ts'
import { createCaptureMemory } from './operations/captures/memory.ts'
import { createFragmentPublisher, fullSnapshot } from './operations/engine/fragments.ts'
import { openExportFiles } from './record/export-files.ts'
import { createCountMemory, keepThreadFigures, RequestCounts } from './record/request-counts.ts'
import { type Grace, listenForControl, openControl } from './serve/control.ts'
import { openControlState } from './serve/control-state.ts'
import { gatewaysOptions } from './serve/gateway-threads.ts'
import { aloneNodes, openNodeEvents } from './serve/nodes.ts'
import type { Start } from './serve/start.ts'
import { openStores, ROWS } from './serve/stores.ts'
import { readProviders } from './settings/providers-file.ts'
import { readRunnerPlace } from './settings/runner-place.ts'
import type { Settings } from './settings.ts'
import { createOriginSessionMemory } from './shared-state/memory/origin-sessions.ts'
import { createSharedCells, createThreadEvents } from './shared-state/memory/shared-cells.ts'
import type { Event } from './shared-state/ports/events.ts'
import type { SinksSetup } from './sinks/port.ts'
import { createReferences } from './snapshot/compile/references.ts'
import { StoreUnavailable, toLastingFault } from './store/ports/unavailable.ts'
import { createWorkers, type Workers } from './threads/worker.ts'
import { keepFileChecks, logOpenFiles } from './upkeep/start/file-check.ts'
import { createSecretSources } from './vault/sources.ts'
import { VERSION } from './version.ts'

export interface ServeOptions {
  readonly log: Start['log']
  /** Moves the clock of all threads; for tests. */
  readonly clockCell?: ClockCell
  /** Threads that were started ahead are among them. */
  readonly workers?: Workers
}

/** A running instance. */
export interface Running {
  /** Where published APIs and both MCP endpoints are. */
  readonly gatewayUrl: string
  /** Where management REST and the health checks are. */
  readonly controlUrl: string
  readonly origin: string
  /** Resolves with the reason when this process must stop, because it is a node that may not be among the others. */
  readonly excluded: Promise<string>
  /** Issues an access token, as `postern token` does. */
  issueToken(request: TokenRequest): Promise<IssuedToken>
  /** Makes the link by which a new installation gets its administrator; null when it needs none. */
  firstLink(): Promise<SetUpLink | null>
  /** Reads the certificates again; those in force stay when the new ones cannot be used, and the log says why. */
  reload(): void
  /** Ends a gateway thread as a fault would; resolves when its replacement listens. */
  killThread(slot: number): Promise<void>
  /** Stops accepting, lets requests end for at most `deadlineMs`, stores what is left, gives the directory back. */
  stop(deadlineMs?: number): Promise<void>
}

/** Files of the console, as its build leaves them. */
const CONSOLE_FILES = join(PROGRAM, 'ui/dist')
const DRAIN_MS = 30_000
/** For answers that the control plane still writes when the gateway threads have ended. */
const ANSWERS_MS = 1000
const HOUSEKEEPING_MS = 1000
/** Interval for sending a change that could not be read when it was committed. */
const CATCH_UP_MS = 1000
/** Rate-limited, because it compiles the whole configuration, and a full disk would trigger it on every write. */
const MEND_MS = 30_000
const KEEP_USES_MS = 60_000
/** Expired rows are already refused; deleting them only keeps the store small. */
const SWEEP_MS = 10 * 60_000
/** The longest wait of an origin that was never read. */
const ORIGINS_MS = 15_000
/** Interval for checking whether an origin must be probed. */
const WATCH_MS = 250
/** Interval for ending unused sessions at origins. */
const ORIGIN_SESSIONS_MS = 30_000
const CAPTURES_MS = 10_000
/** Interval for following changes of sinks, and for storing what was sent. */
const SINKS_MS = 1000
/** Newer audit entries are not signed yet. */
const CHECKPOINT_MS = 60_000
/** More often than instances are started anew. */
const RETENTION_MS = 10 * 60_000
/** Delay after start; readiness is announced first. */
const COLLECT_MS = 1000
/** Names the work in the log when it fails. */
const USES = 'last use of credentials'
const CHANGES = 'changes of the configuration'

/**
 * Starts the whole instance. Nothing listens before everything that it needs has opened. If a later part fails, the parts
 * that have opened are closed again. Throws CannotStart with one sentence that says what the operator can do.
 */
export async function startServer(settings: Settings, options: ServeOptions): Promise<Running> {
  const parts = new AsyncDisposableStack()
  try {
    return await start(settings, options, parts)
  } catch (error) {
    // Why it could not start is what the operator must read, whatever goes wrong in giving things back.
    await parts.disposeAsync().catch((cause: unknown) => options.log('error', `while giving up: ${cause}`))
    throw error
  }
}

/** The phases of a start, in their order. */
async function start(
  settings: Settings,
  options: ServeOptions,
  parts: AsyncDisposableStack,
): Promise<Running> {
  const { log } = options
  const fault = (error: unknown, at: string): void => {
    // The log says once that a store cannot be used, and not for all that needs it
    if (toLastingFault(error) !== null) return
    // A use alone has failed: where in the program says nothing
    if (error instanceof StoreUnavailable) log('warn', `${at}: ${error.facts.inner ?? error.message}`)
    else log('error', `${at}: ${faultText(error)}`)
  }
  const { clockCell = null, workers = createWorkers() } = options
  parts.defer(() => workers.endUnused())
  const clock = createClock(clockCell ?? undefined)
  const its: Start = { settings, clock, clockCell, log, fault, workers, parts }
  const grace: Grace = { requestsMs: 0, answersMs: 0 }
  const certificates = openCertificates(settings, log)
  const identityProviders = readProviders(settings)
  const providers = toIdentityProviders(identityProviders)
  const pins = readClientPins(settings.cimdPins)
  const runner = readRunnerPlace(settings.runner)
  demandAuthorities(settings.valkey)
  logOpenFiles(log)
  const addresses = await claimAddresses(settings)
  const named = originsOf(addresses, settings.expose)
  const stores = await openStores(its)
  const { vault, store, lastGood, nodes, rows } = stores
  if (store !== null && store.fault === null) await demandRoles(identityProviders, store.read)

  const sockets = openSocketDirectory(settings.data, stores.readOnly !== null)
  parts.defer(() => sockets.close())
  const outgoing: EgressSettings = {
    allow: settings.egressAllow,
    control: addresses.controlListen,
    sockets: sockets.path,
  }
  const egress = createEgress(outgoing)
  const fetchJson = createFetchJson(egress)
  const keySets = createKeySets(clock, fetchJson, lastGood.keySets)
  const sources = createSecretSources(settings.secrets, clock, fetchJson)
  // The first thread takes requests while others still start: what changes then is published to all of them
  const { promise: started, resolve: haveStarted } = Promise.withResolvers<Gateways>()
  const references = createReferences(vault, sources, async (delta) => (await started).publish(delta))
  // Now: what changes while the threads start comes after it
  const first = references.whole(stores.first)
  const publisher =
    store === null
      ? null
      : createFragmentPublisher({
          reader: store.read,
          revision: stores.first.revision,
          compiler: stores.compiler,
          send: (delta) => references.publish(delta),
          keep: lastGood.keep,
          nodes: nodes && {
            acknowledge: (revision) => nodes.acknowledge('revision', revision),
            missing: (revision) => nodes.missing('revision', revision),
          },
        })
  vault.watch(() => void started.then((gateways) => gateways.setCredentialKey(vault.gatewayKey())))
  const credentials = createCredentialProbe({ vault, references, store, gateways: started })
  const sinks = createSinkDelivery({
    ...its,
    store,
    vault,
    sources,
    writesFiles: settings.sinkDirectory !== null,
    start: () =>
      workers.start('sinks', {
        ...stores.recordsPlace,
        clockCell,
        egress: outgoing,
        directory: settings.sinkDirectory,
        host: hostname(),
        environment: settings.environment,
      } satisfies SinksSetup),
  })
  parts.defer(() => sinks.stop())
  const cells = createSharedCells()
  const tellThreads = (event: Event): void => void started.then((gateways) => gateways.tell(event))
  const events = createThreadEvents((event) => {
    tellThreads(event)
    elsewhere?.publish(event)
  })
  const elsewhere = await openNodeEvents(its, stores, (event) => {
    events.deliver(event)
    tellThreads(event)
  })
  const originSessions = createOriginSessionMemory(clock)
  const sessionKey = vault.sessionKey()
  const counts = {
    memory: createCountMemory(settings.workers + 1),
    startedAt: Date.now() / 1000 - process.uptime(),
  }
  const metricsPage = createMetricsPage({
    ...counts,
    health: stores.health,
    slots: settings.workers + 1,
    checks: CHECK_NAMES,
    version: VERSION,
  })
  const captures = createCaptureMemory(clock, async (armed) => (await started).arm(armed))
  const control = openControl(its, stores, publisher, {
    state: openControlState(cells, clock, events, rows),
    sessionKey,
    ...named,
    managementOrigin: named.managementOrigins[0],
    consoleFiles: CONSOLE_FILES,
    allowsOrigin: createAllowedOrigins(
      [addresses.origin, addresses.controlOrigin],
      settings.corsOrigins,
      false,
    ),
    resources: createProtectedResources([named.issuer, addresses.origin, addresses.controlOrigin]),
    metricsPage: (format) => metricsPage(format, readinessOf(new Int32Array(health), true, 0)),
    isLocalSignIn: settings.localSignIn,
    documentMode: settings.cimd,
    pins,
    egress,
    fetchPublic: createPublicGetJson(egress),
    instance: {
      version: VERSION,
      environment: settings.environment,
      gatewayUrl: addresses.origin,
      managementUrl: named.managementOrigins[0],
    },
    settings: settings.shown,
    nodes: nodes ?? aloneNodes(stores, settings),
    sinks,
    exportStore:
      rows === null || nodes === null
        ? openExportFiles(join(settings.data, 'exports'), fault)
        : rows.exports(nodes.identity),
    providers,
    warn: (sentence) => log('warn', sentence),
    keysOf: createIssuerKeys(clock, keySets).keysOf,
    credentials,
    manualClient: (id) => credentials.pairOf(id),
    explainer: { explain: async (asked) => (await started).explain(asked) },
    replayer: { replay: async (asked) => (await started).replay(asked) },
    captures,
    trials: { run: async (asked) => (await started).tryWorkflow(asked) },
    guardrails: { run: async (asked) => (await started).tryGuardrail(asked) },
    origins: { probe: async (origin, as) => (await started).probeOrigin(origin, as) },
    tellOriginsDown: (origins) => void started.then((gateways) => gateways.setOriginsDown(origins)),
    upstreams: { health: async (collection) => (await started).upstreamHealth(collection) },
    endingNodes: nodes && {
      async unread(number) {
        await nodes.wake()
        const late = await nodes.missing('ended', number)
        // Sign-outs and revocations by OAuth have no answer that could name them
        if (late.length > 0)
          log(
            'warn',
            `Revoked tokens and sessions may still work on these nodes until they reach the database: ${late.join(', ')}.`,
          )
        return late
      },
    },
  })
  /** Whether everything that was committed before is in force in this process. */
  const catchUp = async (): Promise<boolean> => {
    if (nodes === null) return (await publisher?.catchUp()) === true
    // First: whoever waits for a change waits for what it has ended, too
    const areEndsRead = await control.endedElsewhere.catchUp()
    const isPublished = (await publisher?.catchUp()) === true
    await nodes.acknowledge('ended', control.endedElsewhere.read)
    return areEndsRead && isPublished
  }
  nodes?.watch(async () => {
    try {
      return await catchUp()
    } catch (error) {
      fault(error, CHANGES)
      return false
    }
  })
  await listenForControl(its, control, addresses, certificates.control, grace, sockets.path)

  const { cells: health, checked } = keepHealth(its, stores)
  const claimed = createClaimedWork(store, clock)
  keepThreadFigures(new RequestCounts(counts.memory, settings.workers, CHECK_NAMES), () => 0)
  repeat(its, HOUSEKEEPING_MS, 'audit of unknown callers', () => control.flush())
  repeat(its, CHECKPOINT_MS, 'the audit trail', () =>
    claimed('audit_checkpoint', CHECKPOINT_MS, control.checkpoint),
  )
  repeat(its, SWEEP_MS, 'files of old exports', () =>
    // Of files also while the store is full
    rows === null ? control.sweepExports() : claimed('sweep_exports', SWEEP_MS, control.sweepExports),
  )
  repeat(its, SWEEP_MS, 'data of ended sign-ins', () => claimed('sweep', SWEEP_MS, control.sweepStore))
  repeat(its, SWEEP_MS, ROWS, () =>
    rows === null ? null : claimed('sweep_shared', SWEEP_MS, () => rows.sweep(KEYS_BOUNDS.bytesMax)),
  )
  if (elsewhere !== null)
    repeat(its, SWEEP_MS, 'events of nodes', () => claimed('sweep_events', SWEEP_MS, elsewhere.sweep))
  repeat(its, RETENTION_MS, 'retention of the audit trail', () =>
    claimed('audit_retention', RETENTION_MS, () =>
      control.retain({ keepMs: settings.auditKeepMs, hold: settings.auditHold }),
    ),
  )
  repeat(its, ORIGINS_MS, 'catalogues of origins', () =>
    claimed('origin_catalogues', ORIGINS_MS, control.refreshOrigins),
  )
  repeat(its, SINKS_MS, 'sinks', () => sinks.tick())
  repeat(its, CAPTURES_MS, 'captures', () => captures.sweep())
  // Not waited for: a slow origin holds up no other
  repeat(its, WATCH_MS, 'origins that have changed', () => void control.originWatch.tick())
  repeat(its, ORIGIN_SESSIONS_MS, 'sessions at origins', () => originSessions.sweep())
  repeat(its, CATCH_UP_MS, CHANGES, catchUp)
  repeat(its, MEND_MS, 'the last known configuration', () =>
    store === null ? null : lastGood.mend((keepWhole) => fullSnapshot(store, keepWhole)),
  )
  const gateways = await startGateways(
    gatewaysOptions(its, stores, {
      ...addresses,
      cells,
      sessionKey,
      deliver(event) {
        events.deliver(event)
        elsewhere?.publish(event)
      },
      originNews: control.originWatch.news,
      originFailed: control.originWatch.failed,
      refusedCallers: control.refusedCallers,
      sockets: sockets.path,
      egress: outgoing,
      runner,
      tls: certificates.gateway?.current ?? null,
      controlTls: certificates.control?.current ?? null,
      health,
      contact: stores.contact,
      counts,
      keySets,
      issuer: named.issuer,
      prove: control.prove,
      signIn: control.signIn,
      connection: control.connection,
      consoleCaller: control.consoleCaller,
      originSessions,
      taken: captures.taken,
    }),
    await first,
  )
  await workers.endUnused()
  haveStarted(gateways)
  await nodes?.acknowledge('revision', stores.first.revision)
  if (stores.readOnly === null)
    keepFileChecks({ ...its, start: () => its.workers.start('check', { data: settings.data }), checked })
  await control.forgetForeignGroups().catch((error: unknown) => fault(error, 'groups of identity providers'))
  const collecting = setTimeout(() => {
    collectGarbage().catch((error: unknown) => fault(error, 'garbage collection after the start'))
  }, COLLECT_MS)
  parts.defer(() => clearTimeout(collecting))
  repeat(its, HOUSEKEEPING_MS, 'secrets from external sources', () => references.refresh())
  repeat(its, KEEP_USES_MS, USES, () => credentials.keepUses())
  parts.defer(async () => {
    Atomics.store(new Int32Array(health), HEALTH.draining, 1)
    await gateways.drain(grace.requestsMs)
  })
  // Before the requests that they hold are waited for
  parts.defer(() => {
    control.endQuestions()
    stores.recorder.endFollowing()
  })
  // While the gateway threads can still tell
  parts.defer(() => credentials.keepUses().catch((error: unknown) => fault(error, USES)))
  for (const listener of ['gateway', 'control'] as const) {
    certificates[listener]?.watch((tls) => gateways.setTls(listener, tls))
    parts.defer(() => certificates[listener]?.stop())
  }

  let stopped: Promise<void> | undefined
  return {
    gatewayUrl: addresses.gatewayUrl,
    controlUrl: addresses.controlUrl,
    origin: addresses.origin,
    excluded: stores.excluded,
    issueToken: control.issueToken,
    firstLink: control.firstLink,
    reload() {
      certificates.gateway?.reload()
      certificates.control?.reload()
    },
    killThread: (slot) => gateways.kill(slot),
    stop: (deadlineMs = DRAIN_MS) => {
      if (stopped === undefined) {
        Object.assign(grace, { requestsMs: deadlineMs, answersMs: ANSWERS_MS })
        stopped = parts.disposeAsync()
      }
      return stopped
    },
  }
}
