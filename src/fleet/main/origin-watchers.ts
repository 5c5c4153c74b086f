/**
 * Assigns each origin to the gateway thread that watches it, and forwards changed resources to the threads that want them.
 *
 * 1. One thread watches an origin. When threads start or end, all threads get the new assignment. The wanted resources are
 *    kept here, so they survive the end of the watching thread.
 * 2. A thread that has ended wants nothing.
 */
import type { ToGateway } from '../shared/messages.ts'
import { watcherOf } from '../shared/watchers.ts'

export interface OriginWatchers {
  /** These threads may watch from now on. */
  share(slots: readonly number[]): void
  /** A thread wants to hear of these resources of an origin, and of no others. */
  want(slot: number, origin: string, uris: readonly string[]): void
  /** Resources of an origin have changed. */
  updated(origin: string, uris: readonly string[]): void
  /** The thread has ended. */
  gone(slot: number): void
}

/** Resources of one origin that are watched for all threads together. */
const URIS_MAX = 2000

/** @param tell says something to the thread of a slot, if there is one */
export function createOriginWatchers(tell: (slot: number, message: ToGateway) => void): OriginWatchers {
  const wanted = new Map<string, Map<number, ReadonlySet<string>>>()
  let shared: readonly number[] = []

  function order(origin: string): void {
    const watcher = watcherOf(shared, origin)
    if (watcher === null) return
    const all = new Set([...(wanted.get(origin)?.values() ?? [])].flatMap((uris) => [...uris]))
    tell(watcher, { kind: 'watch_resources', origin, uris: [...all].slice(0, URIS_MAX) })
  }

  function set(slot: number, origin: string, uris: readonly string[]): void {
    const bySlot = wanted.get(origin) ?? new Map<number, ReadonlySet<string>>()
    if (uris.length === 0) bySlot.delete(slot)
    else bySlot.set(slot, new Set(uris))
    if (bySlot.size === 0) wanted.delete(origin)
    else wanted.set(origin, bySlot)
    order(origin)
  }

  return {
    share(slots) {
      shared = slots
      for (const slot of slots) tell(slot, { kind: 'watchers', slots })
      for (const origin of wanted.keys()) order(origin)
    },
    want: set,
    updated(origin, uris) {
      for (const [slot, own] of wanted.get(origin) ?? []) {
        const told = uris.filter((uri) => own.has(uri))
        if (told.length > 0) tell(slot, { kind: 'resources_updated', origin, uris: told })
      }
    },
    gone(slot) {
      for (const [origin, bySlot] of [...wanted]) if (bySlot.has(slot)) set(slot, origin, [])
    },
  }
}
