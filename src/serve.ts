import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { getRequestListener } from '@hono/node-server'
import { permits } from './access/roles.ts'
import { createAccessTokens } from './access/tokens.ts'
import { bearerOf } from './base/bearer.ts'
import { type ClockCell, createClock, toTime } from './base/clock.ts'
import { CONTROL_SOCKET, LOCAL_SOCKET, socketPath } from './base/socket-path.ts'
import { createCounterMemory, createCounters } from './gateway/admit/counters.ts'
import type { Explainer } from './operations/context.ts'
import { fullDelta } from './operations/fragments.ts'
import { createInvoke } from './operations/invoke.ts'
import { OPERATIONS } from './operations/registry.ts'
import { createUnauthenticatedAudit } from './operations/unauthenticated.ts'
import type { QuerySetup, RecorderSetup } from './record/messages.ts'
import { createRecordQueries } from './record/query-client.ts'
import { startRecorder } from './record/recorder-client.ts'
import { createAuthenticate } from './serve/authenticate.ts'
import { createCertificates } from './serve/certificates.ts'
import { createControlListener } from './serve/control.ts'
import { claimPorts } from './serve/listen.ts'
import { createLocalListener, type IssuedToken, parseTokenRequest, type TokenRequest } from './serve/local.ts'
import { PREAMBLE } from './serve/preamble.ts'
import { closeServer, listenPrivately } from './serve/sockets.ts'
import type { Settings } from './settings.ts'
import { checkFragment } from './snapshot/check.ts'
import { openConfigStore } from './store/sqlite/config.ts'
import { lockDirectory } from './store/sqlite/directory.ts'
import { createManagementDoor } from './surfaces/mcp/door.ts'
import { createRestApp } from './surfaces/rest/app.ts'
import { startGateways } from './threads/gateways.ts'
import { COUNTER_SLOT, HEALTH } from './threads/messages.ts'
import { createTombstoneCells, createTombstones } from './threads/tombstones.ts'
import { openVault } from './vault/open.ts'
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
const HOUSEKEEPING_MS = 1000

/**
 * Starts the whole of it: the only place that knows which adapters there are. Nothing listens before everything it
 * needs has opened, and what has opened is closed again when a later part fails.
 * Throws CannotStart with one sentence for what an operator can mend.
 */
export async function startServer(settings: Settings, options: ServeOptions): Promise<Running> {
  const undo: (() => unknown)[] = []
  try {
    return await start(settings, options, undo)
  } catch (error) {
    for (const step of undo.reverse()) await step()
    throw error
  }
}

