/** The messages of `subscriptions/listen` (2026-07-28, basic/patterns: subscriptions). */

import { SharedLru } from '../../base/memory/lru.ts'
import type { Events } from '../../shared-state/ports/events.ts'
import { RPC } from './answer.ts'
import { isMembers, type Members, type RpcId, writableId } from './message.ts'
import type { RelayedAnswer } from './relay-port.ts'

/** What a caller wants to hear of. */
export interface Wanted {
  readonly tools: boolean
  readonly prompts: boolean
  readonly resources: boolean
  /** URIs of resources. */
  readonly uris: ReadonlySet<string>
}

/** False for a URI that is too long to be remembered. */
export function isSubscribable(uri: string): boolean {
  return uri.length <= SUBSCRIBED_CHARS_MAX
}

/** Member of `_meta` that names the listen which a message belongs to. */
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
/** Resources that one listen may name, and that one session may subscribe to; further ones are not honoured. */
const URIS_MAX = 100
/** Characters of the URI of a resource that is subscribed to: as many as one in a catalogue has. */
export const SUBSCRIBED_CHARS_MAX = 2048
/** Tasks likewise. */
const TASKS_MAX = 100
/** The answer to a client that reads no streams. */
export const NEEDS_STREAM: RelayedAnswer = {
  kind: 'error',
  code: RPC.invalidRequest,
  message: 'Accept must list text/event-stream',
  status: 406,
}
const EMPTY: Members = Object.freeze({})

/** What the parameters of the request ask for; what cannot be read is not asked for. */
export function wantedOf(params: Members): Wanted {
  const asked = isMembers(params['notifications']) ? params['notifications'] : EMPTY
  const uris = asked['resourceSubscriptions']
  return {
    tools: asked['toolsListChanged'] === true,
    prompts: asked['promptsListChanged'] === true,
    resources: asked['resourcesListChanged'] === true,
    uris: new Set(
      Array.isArray(uris)
        ? uris.filter((uri) => typeof uri === 'string' && isSubscribable(uri)).slice(0, URIS_MAX)
        : [],
    ),
  }
}

/** Ids of tasks that a listen asks for (SEP-2663: task status notifications). */
export function taskIdsOf(params: Members): readonly string[] {
  const { taskIds } = isMembers(params['notifications']) ? params['notifications'] : EMPTY
  if (!Array.isArray(taskIds)) return []
  return [...new Set((taskIds as readonly unknown[]).filter((id) => typeof id === 'string'))].slice(
    0,
    TASKS_MAX,
  )
}

/** Texts of what is told on the stream of one listen, by the id of its request. */
export function listenTexts(id: RpcId) {
  const _meta = { [SUBSCRIPTION_ID]: writableId(id) }
  return {
    /** @param uri of `notifications/resources/updated`; null for the others */
    changed: (method: string, uri: string | null): string =>
      JSON.stringify({ jsonrpc: '2.0', method, params: { ...(uri === null ? {} : { uri }), _meta } }),
    /** @param task as `tasks/get` gives it */
    task: (task: Members): string =>
      JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tasks', params: { ...task, _meta } }),
    /** The first message: what of that which was asked for is told. @param taskIds null where none were asked for */
    acknowledged(
      { tools, prompts, resources, uris }: Wanted,
      taskIds: readonly string[] | null = null,
    ): string {
      const notifications = {
        ...(tools ? { toolsListChanged: true } : {}),
        ...(prompts ? { promptsListChanged: true } : {}),
        ...(resources ? { resourcesListChanged: true } : {}),
        ...(uris.size === 0 ? {} : { resourceSubscriptions: [...uris] }),
        ...(taskIds === null ? {} : { taskIds }),
      }
      const method = 'notifications/subscriptions/acknowledged'
      return JSON.stringify({ jsonrpc: '2.0', method, params: { notifications, _meta } })
    },
    /** The result, where the server ends it. */
    ended: JSON.stringify({ resultType: 'complete', _meta }),
  }
}

// The subscriptions of sessions of earlier revisions, known to all threads.

/** Characters of all URIs that one thread remembers. One holder has no more than remain free; its session that was not used longest is forgotten. */
const CHARS_MAX = 32 * 1024 * 1024
/** What a URI and a session take beside their characters. */
const URI_CHARS = 128
const SESSION_CHARS = 512
const TOPIC = 'resource_subscription'

/** A session, and under whom it shares what is bounded for all. */
interface SubscribingSession {
  readonly holder: string
  /** Hash of the session. */
  readonly sessionId: string
}

interface SessionListener {
  /** The subscriptions are others. */
  changed(): void
  /** The session has ended, in whatever thread or process. */
  ended(): void
}

/** The resources that sessions of earlier revisions have subscribed to. All threads remember them. */
export interface SessionSubscriptions {
  /** False when the session has too many. @param uri as of `isSubscribable` */
  add(session: SubscribingSession, uri: string): boolean
  remove(session: SubscribingSession, uri: string): void
  of(sessionId: string): ReadonlySet<string>
  /** The session has ended, and its subscriptions with it. */
  end(sessionId: string): void
  /** Calls the listener about the session, until the function that it gives is called. */
  watch(sessionId: string, listener: SessionListener): () => void
}

const NONE: ReadonlySet<string> = new Set()

export function createSessionSubscriptions(events: Events): SessionSubscriptions {
  const subscriptions = new SharedLru<ReadonlySet<string>>(CHARS_MAX, tell)
  const listeners = new Map<string, Set<SessionListener>>()

  function tell(sessionId: string): void {
    for (const listener of listeners.get(sessionId) ?? []) listener.changed()
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
    for (const listener of [...(listeners.get(sessionId) ?? [])]) listener.ended()
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
      const own = { changed: () => listener.changed(), ended: () => listener.ended() }
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
