/** Answers requests of gateway threads that the main thread handles once for all of them. */
import type { Protected } from '../../base/doors.ts'
import type { KeysOfThreads } from '../../gateway/idempotency/keys.ts'
import type { LoadKeySet } from '../../gateway/identify/key-sets.ts'
import type {
  ConnectionAnswer,
  ConsoleCall,
  ConsoleCaller,
  RefusedConnection,
  SignInProof,
} from '../../model/access/caller.ts'
import type { Once, OnceKind } from '../../shared-state/ports/memory.ts'
import type { OriginSessionMembers, OriginSessionPool } from '../../shared-state/ports/origin-sessions.ts'
import {
  type FromGateway,
  type SessionReply,
  type SessionSaid,
  type ToGateway,
  watcherOf,
} from '../shared/messages.ts'

/** What gateway threads ask of the main thread, which does it once for all of them. */
export type ThreadRequest = Extract<
  FromGateway,
  {
    kind:
      | 'key_set'
      | 'prove'
      | 'sign_in'
      | 'connection'
      | 'console_caller'
      | 'claim'
      | 'settle'
      | 'release'
      | 'claim_once'
      | 'log'
  }
>

export interface ThreadRequestsOptions {
  /** Idempotency keys of all threads. */
  readonly keys: KeysOfThreads
  /** Keys that are used once over all processes; null where threads share them by memory alone. */
  readonly once: Readonly<Record<OnceKind, Once>> | null
  /** Fetches the keys of issuers for all threads. */
  readonly keySets: LoadKeySet
  /** Id of the principal that an access token of management stands for; null for none. Never rejects. */
  readonly prove: (token: string, resource: Protected) => Promise<string | null>
  /** What an access token for an MCP endpoint proves. Never rejects. */
  readonly signIn: (token: string, resource: `/mcp${string}`) => Promise<SignInProof>
  /** The token or key that a person, or all callers, have connected at an origin. Never rejects. */
  readonly connection: (
    user: string,
    origin: string,
    refused: RefusedConnection | null,
  ) => Promise<ConnectionAnswer>
  /** For whom a request of the console calls a virtual MCP. Never rejects. */
  readonly consoleCaller: (call: ConsoleCall) => Promise<ConsoleCaller>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** @param tell answers the thread in that slot that asked */
export function createThreadRequests({
  keys,
  once,
  keySets,
  prove,
  signIn,
  connection,
  consoleCaller,
  log,
}: ThreadRequestsOptions): (
  slot: number,
  request: ThreadRequest,
  tell: (message: ToGateway) => void,
) => void {
  return (slot, request, tell) => {
    switch (request.kind) {
      case 'key_set': {
        const { id, source, maxAgeMs } = request
        void keySets(source, maxAgeMs).then((answer) => tell({ kind: 'key_set', id, answer }))
        break
      }
      case 'prove': {
        const { id, token, resource } = request
        void prove(token, resource).then((principal) => tell({ kind: 'proved', id, principal }))
        break
      }
      case 'sign_in': {
        const { id, token, resource } = request
        void signIn(token, resource).then((proof) => tell({ kind: 'signed_in', id, proof }))
        break
      }
      case 'connection': {
        const { id, user, origin, refused } = request
        void connection(user, origin, refused).then((answer) => tell({ kind: 'connected', id, answer }))
        break
      }
      case 'console_caller': {
        const { kind, id, ...call } = request
        void consoleCaller(call).then((caller) => tell({ kind, id, caller }))
        break
      }
      case 'claim': {
        const { id, key, fingerprint } = request
        const claim = keys.claim(key, fingerprint, slot)
        // At once where it can be: what this thread says of the key later is heard later
        if (claim instanceof Promise) void claim.then((later) => tell({ kind: 'claimed', id, claim: later }))
        else tell({ kind: 'claimed', id, claim })
        break
      }
      case 'settle':
        keys.settle(request.key, request.answer, slot)
        break
      case 'release':
        keys.release(request.key, slot)
        break
      case 'claim_once': {
        const { id, of, key, until, now } = request
        void Promise.resolve(once?.[of].claim(key, until, now) ?? 'unavailable').then((claimed) =>
          tell({ kind: 'claimed_once', id, claimed }),
        )
        break
      }
      case 'log':
        log(request.level, `gateway thread ${slot}: ${request.message}`)
        break
    }
  }
}

// Connects the gateway threads to the pool of sessions at origins.

/** The gateway threads as members of the pool of sessions at origins. */
export interface ThreadSessions {
  /** A thread has started in that slot. @param tell answers it */
  begin(slot: number, tell: (reply: SessionReply) => void): void
  hear(slot: number, said: SessionSaid, tell: (reply: SessionReply) => void): void
  /** The thread has ended, and holds nothing. */
  leave(slot: number): void
}

export function createThreadSessions(members: OriginSessionMembers): ThreadSessions {
  const pools = new Map<number, OriginSessionPool>()

  return {
    begin(slot, tell) {
      const pool = members.join(`thread ${slot}`)
      pool.onRetired((session) => tell({ about: 'retired', session }))
      pools.set(slot, pool)
    },
    hear(slot, said, tell) {
      const pool = pools.get(slot)
      if (pool === undefined) return
      switch (said.about) {
        case 'take': {
          const { id } = said
          const taken = pool.take(said.key)
          // At once where it can be: what the pool says of the session later must come later
          if (taken instanceof Promise) void taken.then((later) => tell({ about: 'taken', id, taken: later }))
          else tell({ about: 'taken', id, taken })
          return
        }
        case 'opened':
          pool.opened(said.serial, said.session)
          return
        case 'failed':
          pool.failed(said.serial, said.reason)
          return
        case 'used':
          pool.used(said.serial)
          return
        case 'task_began':
          pool.taskBegan(said.serial, said.task, said.ms)
          return
        case 'task_ended':
          pool.taskEnded(said.origin, said.session, said.task)
          return
        case 'client_left':
          pool.clientLeft(said.client)
          return
        case 'gone':
          pool.gone(said.serial)
          return
        case 'release': {
          const { id } = said
          void Promise.resolve(pool.release(said.serial)).then((isLast) =>
            tell({ about: 'released', id, isLast }),
          )
        }
      }
    },
    leave(slot) {
      members.leave(`thread ${slot}`)
      pools.delete(slot)
    },
  }
}

// Assigns each origin to the gateway thread that watches it, and forwards changed resources to the threads that want them.
//
// 1. One thread watches an origin. When threads start or end, all threads get the new assignment. The wanted resources are
//    kept here, so they survive the end of the watching thread.
// 2. A thread that has ended wants nothing.

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
