import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type ClockCell, createClock } from './base/clock.ts'
import { createFetchJson } from './base/fetch-json.ts'
import { CONTROL_SOCKET, LOCAL_SOCKET, socketPath } from './base/socket-path.ts'
import { createCounterMemory, createCounters } from './gateway/admit/counters.ts'
import { createKeySets } from './gateway/identify/key-sets.ts'
import { createUsedTokenMemory } from './gateway/identify/used-tokens.ts'
import type { Explainer } from './operations/context.ts'
import { fullDelta } from './operations/fragments.ts'
import type { QuerySetup, RecorderSetup } from './record/messages.ts'
import { createRecordQueries } from './record/query-client.ts'
import { startRecorder } from './record/recorder-client.ts'
import { createCertificates } from './serve/certificates.ts'
import { openConfiguration } from './serve/configuration.ts'
import { createClosedControlPlane, createControlPlane } from './serve/control-plane.ts'
import { createCredentialProbe } from './serve/credential-probe.ts'
import { createLastGood } from './serve/last-good.ts'
import { claimPorts } from './serve/listen.ts'
import { createLocalListener, type IssuedToken, type TokenRequest } from './serve/local.ts'
import { closeServer, listenPrivately } from './serve/sockets.ts'
import type { Settings } from './settings.ts'
import type { Publisher } from './snapshot/publisher.ts'
import { createReferences } from './snapshot/references.ts'
import { lockDirectory } from './store/sqlite/directory.ts'
import { openLastGood } from './store/sqlite/last-good.ts'
import { type Gateways, startGateways } from './threads/gateways.ts'
import { COUNTER_SLOT, HEALTH } from './threads/messages.ts'
import { createTombstoneCells } from './threads/tombstones.ts'
import { createSecretSources } from './vault/sources.ts'
import { VERSION } from './version.ts'

type LogLevel = 'info' | 'warn' | 'error'

export interface ServeOptions {
  /** Takes the process log. Lines hold no secrets. */
  readonly log: (level: LogLevel, message: string) => void
  /** Moves the clock of all threads; for tests. */
  readonly clockCell?: ClockCell
}

/** A running instance. */
export interface Running {
  /** Where published APIs and both MCP endpoints are. */
  readonly gatewayUrl: string
  /** Where management REST and the health checks are. */
  readonly controlUrl: string
  readonly origin: string
  /** Issues an access token, as `postern token` does. */
  issueToken(request: TokenRequest): Promise<IssuedToken>
  /** Reads the certificates again; those in force stay when the new ones cannot be used, and the log says why. */
  reload(): void
  /** Ends a gateway thread as a fault would; resolves when its replacement listens. */
  killThread(slot: number): Promise<void>
  /** Stops accepting, lets requests end for at most `deadlineMs`, stores what is left, gives the directory back. */
  stop(deadlineMs?: number): Promise<void>
}

const DRAIN_MS = 30_000
const RECORD_RETENTION_MS = 30 * 24 * 60 * 60 * 1000
/** For answers that the control plane still writes when the gateway threads have ended. */
const ANSWERS_MS = 1000
const HOUSEKEEPING_MS = 1000
/** The whole configuration is compiled for it, which a disk that stays full must not have happen all the time. */
const MEND_MS = 30_000
const KEEP_USES_MS = 60_000

