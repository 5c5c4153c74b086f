/**
 * Reads catalogues of origins again, for all processes that share the store.
 *
 * 1. What was found is stored by the same operation by which an administrator refreshes a catalogue; a probe that finds the same leaves
 *    no audit entry.
 * 2. An origin that could not be read is tried again after waits that double, and keeps its last catalogue meanwhile.
 * 3. Few origins are asked at once, so that slow ones hold up others for a bounded time.
 */
import type { Principal } from '../access/principal.ts'
import type { Clock } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import type { Invoke } from '../operations/engine/define.ts'
import type { OriginProbe } from '../operations/engine/ports.ts'
import { attemptsOf, dueAt } from '../operations/origins/attempt.ts'
import { isNews, storeAttempt } from '../operations/origins/keep.ts'
import { probeOf } from '../operations/origins/probe.ts'
import { refreshCatalog } from '../operations/origins/refresh-catalog.ts'
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
  const all = (await store.read.all('origins')).filter(
    ({ spec }) => spec['kind'] === 'http' && spec['active'] === true,
  )
  const attempts = await attemptsOf(
    store.read,
    all.map(({ id }) => id),
  )
  const due = all.filter(({ id, spec }) => dueAt(spec, attempts.get(id)) <= clock.now())
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

async function refresh(origin: Resource, options: OriginRefreshOptions): Promise<void> {
  const { store, origins, invoke, clock, isStopped } = options
  const came = await probeOf(origin, origins)
  if (isStopped()) return
  if (!(await isNews(origin, came, store.read))) {
    await store.write((writer) => storeAttempt(origin, came, writer, clock.now()))
    return
  }
  const requestId = newId('req', clock)
  const via = { surface: 'system', requestId, ip: null, userAgent: null, http: null, agent: null } as const
  await invoke(refreshCatalog, { id: origin.id }, {}, SYSTEM, via)
}
