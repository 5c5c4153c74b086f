/**
 * Which origins cannot be reached, by the last probes of all processes that share the store.
 *
 * 1. Threads are told when the set changes, for one origin at most once in {@link HOLD_MS}: an unsteady origin changes lists
 *    a bounded number of times.
 * 2. An outage changes no name, no approval and no revision.
 */
import type { Clock } from '../base/clock.ts'
import { attemptsOf, downSince } from '../operations/origins/attempt.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'

export interface OriginOutagesOptions {
  readonly store: ConfigStore
  readonly clock: Pick<Clock, 'monotonic'>
  /** Tells the gateway threads which origins are down, by id. */
  readonly tell: (origins: readonly string[]) => void
}

/** Between two changes of one origin, milliseconds. */
const HOLD_MS = 15_000

/** What looks anew, and gives the ids of the origins that are down. @param isAsked whether an origin has a server at all */
export function createOriginOutages(
  { store, clock, tell }: OriginOutagesOptions,
  isAsked: (origin: Resource) => boolean,
): () => Promise<ReadonlySet<string>> {
  let told: ReadonlySet<string> = new Set()
  const changedAt = new Map<string, number>()

  return async () => {
    const origins = (await store.read.all('origins')).filter(isAsked)
    const attempts = await attemptsOf(
      store.read,
      origins.map(({ id }) => id),
    )
    const down = new Set(
      origins.flatMap(({ id, spec }) => (downSince(spec, attempts.get(id)) === null ? [] : [id])),
    )
    const now = clock.monotonic()
    for (const [id, at] of changedAt) if (now - at >= HOLD_MS) changedAt.delete(id)
    const known = new Set(origins.map(({ id }) => id))
    const next = new Set<string>()
    let hasChanged = false
    for (const id of new Set([...told, ...down])) {
      if (!known.has(id)) {
        hasChanged = true
        continue
      }
      const isTold = told.has(id)
      const isNow = changedAt.has(id) ? isTold : down.has(id)
      if (isNow) next.add(id)
      if (isNow === isTold) continue
      hasChanged = true
      changedAt.set(id, now)
    }
    if (hasChanged) {
      told = next
      tell([...next].toSorted())
    }
    return down
  }
}
