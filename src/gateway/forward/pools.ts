/**
 * A pool is known by the server, its TLS settings and the client certificate, and has one TLS context for all its
 * handshakes: what was verified for one collection serves no other. A new client certificate means a new pool, while
 * the old one drains.
 */
import { isOwnSetCookie } from '../../base/http/fields.ts'
import type { RunnerAddress } from '../../base/net/address.ts'
import type { LinkedCollection, LinkedTarget, NodeServers } from '../../snapshot/linked-types/collection.ts'
import type { ClientCertificate } from '../../snapshot/linked-types/credential.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import type { CallRequest, Upstream, UpstreamOptions, UpstreamTls } from '../../wire/port.ts'

/**
 * Connections to upstreams. Collections with the same server, timeouts, TLS settings and client certificate share a
 * pool; it lives on over snapshots and is closed once no collection or credential uses it.
 */
export interface Pools {
  of(target: LinkedTarget, certificate: ClientCertificate | null): Upstream
  /** Closes the pools that nothing in the snapshot uses; requests under way end first. */
  keepFor(snapshot: Snapshot): void
  close(): void
}

interface Opened {
  readonly upstream: Upstream
  /** See {@link LinkedTarget.pool}. */
  readonly pool: string
  readonly certificate: ClientCertificate | null
}

/**
 * @param open Opens the pool of a server that no collection used before.
 * @param runner where targets lead that are the runner; without one they lead nowhere, and the check `target` refuses
 */
export function createPools(
  open: (options: UpstreamOptions) => Upstream,
  runner: RunnerAddress | null = null,
): Pools {
  const byKey = new Map<string, Opened>()
  let byLinked = new Map<LinkedTarget, Upstream>()

  function opened(linked: LinkedTarget, certificate: ClientCertificate | null): Upstream {
    const key = certificate === null ? linked.pool : `${linked.pool} ${certificate.id}`
    let known = byKey.get(key)
    if (known === undefined) {
      known = { upstream: open(optionsOf(linked, certificate, runner)), pool: linked.pool, certificate }
      byKey.set(key, known)
    }
    if (certificate === null) byLinked.set(linked, known.upstream)
    return known.upstream
  }

  return {
    of: (linked, certificate) =>
      (certificate === null ? byLinked.get(linked) : undefined) ?? opened(linked, certificate),
    keepFor(snapshot) {
      const used = new Set<string>()
      for (const { upstream, proxies } of routedOf(snapshot))
        for (const one of [upstream, ...proxies.map((proxy) => proxy.upstream)])
          for (const { pool } of one?.targets ?? []) used.add(pool)
      const shown = new Set<string>()
      for (const { certificate } of snapshot.credentials.values())
        if (certificate !== null) shown.add(certificate.id)
      for (const [key, { upstream, pool, certificate }] of byKey) {
        if (used.has(pool) && (certificate === null || shown.has(certificate.id))) continue
        byKey.delete(key)
        upstream.close()
      }
      // Linked targets of collections that changed are gone; those still in use come back with their next request.
      byLinked = new Map()
    },
    close() {
      for (const { upstream } of byKey.values()) upstream.close()
      byKey.clear()
      byLinked.clear()
    },
  }
}

/** Everything that has servers. */
function routedOf({ collections, origins, workflows, guardrails }: Snapshot): readonly LinkedCollection[] {
  const routed = [...collections.values()]
  const add = (servers: NodeServers): void => {
    for (const { route } of servers.values()) routed.push(route)
  }
  for (const { proxies } of collections.values())
    for (const { servers } of proxies) if (servers !== null) add(servers)
  for (const { servers } of workflows.values()) add(servers)
  for (const { server } of guardrails.values()) if (server !== null) routed.push(server.route)
  for (const { route } of origins.values()) if (route !== null) routed.push(route)
  return routed
}

function optionsOf(
  target: LinkedTarget,
  certificate: ClientCertificate | null,
  runner: RunnerAddress | null,
): UpstreamOptions {
  const { scheme, host, port } = target.fragment
  const own = target.fragment.runner === true ? runner : null
  return {
    // Typed by an operator or an administrator: either way the egress rule judges it
    address: own?.address ?? { host, port },
    tls: own !== null ? runnerTls(own) : scheme === 'https' ? tlsOf(target, certificate) : null,
    connectTimeoutMs: target.connect_ms,
    firstByteTimeoutMs: target.first_byte_ms,
    idleTimeoutMs: target.idle_ms,
    connectionsMax: target.pool_max,
    // As many may wait as are served: a longer line only turns a refusal into a timeout.
    waitingMax: target.pool_max,
    refusesCookie: isOwnSetCookie,
  }
}

function runnerTls({ isTls, address }: RunnerAddress): UpstreamTls | null {
  if (!isTls || !('host' in address)) return null
  return { serverName: address.host, ca: null, verify: true, minVersion: 'TLSv1.2', client: null }
}

function tlsOf({ fragment, tls }: LinkedTarget, certificate: ClientCertificate | null): UpstreamTls {
  return {
    serverName: tls?.server_name ?? fragment.host,
    ca: tls?.ca ?? certificate?.ca ?? null,
    verify: tls?.verify ?? true,
    minVersion: tls?.min_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    client: certificate === null ? null : { certificate: certificate.pem, key: certificate.key.reveal() },
  }
}

/** Bytes of an answer that are read before the rest is given up. */
const ANSWER_BYTES_MAX = 64 * 1024

/**
 * A GET that the gateway makes of its own accord, of whose answer the status alone is wanted.
 * @param target path with query at the server. @param fields header lines ending in CRLF.
 */
export function bareGet(server: LinkedTarget, target: string, fields: string): CallRequest {
  return {
    method: 'GET',
    target,
    host: server.fragment.authority,
    fields,
    responseFields: '',
    responseNames: [],
    body: null,
    keepBytesMax: 0,
    readBytesMax: ANSWER_BYTES_MAX,
  }
}