async function start(
  settings: Settings,
  { log, clockCell }: ServeOptions,
  undo: (() => unknown)[],
): Promise<Running> {
  const clock = createClock(clockCell)
  const certificates = settings.tls.length === 0 ? null : createCertificates(settings.tls, log)
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
  undo.push(() => lock.release())
  const store = openConfigStore(join(settings.data, 'config.db'))
  undo.push(() => store.close())
  const vault = await openVault(store, settings.keyFile ?? join(settings.data, 'vault.key'))
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
  undo.push(() => recorder.stop())
  const queries = createRecordQueries(() =>
    worker('query', { path: recordsFile, clockCell: clockCell ?? null } satisfies QuerySetup),
  )
  undo.push(() => queries.close())
  // Who asks right after a call finds it: what the gateway threads still hold is stored first.
  const records: typeof queries = {
    ...queries,
    list: (filter) => recorder.flush().then(() => queries.list(filter)),
    get: (id) => recorder.flush().then(() => queries.get(id)),
  }

  // Who may do what, and the operations
  const fault = (error: unknown, requestId: string): void =>
    log('error', `${requestId}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  const tokens = createAccessTokens(store, clock)
  const unknownCallers = createUnauthenticatedAudit(store, clock)
  const authenticate = createAuthenticate(tokens, unknownCallers)
  const publisher = { publish: (delta: Parameters<typeof gateways.publish>[0]) => gateways.publish(delta) }
  const explainer: Explainer = { explain: (asked) => gateways.explain(asked) }
  const invoke = createInvoke({
    store,
    vault,
    clock,
    records,
    explainer,
    publisher,
    check: checkFragment,
    fault,
  })
  const issueToken = async (input: unknown): Promise<IssuedToken> => {
    const { role, ttlMs, name, method } = parseTokenRequest(input)
    const { token, expiresAt } = await tokens.issue({ role, ttlMs, name, method, surface: 'cli' })
    return { token, expires_at: toTime(expiresAt) }
  }
  // The surfaces, behind the private sockets
  const tombstones = createTombstoneCells()
  const sessionKey = vault.sessionKey()
  const rest = createRestApp({
    operations: OPERATIONS,
    invoke,
    origin,
    authenticate,
    facts: ({ headers }) => ({
      requestId: headers.get(PREAMBLE.requestId) ?? '',
      ip: headers.get(PREAMBLE.peer),
    }),
    log: fault,
  })
  const mcp = createManagementDoor({
    operations: OPERATIONS,
    invoke,
    authenticate: ({ authorization, ip }) =>
      authenticate(bearerOf(authorization), { surface: 'management_mcp', ip, userAgent: null }),
    allowed: (principal, operation) => permits(principal, operation.permission),
    reveals: (principal) => permits(principal, 'profiles:reveal'),
    sealKey: sessionKey,
    tombstones: createTombstones(tombstones),
    origin,
    version: VERSION,
    clock,
    fault,
  })
  const controlSocket = socketPath(settings.data, CONTROL_SOCKET)
  const controlServer = await listenPrivately(
    controlSocket,
    createControlListener({
      rest: getRequestListener(rest.fetch, { overrideGlobalObjects: false }),
      mcp,
      fault,
    }),
  )
  undo.push(() => closeServer(controlServer, 0))
  const urls = {
    gatewayUrl: `${scheme}://${hostOf(listen.host)}:${port}`,
    controlUrl: `http://${hostOf(controlListen.host)}:${controlPort}`,
  }
  const localServer = await listenPrivately(
    socketPath(settings.data, LOCAL_SOCKET),
    createLocalListener({
      issue: issueToken,
      info: () => ({
        version: VERSION,
        origin,
        listen: urls.gatewayUrl,
        control_listen: urls.controlUrl,
        management_url: urls.controlUrl,
      }),
    }),
  )
  undo.push(() => closeServer(localServer, 0))

  // The data plane
  const health = new SharedArrayBuffer(HEALTH.cells * Int32Array.BYTES_PER_ELEMENT)
  const cells = new Int32Array(health)
  Atomics.store(cells, HEALTH.recorder, 1)
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
        tls: certificates === null ? null : certificates.current,
        counters: counterMemory,
        health,
        tombstones,
        clockCell: clockCell ?? null,
        credentialKey: vault.gatewayKey(),
        sessionKey,
      },
      connectRecorder: (attach) => recorder.connect(attach),
      releaseDead: (slot) => counters.releaseDead(slot),
      log,
    },
    await fullDelta(store),
  )
  undo.push(() => gateways.close())

  certificates?.watch((tls) => gateways.setTls(tls))
  undo.push(() => certificates?.stop())

  const housekeeping = setInterval(() => {
    const { running, dropped } = recorder.state
    Atomics.store(cells, HEALTH.recorder, running ? 1 : 0)
    Atomics.store(cells, HEALTH.recordsDropped, Math.min(dropped, 2 ** 31 - 1))
    unknownCallers.flush().catch((error: unknown) => fault(error, 'audit of unknown callers'))
  }, HOUSEKEEPING_MS)
  undo.push(() => clearInterval(housekeeping))

  let stopped: Promise<void> | undefined
  async function stop(deadlineMs: number): Promise<void> {
    Atomics.store(cells, HEALTH.draining, 1)
    await gateways.drain(deadlineMs)
    clearInterval(housekeeping)
    certificates?.stop()
    await Promise.all([closeServer(controlServer, 1000), closeServer(localServer, 1000)])
    await unknownCallers.flush(true)
    await records.close()
    await recorder.stop()
    await store.close()
    lock.release()
  }

  return {
    ...urls,
    origin,
    issueToken,
    reload: () => certificates?.reload(),
    killThread: (slot) => gateways.kill(slot),
    stop: (deadlineMs = DRAIN_MS) => {
      stopped ??= stop(deadlineMs)
      return stopped
    },
  }
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
