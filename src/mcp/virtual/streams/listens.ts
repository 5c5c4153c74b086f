/**
 * Streams on which callers hear of changes: `subscriptions/listen` of 2026-07-28, and the stream of a session of earlier revisions.
 *
 * A listen hears of a list when what its caller sees of it has changed, whatever has changed it. It ends when the caller may no longer
 * call the virtual MCP; `http/standing.ts` has the other rules.
 */
import type { Caller, GatewayPort } from '../../../gateway/port.ts'
import type { CapabilityType } from '../../../model/mcp/capability.ts'
import type { JoinedVirtualMcp } from '../../../snapshot/find/virtual-mcps.ts'
import { createStandingStreams, type Standing } from '../../http/standing.ts'
import type { Wanted } from '../../protocol/subscription.ts'
import { isUriBlocked } from '../call/message-guard.ts'
import type { OriginUpdates } from './origin-updates.ts'

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

const LISTS: readonly (readonly [keyof Omit<Wanted, 'uris'>, readonly CapabilityType[]])[] = [
  ['tools', ['tools']],
  ['prompts', ['prompts']],
  ['resources', ['resources', 'resource_templates']],
]

export function createListens(gateway: GatewayPort, updates: OriginUpdates): Listens {
  const streams = createStandingStreams(gateway)
  return {
    open(caller, slug, wanted, listener) {
      const joined = gateway.virtualMcp(caller, slug)
      if (joined === null) return null
      const listen = new OpenListen(gateway, updates, caller, slug, joined, listener)
      const close = streams.open(caller, listen)
      if (close === null) return null
      listen.closed = close
      listen.want(wanted)
      return listen
    },
  }
}

class OpenListen implements Listen, Standing {
  closed = (): void => {}
  readonly #gateway: GatewayPort
  readonly #updates: OriginUpdates
  readonly #caller: Caller
  readonly #slug: string
  readonly #listener: Listener
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
  ) {
    this.#gateway = gateway
    this.#updates = updates
    this.#caller = caller
    this.#slug = slug
    this.#joined = joined
    this.#listener = listener
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
  look(): boolean {
    const joined = this.#gateway.virtualMcp(this.#caller, this.#slug)
    if (joined === null) return false
    if (joined === this.#joined) return true
    this.#joined = joined
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
    this.#watch()
    const [before, now] = [this.#seen, this.#lists()]
    this.#seen = now
    for (const [name, types] of LISTS)
      if (this.#wanted[name] && types.some((type) => before.get(type) !== now.get(type)))
        this.#listener.notify(`notifications/${name}/list_changed`, null)
    return true
  }

  end(): void {
    this.close()
    this.#listener.end()
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
    this.closed()
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
      // A guardrail may have come since the client has asked
      if (member.guardrails !== null && isUriBlocked(member.guardrails, admission.uri)) continue
      const tell = (): void => this.#listener.notify('notifications/resources/updated', uri)
      const stop = this.#updates.watch(member, this.#caller, admission.uri, tell)
      if (stop !== null) this.#watched.set(uri, stop)
    }
  }
}
