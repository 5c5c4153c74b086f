/** What the gateway threads are started with. */
import { join } from 'node:path'
import { CONTROL_SOCKET } from '../base/net/address.ts'
import type { Addresses } from '../fleet/main/addresses.ts'
import type { GatewaysOptions } from '../fleet/main/gateways.ts'
import { threadCountOf } from '../fleet/main/thread-slots.ts'
import { COUNTER_SLOT, type GatewayInit } from '../fleet/shared/messages.ts'
import { createSourceMemory, SourceCounts } from '../gateway/admit/source-counts.ts'
import { gatewayName } from '../threads/worker.ts'
import { VERSION } from '../version.ts'
import { callerMemoryMax } from '../wire/caller-memory.ts'
import type { Start } from './start.ts'
import type { Stores } from './stores.ts'

/** What the gateway threads are started with. */
export function gatewaysOptions(
  { settings, clockCell, log, workers }: Start,
  { vault, recorder, keys, rows, counters, counterMemory }: Stores,
  shared: { readonly sockets: string } & Addresses &
    Pick<
      GatewayInit,
      'issuer' | 'tls' | 'controlTls' | 'health' | 'contact' | 'cells' | 'sessionKey' | 'egress' | 'runner'
    > & {
      readonly counts: { readonly memory: SharedArrayBuffer; readonly startedAt: number }
    } & Pick<
      GatewaysOptions,
      | 'keySets'
      | 'prove'
      | 'signIn'
      | 'connection'
      | 'consoleCaller'
      | 'originSessions'
      | 'deliver'
      | 'originNews'
      | 'originFailed'
      | 'refusedCallers'
      | 'taken'
    >,
): GatewaysOptions {
  const { count, reusePort } = threadCountOf(settings.workers, log)
  const sourceMemory = createSourceMemory()
  const sources = new SourceCounts(sourceMemory, COUNTER_SLOT.main)
  return {
    count,
    start: (init) => workers.start('gateway', init, gatewayName(init.slot)),
    init: {
      listen: shared.listen,
      controlListen: shared.controlListen,
      reusePort,
      controlSocket: join(shared.sockets, CONTROL_SOCKET),
      egress: shared.egress,
      runner: shared.runner,
      origin: shared.origin,
      issuer: shared.issuer,
      controlOrigin: shared.controlOrigin,
      corsOrigins: settings.corsOrigins,
      version: VERSION,
      expose: settings.expose,
      trustedProxies: settings.trustedProxies,
      certificateField: settings.certificateField,
      proxyProtocol: settings.proxyProtocol,
      httpEngine: settings.httpEngine,
      tls: shared.tls,
      controlTls: shared.controlTls,
      callerMemoryMax: callerMemoryMax(count),
      counters: counterMemory,
      sources: sourceMemory,
      connectionsPerSourceMax: settings.connectionsPerSourceMax,
      pendingPerSourceMax: settings.pendingPerSourceMax,
      health: shared.health,
      counts: shared.counts.memory,
      countSlots: settings.workers + 1,
      startedAt: shared.counts.startedAt,
      cells: shared.cells,
      sharesOnce: rows !== null,
      contact: shared.contact,
      clockCell,
      credentialKey: vault.gatewayKey(),
      sessionKey: shared.sessionKey,
      importedKey: vault.importedKey(),
    },
    connectRecorder: (attach) => recorder.connect(attach),
    releaseDead: (slot) => {
      counters.releaseDead(slot)
      sources.releaseDead(slot)
    },
    keys,
    once: rows && { used_tokens: rows.once('used_tokens'), used_replies: rows.once('used_replies') },
    keySets: shared.keySets,
    prove: shared.prove,
    signIn: shared.signIn,
    connection: shared.connection,
    consoleCaller: shared.consoleCaller,
    originSessions: shared.originSessions,
    deliver: shared.deliver,
    originNews: shared.originNews,
    originFailed: shared.originFailed,
    refusedCallers: shared.refusedCallers,
    taken: shared.taken,
    log,
  }
}
