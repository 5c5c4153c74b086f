import type { Clock } from '../../base/clock.ts'
import type { LinkBounds, Links } from '../ports/memory.ts'

interface Kept<Value> {
  readonly value: Value
  readonly owner: string | null
  /** Monotonic. */
  readonly endsAt: number
}

/** Links in the memory of this thread. A restart ends all of them. */
export function createLinks<Value>(clock: Clock, bounds: LinkBounds): Links<Value> {
  const { max, ownMax = max, dropsOldest = false } = bounds
  const kept = new Map<string, Kept<Value>>()

  function find(key: string): Kept<Value> | undefined {
    const found = kept.get(key)
    return found !== undefined && found.endsAt > clock.monotonic() ? found : undefined
  }

  function ownOf(owner: string): number {
    let count = 0
    for (const link of kept.values()) if (link.owner === owner) count++
    return count
  }

  return {
    put(key, value, lifeMs, owner) {
      const now = clock.monotonic()
      for (const [old, { endsAt }] of kept) if (endsAt <= now) kept.delete(old)
      if (owner !== null && ownOf(owner) >= ownMax) return false
      if (kept.size >= max) {
        if (!dropsOldest) return false
        kept.delete(kept.keys().next().value!)
      }
      kept.set(key, { value, owner, endsAt: now + lifeMs })
      return true
    },
    look: (key) => find(key)?.value ?? null,
    take(key) {
      const found = find(key)
      kept.delete(key)
      return found?.value ?? null
    },
  }
}
