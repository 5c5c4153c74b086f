import type { ConnectionOptions } from 'node:tls'
import { PoolShare, WaitingLine } from '../../base/memory/pool-share.ts'
import type { CallAnswer } from '../call-answer.ts'
import { Gathering } from '../gathering.ts'
import { HandingOver } from '../handing-over.ts'
import type {
  AnswerReader,
  CallHandle,
  CallRequest,
  CallResult,
  StreamHandle,
  StreamRequest,
  Upstream,
  UpstreamOptions,
} from '../port.ts'
import { ReuseBudget } from '../reuse-budget.ts'
import { tlsConnectionOptions } from '../upstream-tls.ts'
import { Call } from './call.ts'
import type { Context } from './context.ts'
import { type JudgedAddress, judgeAddress } from './judged-address.ts'
import type { Timed } from './sweep.ts'
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts'
import type { UpstreamUser } from './upstream-user.ts'

/**
 * The kept connections to one server. The one used last is used next, so that surplus ones grow old and are closed.
 * Each holder has a share of them. Beyond it, and at the cap, requests wait in line, no longer than a connection may take; a full
 * line is `busy`.
 */
export class Pool implements Upstream, ConnectionOwner, Timed {
  deadline = Infinity
  readonly context: Context
  readonly options: UpstreamOptions
  readonly tls: ConnectionOptions | null
  readonly address: JudgedAddress
  readonly #idle: UpstreamConnection[] = []
  readonly #waiting: WaitingLine<UpstreamUser>
  readonly #share: PoolShare
  readonly #all = new Set<UpstreamConnection>()
  readonly #reuse = new ReuseBudget()
  readonly #onClosed: (pool: Pool) => void
  #isClosed = false

  constructor(context: Context, options: UpstreamOptions, onClosed: (pool: Pool) => void) {
    this.context = context
    this.options = options
    this.tls = options.tls === null ? null : tlsConnectionOptions(options.tls)
    this.#onClosed = onClosed
    this.#share = new PoolShare(options.connectionsMax)
    this.#waiting = new WaitingLine(options.waitingMax)
    this.address = judgeAddress(context, options)
    context.sweep.add(this)
  }

  get open(): number {
    return this.#all.size
  }

  get idle(): number {
    return this.#idle.length
  }

  call(request: CallRequest, done: (result: CallResult) => void): CallHandle {
    return this.#send(request, new Gathering(request, done, this.context.fault))
  }

  stream(request: StreamRequest, reader: AnswerReader): StreamHandle {
    return this.#send(request, new HandingOver(request, reader, this.context.fault))
  }

  #send(request: StreamRequest, answer: CallAnswer): Call {
    const call = new Call(this, request, answer)
    call.begin()
    return call
  }

  /** Finds a connection for the request. The user may hear of it, or of a failure, before this returns. */
  submit(user: UpstreamUser): void {
    if (this.address.fault !== null) {
      user.failed('unreachable', this.address.fault)
      return
    }
    this.#reuse.earn(this.#all.size)
    if (this.#share.mayTake(user.holder)) this.#begin(user)
    else this.#wait(user)
  }

  retry(user: UpstreamUser): void {
    this.#reuse.spend()
    if (!this.#share.mayTake(user.holder)) this.#wait(user)
    // The other kept connections may have been closed as well
    else this.#connectFresh(user)
  }

  #begin(user: UpstreamUser): void {
    const connection = this.#mayReuse(user) ? this.#kept() : undefined
    if (connection === undefined) this.#connectFresh(user)
    else this.#use(connection, user)
  }

  /** The connection that was used last, unless its time is over: the sweep closes those up to its period late. */
  #kept(): UpstreamConnection | undefined {
    const connection = this.#idle.at(-1)
    if (connection === undefined || connection.deadline <= this.context.clock.monotonic()) return undefined
    return this.#idle.pop()
  }

  /** A repeat that has waited gets a new connection too: a second close would fail it. */
  #mayReuse(user: UpstreamUser): boolean {
    return !user.retried && this.#reuse.mayReuse
  }

  /** Opens a connection, in the place of an idle one at the cap. */
  #connectFresh(user: UpstreamUser): void {
    if (this.#all.size >= this.options.connectionsMax) this.#idle.shift()?.abandon()
    this.#connect(user)
  }

  #use(connection: UpstreamConnection, user: UpstreamUser): void {
    this.#share.take(user.holder)
    connection.holder = user.holder
    connection.begin(user)
  }

  #wait(user: UpstreamUser): void {
    const until = this.context.clock.monotonic() + this.options.connectTimeoutMs
    if (!this.#waiting.add(user, until)) {
      user.failed('busy', 'waiting line is full')
      return
    }
    // A closed pool may have left the sweep
    this.context.sweep.add(this)
    if (this.#waiting.size === 1) this.deadline = until
  }

  /** A user that waits gives up. */
  cancel(user: UpstreamUser): void {
    this.#waiting.delete(user)
  }

  release(connection: UpstreamConnection): void {
    this.#give(connection)
    const next = this.#waiting.next(this.#share)
    const isReused = next !== null && this.#mayReuse(next)
    if (isReused) this.#use(connection, next)
    else if (this.#isClosed) connection.abandon()
    else this.#idle.push(connection)
    if (next !== null && !isReused) this.#connectFresh(next)
    this.#serve()
  }

  gone(connection: UpstreamConnection): void {
    this.#give(connection)
    this.#all.delete(connection)
    const index = this.#idle.lastIndexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#serve()
    this.#settle()
  }

  #give(connection: UpstreamConnection): void {
    if (connection.holder === null) return
    this.#share.give(connection.holder)
    connection.holder = null
  }

  /** Serves those that wait and may take a connection now. */
  #serve(): void {
    if (this.#waiting.size === 0) return
    for (;;) {
      const next = this.#waiting.next(this.#share)
      if (next === null) return
      this.#begin(next)
    }
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
    this.deadline = this.#waiting.expire(this.context.clock.monotonic(), (user) =>
      user.failed('busy', 'waited too long for a connection'),
    )
  }

  #connect(user: UpstreamUser): void {
    this.#share.take(user.holder)
    const connection = new UpstreamConnection(this, user)
    connection.holder = user.holder
    this.#all.add(connection)
    user.connecting(connection)
  }

  #settle(): void {
    if (!this.#isClosed || this.#all.size > 0 || this.#waiting.size > 0) return
    this.context.sweep.delete(this)
    this.#onClosed(this)
  }
}
