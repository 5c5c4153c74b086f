import type { ConnectionOptions } from 'node:tls'
import { isRefusedHost } from '../../base/address.ts'
import type { CallHandle, CallRequest, CallResult, Upstream, UpstreamOptions } from '../port.ts'
import { Replays } from '../replays.ts'
import { tlsConnectionOptions } from '../upstream-tls.ts'
import { Call } from './call.ts'
import type { Context } from './context.ts'
import { REFUSED } from './resolver.ts'
import type { Timed } from './sweep.ts'
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts'
import type { UpstreamUser } from './upstream-user.ts'

/**
 * The kept connections to one server. The one used last is used next, so that surplus ones grow old and are closed.
 * At the cap requests wait in line, no longer than a connection may take; a full line is `busy`.
 */
export class Pool implements Upstream, ConnectionOwner, Timed {
  deadline = Infinity
  readonly context: Context
  readonly options: UpstreamOptions
  readonly tls: ConnectionOptions | null
  readonly #idle: UpstreamConnection[] = []
  /** Who waits, in order, and until when. */
  readonly #waiting = new Map<UpstreamUser, number>()
  readonly #all = new Set<UpstreamConnection>()
  readonly #replays = new Replays()
  readonly #onClosed: (pool: Pool) => void
  #isClosed = false
  /** A literal that nothing may connect to; names are judged by what they resolve to. */
  readonly #isRefused: boolean

  constructor(context: Context, options: UpstreamOptions, onClosed: (pool: Pool) => void) {
    this.context = context
    this.options = options
    this.tls = options.tls === null ? null : tlsConnectionOptions(options.tls)
    this.#onClosed = onClosed
    this.#isRefused = 'host' in options.address && isRefusedHost(options.address.host)
    context.sweep.add(this)
  }

  get open(): number {
    return this.#all.size
  }

  get idle(): number {
    return this.#idle.length
  }

  call(request: CallRequest, done: (result: CallResult) => void): CallHandle {
    return new Call(this, request, done)
  }

  /** Finds a connection for the request. The user may hear of it, or of a failure, before this returns. */
  submit(user: UpstreamUser): void {
    if (this.#isRefused) {
      user.failed('unreachable', REFUSED)
      return
    }
    this.#replays.earn(this.#all.size)
    const connection = this.#idle.pop()
    if (connection !== undefined) connection.begin(user)
    else this.#place(user)
  }

  retry(user: UpstreamUser): void {
    if (this.#replays.spend()) this.#place(user)
    else user.failed('unreachable', 'closed')
  }

  #place(user: UpstreamUser): void {
    if (this.#all.size < this.options.connectionsMax) this.#connect(user)
    else if (this.#waiting.size >= this.options.waitingMax) user.failed('busy', 'waiting line is full')
    else {
      const until = this.context.clock.monotonic() + this.options.connectTimeoutMs
      this.#waiting.set(user, until)
      // A closed pool may have left the sweep
      this.context.sweep.add(this)
      if (this.#waiting.size === 1) this.deadline = until
    }
  }

  /** A user that waits gives up. */
  cancel(user: UpstreamUser): void {
    this.#waiting.delete(user)
  }

  release(connection: UpstreamConnection): void {
    const next = this.#next()
    if (next !== null) connection.begin(next)
    else if (this.#isClosed) connection.abandon()
    else this.#idle.push(connection)
  }

  gone(connection: UpstreamConnection): void {
    this.#all.delete(connection)
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    const next = this.#next()
    if (next !== null) this.#connect(next)
    this.#settle()
  }

  close(): void {
    this.#isClosed = true
    while (this.#idle.length > 0) this.#idle.pop()!.abandon()
    this.#settle()
  }

  /** Ends everything at once; users hear nothing more. */
  destroy(): void {
    this.#isClosed = true
    this.#waiting.clear()
    for (const connection of this.#all) connection.abandon()
    this.#settle()
  }

  expired(): void {
    const now = this.context.clock.monotonic()
    for (const [user, until] of this.#waiting) {
      if (until > now) {
        this.deadline = until
        return
      }
      this.#waiting.delete(user)
      user.failed('busy', 'waited too long for a connection')
    }
    if (this.#waiting.size === 0) this.deadline = Infinity
  }

  #connect(user: UpstreamUser): void {
    const connection = new UpstreamConnection(this, user)
    this.#all.add(connection)
    user.connecting(connection)
  }

  #next(): UpstreamUser | null {
    if (this.#waiting.size === 0) return null
    const user = this.#waiting.keys().next().value!
    this.#waiting.delete(user)
    return user
  }

  #settle(): void {
    if (!this.#isClosed || this.#all.size > 0 || this.#waiting.size > 0) return
    this.context.sweep.delete(this)
    this.#onClosed(this)
  }
}
