/**
 * Streams on which callers hear of changes: `subscriptions/listen` of 2026-07-28, and the stream of a session of earlier revisions.
 *
 * 1. A listen hears of a list when what its caller sees of it has changed, whatever has changed it.
 * 2. It ends when the caller may no longer call the virtual MCP, and when anything about the client has changed: the caller is
 *    identified anew by its next request.
 * 3. One client has few of them, and all together are bounded.
 */
import type { Caller, GatewayPort } from '../../gateway/port.ts'
import type { CapabilityType } from '../../model/capability.ts'
import type { JoinedVirtualMcp } from '../../snapshot/find/virtual-mcps.ts'
import type { OriginUpdates } from './origin-updates.ts'

/** What a caller wants to hear of. */
export interface Wanted {
  readonly tools: boolean
  readonly prompts: boolean
  readonly resources: boolean
  /** Public URIs of resources. */
  readonly uris: ReadonlySet<string>
}

/** Where it is told. */
interface Listener {
  /** @param uri of `notifications/resources/updated`; null for the others */
  notify(method: string, uri: string | null): void
  /** Nothing more will be told. */
  end(): void
}

interface Listen {
  /** Of {@link Wanted.uris} those whose changes are told. */
  readonly honoured: ReadonlySet<string>
  /** Changes what is wanted. */
  want(wanted: Wanted): void
  close(): void
}

export interface Listens {
  /** Null where there are too many. */
  open(caller: Caller, slug: string, wanted: Wanted, listener: Listener): Listen | null
}

const EACH_MAX = 100
const ALL_MAX = 10_000

const LISTS: readonly (readonly [keyof Omit<Wanted, 'uris'>, readonly CapabilityType[]])[] = [
  ['tools', ['tools']],
  ['prompts', ['prompts']],
  ['resources', ['resources', 'resource_templates']],
]

export function createListens(gateway: GatewayPort, updates: OriginUpdates): Listens {
  const open = new Set<OpenListen>()
  let unsubscribe: (() => void) | null = null

  return {
    open(caller, slug, wanted, listener) {
      let own = 0
      for (const one of open) if (one.clientId === caller.client.id) own++
      const joined = gateway.virtualMcp(caller, slug)
      if (joined === null || own >= EACH_MAX || open.size >= ALL_MAX) return null
      const listen = new OpenListen(gateway, updates, caller, slug, joined, listener, () => {
        open.delete(listen)
        if (open.size > 0) return
        unsubscribe?.()
        unsubscribe = null
      })
      open.add(listen)
      unsubscribe ??= gateway.onApplied(() => {
        for (const one of [...open]) one.look()
      })
      listen.want(wanted)
      return listen
    },
  }
}

class OpenListen implements Listen {
  readonly clientId: string
  readonly #gateway: GatewayPort
  readonly #updates: OriginUpdates
  readonly #caller: Caller
  readonly #slug: string
  readonly #listener: Listener
  readonly #closed: () => void
  readonly #identity: object | null
  #joined: JoinedVirtualMcp
  #wanted: Wanted = { tools: false, prompts: false, resources: false, uris: new Set() }
  #seen = new Map<CapabilityType, string>()
  readonly #watched = new Map<string, () => void>()
  #isOver = false

  constructor(
    gateway: GatewayPort,
    updates: OriginUpdates,
    caller: Caller,
    slug: string,
    joined: JoinedVirtualMcp,
    listener: Listener,
    closed: () => void,
  ) {
    this.clientId = caller.client.id
    this.#gateway = gateway
    this.#updates = updates
    this.#caller = caller
    this.#slug = slug
    this.#joined = joined
    this.#listener = listener
    this.#closed = closed
    this.#identity = gateway.clientState(caller)
    this.#seen = this.#lists()
  }

  get honoured(): ReadonlySet<string> {
    return new Set(this.#watched.keys())
  }

  want(wanted: Wanted): void {
    this.#wanted = wanted
    this.#watch()
  }

  /** Another snapshot is in force. */
  look(): void {
    const joined = this.#gateway.virtualMcp(this.#caller, this.#slug)
    if (joined === null || this.#gateway.clientState(this.#caller) !== this.#identity) {
      this.close()
      this.#listener.end()
      return
    }
    if (joined === this.#joined) return
    this.#joined = joined
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
    this.#watch()
    const [before, now] = [this.#seen, this.#lists()]
    this.#seen = now
    for (const [name, types] of LISTS)
      if (this.#wanted[name] && types.some((type) => before.get(type) !== now.get(type)))
        this.#listener.notify(`notifications/${name}/list_changed`, null)
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
    this.#closed()
  }

  #lists(): Map<CapabilityType, string> {
    const subject = this.#gateway.policySubject(this.#caller)
    const types = LISTS.flatMap(([, all]) => all)
    return new Map(types.map((type) => [type, this.#joined.capabilities.visible(subject, type).json]))
  }

  #watch(): void {
    const { uris } = this.#wanted
    for (const [uri, stop] of [...this.#watched])
      if (!uris.has(uri)) {
        stop()
        this.#watched.delete(uri)
      }
    const subject = this.#gateway.policySubject(this.#caller)
    for (const uri of uris) {
      if (this.#watched.has(uri)) continue
      const admission = this.#joined.capabilities.read(subject, uri)
      const member = admission.kind === 'admitted' ? this.#joined.members.get(admission.member) : undefined
      if (admission.kind !== 'admitted' || member === undefined) continue
      const tell = (): void => this.#listener.notify('notifications/resources/updated', uri)
      const stop = this.#updates.watch(member, this.#caller, admission.uri, tell)
      if (stop !== null) this.#watched.set(uri, stop)
    }
  }
}
