/**
 * Reads catalogues of origins again, for all processes that share the store.
 *
 * 1. A changed catalogue is stored with the operation that administrators use, `origins.refresh_catalog`. An unchanged catalogue
 *    creates no audit entry.
 * 2. If an origin cannot be read, it keeps its last catalogue. The wait before the next attempt doubles after each failure.
 * 3. At most {@link AT_ONCE} origins are asked at the same time. A slow origin delays the others for a bounded time.
 */
import type { Principal } from '../access/principal.ts'
import type { Clock } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import type { OriginProbed } from '../model/mcp/origin.ts'
import type { Invoke } from '../operations/engine/define.ts'
import type { OriginProbe } from '../operations/engine/ports.ts'
import { attemptsOf, isDue } from '../operations/origins/attempt.ts'
import { refreshCatalog } from '../operations/origins/catalog.ts'
import { isNews, probeOf, storeAttempt } from '../operations/origins/probe.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'

/** Origins that are asked at the same time. */
const AT_ONCE = 8

const SYSTEM: Principal = {
  id: 'system',
  type: 'system',
  name: 'system',
  authMethod: 'timer',
  grants: [{ role: 'admin' }],
  expiresAt: null,
}

export interface OriginRefreshOptions {
  readonly store: ConfigStore
  readonly origins: OriginProbe
  readonly invoke: Invoke
  readonly clock: Clock
  /** True once the process ends: what is still found is dropped. */
  readonly isStopped: () => boolean
  /** Told of what kept an origin from being asked. */
  readonly fault: (error: unknown) => void
}

/** Asks all origins that are due. @returns how many were asked */
export async function refreshOrigins(options: OriginRefreshOptions): Promise<number> {
  const { store, clock } = options
  const all = (await store.read.all('origins')).filter(isAsked)
  const attempts = await attemptsOf(
    store.read,
    all.map(({ id }) => id),
  )
  const due = all.filter(({ id, spec }) => isDue(spec, attempts.get(id), clock.now()))
  const waiting = due.values()
  const turn = async (): Promise<void> => {
    for (const origin of waiting) {
      if (options.isStopped()) return
      await refresh(origin, options).catch(options.fault)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, due.length) }, turn))
  return due.length
}

/** Asks one origin. Null for one that is not there any more, or has no server to ask. */
export async function refreshOrigin(id: string, options: OriginRefreshOptions): Promise<OriginProbed | null> {
  const origin = await options.store.read.byId('origins', id)
  return origin === undefined || !isAsked(origin) ? null : refresh(origin, options)
}

async function refresh(origin: Resource, options: OriginRefreshOptions): Promise<OriginProbed> {
  const { store, origins, invoke, clock, isStopped } = options
  const came = await probeOf(origin, origins, store.read.connections)
  if (isStopped()) return came
  if (!(await isNews(origin, came, store.read))) {
    await store.write((writer) => storeAttempt(origin, came, writer, clock.now()))
    return came
  }
  const requestId = newId('req', clock)
  const via = { surface: 'system', requestId, ip: null, userAgent: null, http: null, agent: null } as const
  await invoke(refreshCatalog, { id: origin.id }, {}, SYSTEM, via)
  return came
}

/** True for an origin with a server that Postern asks. */
export function isAsked({ spec }: Resource): boolean {
  return spec['kind'] !== 'collection' && spec['active'] === true
}
