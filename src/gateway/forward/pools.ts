import type { LinkedTarget, Snapshot } from '../../snapshot/snapshot.ts'
import type { Upstream, UpstreamOptions } from '../../wire/port.ts'

/**
 * Connections to upstreams. Collections with the same server and timeouts share a pool; it lives on over
 * snapshots and is closed once no collection uses it.
 */
export interface Pools {
  of(target: LinkedTarget): Upstream
  /** Closes the pools that nothing in the snapshot uses; requests under way end first. */
  keepFor(snapshot: Snapshot): void
  close(): void
}

/** @param open Opens the pool of a server that no collection used before. */
export function createPools(open: (options: UpstreamOptions) => Upstream): Pools {
  const byKey = new Map<string, Upstream>()
  let byLinked = new Map<LinkedTarget, Upstream>()

  function opened(linked: LinkedTarget): Upstream {
    let upstream = byKey.get(linked.pool)
    if (upstream === undefined) {
      upstream = open(optionsOf(linked))
      byKey.set(linked.pool, upstream)
    }
    byLinked.set(linked, upstream)
    return upstream
  }

  return {
    of: (linked) => byLinked.get(linked) ?? opened(linked),
    keepFor(snapshot) {
      const used = new Set<string>()
      for (const { upstream, proxies } of snapshot.collections.values())
        for (const one of [upstream, ...proxies.map((proxy) => proxy.upstream)])
          for (const { pool } of one?.targets ?? []) used.add(pool)
      for (const [key, upstream] of byKey) {
        if (used.has(key)) continue
        byKey.delete(key)
        upstream.close()
      }
      // Linked targets of collections that changed are gone; those still in use come back with their next request.
      byLinked = new Map()
    },
    close() {
      for (const upstream of byKey.values()) upstream.close()
      byKey.clear()
      byLinked.clear()
    },
  }
}

function optionsOf(target: LinkedTarget): UpstreamOptions {
  const { scheme, host, port } = target.fragment
  return {
    address: { host, port },
    tls: scheme === 'https' ? { serverName: host } : null,
    connectTimeoutMs: target.connect_ms,
    firstByteTimeoutMs: target.first_byte_ms,
    idleTimeoutMs: target.idle_ms,
    connectionsMax: target.pool_max,
    // As many may wait as are served: a longer line only turns a refusal into a timeout.
    waitingMax: target.pool_max,
  }
}
