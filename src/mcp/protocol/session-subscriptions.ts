import { Lru } from '../../base/lru.ts'
import type { Events } from '../../shared-state/ports/events.ts'

/** Sessions whose subscriptions are remembered; those of the session that was not used longest are forgotten. */
const SESSIONS_MAX = 10_000
/** Resources that one session subscribes to. */
const URIS_MAX = 100
const TOPIC = 'resource_subscription'

/** The resources that sessions of earlier revisions have subscribed to. All threads remember them. */
export interface SessionSubscriptions {
  /** False when the session has too many. @param sessionId hash of the session */
  add(sessionId: string, uri: string): boolean
  remove(sessionId: string, uri: string): void
  of(sessionId: string): ReadonlySet<string>
  /** Calls `listener` when those of the session have changed, until the function that it gives is called. */
  watch(sessionId: string, listener: () => void): () => void
}

const NONE: ReadonlySet<string> = new Set()

export function createSessionSubscriptions(events: Events): SessionSubscriptions {
  const subscriptions = new Lru<string, Set<string>>(SESSIONS_MAX)
  const listeners = new Map<string, Set<() => void>>()

  function change(sessionId: string, uri: string, isAdded: boolean): boolean {
    const uris = subscriptions.get(sessionId) ?? new Set<string>()
    if (isAdded && !uris.has(uri) && uris.size >= URIS_MAX) return false
    if (isAdded) uris.add(uri)
    else uris.delete(uri)
    subscriptions.set(sessionId, uris)
    for (const listener of listeners.get(sessionId) ?? []) listener()
    return true
  }

  events.subscribe(TOPIC, (text) => {
    // Published below
    const [sessionId, uri, isAdded] = JSON.parse(text) as [string, string, boolean]
    change(sessionId, uri, isAdded)
  })

  function publish(sessionId: string, uri: string, isAdded: boolean): boolean {
    const isDone = change(sessionId, uri, isAdded)
    if (isDone) events.publish({ topic: TOPIC, text: JSON.stringify([sessionId, uri, isAdded]) })
    return isDone
  }

  return {
    add: (sessionId, uri) => publish(sessionId, uri, true),
    remove: (sessionId, uri) => void publish(sessionId, uri, false),
    of: (sessionId) => subscriptions.get(sessionId) ?? NONE,
    watch(sessionId, listener) {
      const own = (): void => listener()
      const set = listeners.get(sessionId) ?? new Set()
      set.add(own)
      listeners.set(sessionId, set)
      return () => {
        set.delete(own)
        if (set.size === 0) listeners.delete(sessionId)
      }
    },
  }
}
