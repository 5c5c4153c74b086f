/** The subscriptions of sessions of earlier revisions, known to all threads. */
import { SharedLru } from '../../base/memory/lru.ts'
import type { Events } from '../../shared-state/ports/events.ts'

/** Characters of all URIs that one thread remembers. One holder has no more than remain free; its session that was not used longest is forgotten. */
const CHARS_MAX = 32 * 1024 * 1024
/** What a URI and a session take beside their characters. */
const URI_CHARS = 128
const SESSION_CHARS = 512
/** Resources that one session subscribes to. */
const URIS_MAX = 100
const TOPIC = 'resource_subscription'

/** A session, and under whom it shares what is bounded for all. */
interface SubscribingSession {
  readonly holder: string
  /** Hash of the session. */
  readonly sessionId: string
}

/** The resources that sessions of earlier revisions have subscribed to. All threads remember them. */
export interface SessionSubscriptions {
  /** False when the session has too many. @param uri as of `isSubscribable` */
  add(session: SubscribingSession, uri: string): boolean
  remove(session: SubscribingSession, uri: string): void
  of(sessionId: string): ReadonlySet<string>
  /** The session has ended, and its subscriptions with it. */
  end(sessionId: string): void
  /** Calls `listener` when those of the session have changed, until the function that it gives is called. */
  watch(sessionId: string, listener: () => void): () => void
}

const NONE: ReadonlySet<string> = new Set()

export function createSessionSubscriptions(events: Events): SessionSubscriptions {
  const subscriptions = new SharedLru<ReadonlySet<string>>(CHARS_MAX, tell)
  const listeners = new Map<string, Set<() => void>>()

  function tell(sessionId: string): void {
    for (const listener of listeners.get(sessionId) ?? []) listener()
  }

  function change({ holder, sessionId }: SubscribingSession, uri: string, isAdded: boolean): boolean {
    const before = subscriptions.get(sessionId) ?? NONE
    if (before.has(uri) === isAdded) return true
    const uris = new Set(before)
    if (isAdded) uris.add(uri)
    else uris.delete(uri)
    if (uris.size > URIS_MAX) return false
    if (uris.size === 0) subscriptions.delete(sessionId)
    else if (!subscriptions.set(holder, sessionId, uris, charsOf(uris))) return false
    tell(sessionId)
    return true
  }

  function end(sessionId: string): void {
    subscriptions.delete(sessionId)
    tell(sessionId)
  }

  events.subscribe(TOPIC, (text) => {
    // Published below
    const [session, uri, isAdded] = JSON.parse(text) as [SubscribingSession, string | null, boolean]
    if (uri === null) end(session.sessionId)
    else change(session, uri, isAdded)
  })

  function publish({ holder, sessionId }: SubscribingSession, uri: string | null, isAdded: boolean): void {
    events.publish({ topic: TOPIC, text: JSON.stringify([{ holder, sessionId }, uri, isAdded]) })
  }

  return {
    add(session, uri) {
      if (subscriptions.get(session.sessionId)?.has(uri) === true) return true
      const isDone = change(session, uri, true)
      if (isDone) publish(session, uri, true)
      return isDone
    },
    remove(session, uri) {
      change(session, uri, false)
      publish(session, uri, false)
    },
    of: (sessionId) => subscriptions.get(sessionId) ?? NONE,
    end(sessionId) {
      end(sessionId)
      publish({ holder: '', sessionId }, null, false)
    },
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

function charsOf(uris: ReadonlySet<string>): number {
  let chars = SESSION_CHARS
  for (const uri of uris) chars += URI_CHARS + uri.length
  return chars
}
