/**
 * Notifies callers about changed resources of origins. One gateway thread watches an origin for all (watched-origins). If the
 * credential of an origin is made of the token of the caller, or each person has an account there, each caller has a stream
 * of its own, in the thread of the caller.
 */
import { PoolShare } from '../../../base/memory/pool-share.ts'
import type { Caller, GatewayPort } from '../../../gateway/port.ts'
import type { Member } from '../../../snapshot/find/virtual-mcps.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import { StandingStream } from '../../origin/change-stream.ts'
import { type StreamsTools, streamToolsOf, tellsOfResources } from './watch-tools.ts'

export interface OriginUpdates {
  /** Calls `changed` after each change of the resource, until the function that it gives is called. Null: the origin tells of none. */
  watch(member: Member, caller: Caller, uri: string, changed: () => void): (() => void) | null
}

/** Where this thread hears of resources, whichever thread watches their origin. */
export interface SharedWatch {
  /** Says which resources of an origin this thread wants to hear of, in place of what it said before. */
  want(origin: string, uris: readonly string[]): void
  /** Calls `listener` after each change of such a resource. To be called once. */
  onUpdated(listener: (origin: string, uris: readonly string[]) => void): void
}

export interface OriginUpdatesTools extends StreamsTools {
  readonly gateway: Pick<GatewayPort, 'askOrigin' | 'readOrigin' | 'holderOf'>
  readonly sharedWatch: SharedWatch
  readonly isPersonal: (origin: LinkedOrigin) => boolean
}

/** Resources of one origin, or of one stream, that a thread wants to hear of. One holder has no more than remain free. */
const URIS_MAX = 500
/** How long changes of what is wanted are gathered, milliseconds. */
const GATHER_MS = 20
const NO_LISTS = { lists: false } as const

export function createOriginUpdates(tools: OriginUpdatesTools): OriginUpdates {
  const shared = new Map<string, Watchers>()
  const personal = new WeakMap<LinkedOrigin, Map<string, Watchers>>()
  tools.sharedWatch.onUpdated((origin, uris) => {
    for (const uri of uris) shared.get(origin)?.told(uri)
  })

  function sharedOf({ id }: LinkedOrigin): Watchers {
    const known = shared.get(id)
    if (known !== undefined) return known
    const made = new Watchers((uris) => {
      tools.sharedWatch.want(id, [...uris])
      if (uris.size === 0) shared.delete(id)
    })
    shared.set(id, made)
    return made
  }

  function personalOf(origin: LinkedOrigin, caller: Caller): Watchers {
    const byHolder = personal.get(origin) ?? new Map<string, Watchers>()
    personal.set(origin, byHolder)
    const holder = `${caller.client.id}/${caller.profile.id}/${caller.subject}`
    const known = byHolder.get(holder)
    if (known !== undefined) return known
    const stream = new StandingStream(streamToolsOf(origin, caller, tools.gateway, tools), {
      opened() {},
      reopened() {},
      listsChanged() {},
      updated: (uri) => made.told(uri),
      failed() {},
    })
    const made = new Watchers((uris) => {
      stream.want({ ...NO_LISTS, uris })
      if (uris.size === 0) byHolder.delete(holder)
    })
    byHolder.set(holder, made)
    return made
  }

  return {
    watch(member, caller, uri, changed) {
      const { origin, route } = member
      if (route === null || !tellsOfResources(origin)) return null
      const watchers = tools.isPersonal(origin) ? personalOf(origin, caller) : sharedOf(origin)
      return watchers.add(uri, tools.gateway.holderOf(caller), changed)
    },
  }
}

/** Callers of this thread that wait for changes of resources, by the URI of the resource. */
class Watchers {
  readonly #byUri = new Map<string, { readonly holder: string; readonly watchers: Set<() => void> }>()
  readonly #share = new PoolShare(URIS_MAX)
  readonly #changed: (uris: ReadonlySet<string>) => void
  #timer: NodeJS.Timeout | null = null

  /** @param changed gets all URIs after some have come or gone */
  constructor(changed: (uris: ReadonlySet<string>) => void) {
    this.#changed = changed
  }

  /** Null where too much is watched. The resource counts for the holder that came first. */
  add(uri: string, holder: string, changed: () => void): (() => void) | null {
    let watched = this.#byUri.get(uri)
    if (watched === undefined) {
      if (!this.#share.mayTake(holder)) return null
      this.#share.take(holder)
      watched = { holder, watchers: new Set() }
      this.#byUri.set(uri, watched)
      this.#gather()
    }
    const { watchers } = watched
    const watcher = (): void => changed()
    watchers.add(watcher)
    return () => {
      watchers.delete(watcher)
      if (watchers.size > 0 || this.#byUri.get(uri) !== watched) return
      this.#byUri.delete(uri)
      this.#share.give(watched.holder)
      this.#gather()
    }
  }

  told(uri: string): void {
    for (const watcher of [...(this.#byUri.get(uri)?.watchers ?? [])]) watcher()
  }

  #gather(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#changed(new Set(this.#byUri.keys()))
    }, GATHER_MS).unref()
  }
}
