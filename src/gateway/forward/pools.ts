import type { UpstreamFragment } from '../../snapshot/fragments.ts'
import type { ClientCertificate, LinkedUpstream, Snapshot } from '../../snapshot/snapshot.ts'
import type { Upstream, UpstreamOptions, UpstreamTls } from '../../wire/port.ts'

/**
 * Connections to upstreams. Collections with the same server, timeouts, TLS settings and client certificate share a
 * pool; it lives on over snapshots and is closed once no collection or credential uses it.
 */
export interface Pools {
  of(upstream: LinkedUpstream, certificate: ClientCertificate | null): Upstream
  /** Closes the pools that nothing in the snapshot uses; requests under way end first. */
  keepFor(snapshot: Snapshot): void
  close(): void
}

interface Opened {
  readonly upstream: Upstream
  /** See {@link LinkedUpstream.pool}. */
  readonly pool: string
  readonly certificate: ClientCertificate | null
}

/** @param open Opens the pool of a server that no collection used before. */
export function createPools(open: (options: UpstreamOptions) => Upstream): Pools {
  const byKey = new Map<string, Opened>()
  let byLinked = new Map<LinkedUpstream, Upstream>()

  function opened(linked: LinkedUpstream, certificate: ClientCertificate | null): Upstream {
    const key = certificate === null ? linked.pool : `${linked.pool} ${certificate.id}`
    let known = byKey.get(key)
    if (known === undefined) {
      known = { upstream: open(optionsOf(linked, certificate)), pool: linked.pool, certificate }
      byKey.set(key, known)
    }
    return known.upstream
  }

  function plain(linked: LinkedUpstream): Upstream {
    const upstream = opened(linked, null)
    byLinked.set(linked, upstream)
    return upstream
  }

  return {
    of: (linked, certificate) =>
      certificate === null ? (byLinked.get(linked) ?? plain(linked)) : opened(linked, certificate),
    keepFor(snapshot) {
      const used = new Set<string>()
      for (const { upstream } of snapshot.collections.values()) if (upstream !== null) used.add(upstream.pool)
      const shown = new Set<string>()
      for (const { certificate } of snapshot.credentials.values())
        if (certificate !== null) shown.add(certificate.id)
      for (const [key, { upstream, pool, certificate }] of byKey) {
        if (used.has(pool) && (certificate === null || shown.has(certificate.id))) continue
        byKey.delete(key)
        upstream.close()
      }
      // Linked upstreams of collections that changed are gone; those still in use come back with their next request.
      byLinked = new Map()
    },
    close() {
      for (const { upstream } of byKey.values()) upstream.close()
      byKey.clear()
      byLinked.clear()
    },
  }
}

function optionsOf({ fragment }: LinkedUpstream, certificate: ClientCertificate | null): UpstreamOptions {
  return {
    address: { host: fragment.host, port: fragment.port },
    tls: fragment.scheme === 'https' ? tlsOf(fragment, certificate) : null,
    connectTimeoutMs: fragment.connect_ms,
    firstByteTimeoutMs: fragment.first_byte_ms,
    idleTimeoutMs: fragment.idle_ms,
    connectionsMax: fragment.pool_max,
    // As many may wait as are served: a longer line only turns a refusal into a timeout.
    waitingMax: fragment.pool_max,
  }
}

function tlsOf({ host, tls = {} }: UpstreamFragment, certificate: ClientCertificate | null): UpstreamTls {
  return {
    serverName: tls.server_name ?? host,
    ca: tls.ca ?? null,
    verify: tls.verify ?? true,
    minVersion: tls.min_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    client: certificate === null ? null : { certificate: certificate.pem, key: certificate.key.reveal() },
  }
}