/**
 * Starts the whole of it: the only place that knows which adapters there are. Nothing listens before everything it
 * needs has opened, and what has opened is closed again when a later part fails.
 * Throws CannotStart with one sentence for what an operator can mend.
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

async function start(
  settings: Settings,
  { log, clockCell }: ServeOptions,
  parts: AsyncDisposableStack,
): Promise<Running> {
  // Parts end in the reverse of the order in which they are given here, after a failed start as on SIGTERM.
  const grace = { requestsMs: 0, answersMs: 0 }
  const clock = createClock(clockCell)
  const certificates =
    settings.tls.length === 0 ? null : createCertificates(settings.tls, settings.clientAuthorities, log)
  const { LISTEN: port, CONTROL_LISTEN: controlPort } = await claimPorts({
    LISTEN: settings.listen,
    CONTROL_LISTEN: settings.controlListen,
  })
  const listen = { ...settings.listen, port }
  const controlListen = { ...settings.controlListen, port: controlPort }
  const scheme = settings.tls.length === 0 ? 'http' : 'https'
  const origin = settings.originIsSet ? settings.origin : `${scheme}://localhost:${port}`

  // The stores
  const lock = lockDirectory(settings.data)
  parts.defer(() => lock.release())
  const lastGoodStore = openLastGood(join(settings.data, 'serving.db'))
  parts.defer(() => lastGoodStore.close())
  const lastGood = createLastGood(lastGoodStore, (error) =>
    log('error', `the last known configuration cannot be kept: ${textOf(error)}`),
  )
  const keyFile = settings.keyFile ?? join(settings.data, 'vault.key')
  const { store, vault, first, fault: missing } = await openConfiguration(settings.data, keyFile, lastGood)
  parts.defer(() => store?.close())
  if (missing !== null) log('error', missing)
  const counterMemory = createCounterMemory()
  const counters = createCounters(counterMemory, COUNTER_SLOT.main)
  const recordsFile = join(settings.data, 'records.db')
  const recorder = await startRecorder(
    () =>
      worker('recorder', {
        path: recordsFile,
        retentionMs: RECORD_RETENTION_MS,
        clockCell: clockCell ?? null,
        counters: counterMemory,
      } satisfies RecorderSetup),
    (text) => log('error', text),
  )
  parts.defer(() => recorder.stop())
  const queries = createRecordQueries(() =>
    worker('query', { path: recordsFile, clockCell: clockCell ?? null } satisfies QuerySetup),
  )
  parts.defer(() => queries.close())
  // Who asks right after a call finds it: what the gateway threads still hold is stored first.
  const records: typeof queries = {
    ...queries,
    list: (filter) => recorder.flush().then(() => queries.list(filter)),
    get: (id) => recorder.flush().then(() => queries.get(id)),
  }

  // The control plane, behind the private sockets
  const fault = (error: unknown, requestId: string): void => log('error', `${requestId}: ${textOf(error)}`)
  const tombstones = createTombstoneCells()
  const sessionKey = vault.sessionKey()
  const fetchJson = createFetchJson()
  const sources = createSecretSources(settings.secrets, clock, fetchJson)
  // The first thread takes requests while others still start: what changes then is published to all of them
  const { promise: started, resolve: haveStarted } = Promise.withResolvers<Gateways>()
  const references = createReferences(vault, sources, async (delta) => (await started).publish(delta))
  vault.watch(() => void started.then((gateways) => gateways.setCredentialKey(vault.gatewayKey())))
  const publisher: Publisher = {
    publish(delta) {
      const published = references.publish(delta)
      // While the threads take it on. Without secrets that are read elsewhere.
      lastGood.keep(delta)
      return published
    },
  }
  const explainer: Explainer = { explain: async (asked) => (await started).explain(asked) }
  const credentials = createCredentialProbe({
    vault,
    references,
    store,
    gateways: started,
  })
  const control =
    store === null
      ? createClosedControlPlane(missing ?? '')
      : createControlPlane({
          store,
          vault,
          clock,
          records,
          explainer,
          credentials,
          upstreams: { health: async (collection) => (await started).upstreamHealth(collection) },
          limits: counters,
          publisher,
          origin,
          tombstones,
          sessionKey,
          fault,
        })
  parts.defer(() => control.flush(true))
  const controlSocket = socketPath(settings.data, CONTROL_SOCKET)
  const controlServer = await listenPrivately(controlSocket, control.listener)
  parts.defer(() => closeServer(controlServer, grace.answersMs))
  const urls = {
    gatewayUrl: `${scheme}://${hostOf(listen.host)}:${port}`,
    controlUrl: `http://${hostOf(controlListen.host)}:${controlPort}`,
  }
  const localServer = await listenPrivately(
    socketPath(settings.data, LOCAL_SOCKET),
    createLocalListener({
      issue: control.issueToken,
      info: () => ({
        version: VERSION,
        origin,
        listen: urls.gatewayUrl,
        control_listen: urls.controlUrl,
        management_url: urls.controlUrl,
      }),
    }),
  )
  parts.defer(() => closeServer(localServer, grace.answersMs))

  // The data plane
  const health = new SharedArrayBuffer(HEALTH.cells * Int32Array.BYTES_PER_ELEMENT)
  const cells = new Int32Array(health)
  Atomics.store(cells, HEALTH.recorder, 1)
  Atomics.store(cells, HEALTH.store, store === null ? 0 : 1)
  const housekeeping = setInterval(() => {
    const { running, dropped } = recorder.state
    Atomics.store(cells, HEALTH.recorder, running ? 1 : 0)
    Atomics.store(cells, HEALTH.recordsDropped, Math.min(dropped, 2 ** 31 - 1))
    control.flush().catch((error: unknown) => fault(error, 'audit of unknown callers'))
  }, HOUSEKEEPING_MS)
  parts.defer(() => clearInterval(housekeeping))
  const mending = setInterval(() => {
    if (store === null) return
    lastGood
      .mend((keep) => fullDelta(store, keep))
      .catch((error: unknown) => fault(error, 'the last known configuration'))
  }, MEND_MS)
  parts.defer(() => clearInterval(mending))
  const reusePort = canShareAPort()
  if (!reusePort && settings.workers > 1)
    log(
      'warn',
      `this system cannot share a port between threads; running 1 gateway thread instead of ${settings.workers}`,
    )
  const gateways = await startGateways(
    {
      count: reusePort ? settings.workers : 1,
      start: (data) => worker('gateway', data, `gateway-${data.slot}`),
      init: {
        listen,
        controlListen,
        reusePort,
        controlSocket,
        origin,
        version: VERSION,
        expose: settings.expose,
        trustedProxies: settings.trustedProxies,
        certificateField: settings.certificateField,
        proxyProtocol: settings.proxyProtocol,
        httpEngine: settings.httpEngine,
        tls: certificates === null ? null : certificates.current,
        counters: counterMemory,
        health,
        tombstones,
        usedTokens: createUsedTokenMemory(),
        clockCell: clockCell ?? null,
        credentialKey: vault.gatewayKey(),
        sessionKey,
      },
      connectRecorder: (attach) => recorder.connect(attach),
      releaseDead: (slot) => counters.releaseDead(slot),
      keySets: createKeySets(clock, fetchJson),
      log,
    },
    await references.whole(first),
  )
  haveStarted(gateways)
  let reading = false
  const rereading = setInterval(() => {
    if (reading) return
    reading = true
    references
      .refresh()
      .catch((error: unknown) => fault(error, 'secrets that are read elsewhere'))
      .finally(() => {
        reading = false
      })
  }, HOUSEKEEPING_MS)
  parts.defer(() => clearInterval(rereading))
  const keepingUses = setInterval(() => {
    credentials.keepUses().catch((error: unknown) => fault(error, 'when credentials were used'))
  }, KEEP_USES_MS)
  parts.defer(() => clearInterval(keepingUses))
  parts.defer(async () => {
    Atomics.store(cells, HEALTH.draining, 1)
    await gateways.drain(grace.requestsMs)
  })
  // While the gateway threads can still tell
  parts.defer(() =>
    credentials.keepUses().catch((error: unknown) => fault(error, 'when credentials were used')),
  )

  certificates?.watch((tls) => gateways.setTls(tls))
  parts.defer(() => certificates?.stop())

  let stopped: Promise<void> | undefined
  return {
    ...urls,
    origin,
    issueToken: control.issueToken,
    reload: () => certificates?.reload(),
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

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function worker(entry: 'gateway' | 'recorder' | 'query', workerData: unknown, name: string = entry): Worker {
  return new Worker(new URL(`./threads/${entry}.ts`, import.meta.url), { name, workerData })
}

/** `reusePort` with balancing between sockets: Linux and the BSDs that Node knows (see `listen` in node:net). */
function canShareAPort(): boolean {
  return process.platform === 'linux' || process.platform === 'freebsd'
}

/** A name that a local client can call an address by. */
function hostOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
