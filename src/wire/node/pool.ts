import { Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { Socket } from 'node:net'
import { PoolShare, WaitingLine } from '../../base/memory/pool-share.ts'
import { Gathering } from '../gathering.ts'
import { HandingOver } from '../handing-over.ts'
import { POOLED_MS } from '../limits.ts'
import type { Context } from '../native/context.ts'
import { judgeAddress } from '../native/judged-address.ts'
import type { Timed } from '../native/sweep.ts'
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
import { tlsConnectionOptions } from '../upstream-tls.ts'
import { NodeCall } from './call.ts'
import type { Sending, SendingPool } from './sending.ts'

/** The connections to one server: an Agent keeps them, and requests beyond the cap wait here in line. */
export class NodePool implements SendingPool, Upstream, Timed {
  deadline = Infinity
  readonly shared: Context
  readonly options: UpstreamOptions
  readonly agent: PlainAgent
  readonly known = new WeakSet<Socket>()
  readonly where: { host: string; port: number } | { socketPath: string }
  readonly #active = new Set<Sending>()
  readonly #waiting: WaitingLine<Sending>
  readonly #share: PoolShare
  readonly #onClosed: (pool: NodePool) => void
  #isClosed = false
  /** Why nothing is connected to; null when the address is admitted. */
  readonly #fault: string | null

  constructor(shared: Context, options: UpstreamOptions, onClosed: (pool: NodePool) => void) {
    this.shared = shared
    this.options = options
    this.#onClosed = onClosed
    const { address, tls, connectionsMax, waitingMax } = options
    this.#share = new PoolShare(connectionsMax)
    this.#waiting = new WaitingLine(waitingMax)
    const { fault, lookup } = judgeAddress(shared, options)
    this.#fault = fault
    this.where =
      'socketPath' in address
        ? { socketPath: address.socketPath }
        : { host: address.host, port: address.port }
    const kept = {
      keepAlive: true,
      maxSockets: connectionsMax,
      maxFreeSockets: connectionsMax,
      // The one used last is used next, so that surplus ones grow old and are closed
      scheduling: 'lifo' as const,
      timeout: POOLED_MS,
      noDelay: true,
      lookup,
    }
    this.agent = tls === null ? new PlainAgent(kept) : new TlsAgent({ ...kept, ...tlsConnectionOptions(tls) })
    shared.sweep.add(this)
  }

  get open(): number {
    return count(this.agent.sockets) + this.idle
  }

  get idle(): number {
    return count(this.agent.freeSockets)
  }

  call(request: CallRequest, done: (result: CallResult) => void): CallHandle {
    return new NodeCall(this, request, new Gathering(request, done, this.shared.fault))
  }

  stream(request: StreamRequest, reader: AnswerReader): StreamHandle {
    return new NodeCall(this, request, new HandingOver(request, reader, this.shared.fault))
  }

  submit(sending: Sending): void {
    if (this.#fault !== null) sending.refuse('unreachable', this.#fault)
    else if (this.#share.mayTake(sending.holder)) this.#begin(sending)
    else {
      const until = this.shared.clock.monotonic() + this.options.connectTimeoutMs
      if (!this.#waiting.add(sending, until)) sending.refuse('busy', 'waiting line is full')
      else if (this.#waiting.size === 1) this.deadline = until
    }
  }

  done(sending: Sending): void {
    this.#waiting.delete(sending)
    if (!this.#active.delete(sending)) return
    this.#share.give(sending.holder)
    for (;;) {
      const next = this.#waiting.next(this.#share)
      if (next === null) break
      this.#begin(next)
    }
    this.#settle()
  }

  forgetIdle(): void {
    for (const sockets of Object.values(this.agent.freeSockets))
      for (const socket of [...(sockets ?? [])]) socket.destroy()
  }

  close(): void {
    this.#isClosed = true
    this.forgetIdle()
    this.#settle()
  }

  /** Ends everything at once; receivers hear nothing more. */
  destroy(): void {
    this.#isClosed = true
    this.#waiting.clear()
    for (const sending of [...this.#active]) sending.abandon()
    this.agent.destroy()
    this.#settle()
  }

  expired(): void {
    this.deadline = this.#waiting.expire(this.shared.clock.monotonic(), (sending) =>
      sending.refuse('busy', 'waited too long for a connection'),
    )
  }

  #begin(sending: Sending): void {
    this.#active.add(sending)
    this.#share.take(sending.holder)
    sending.begin()
  }

  #settle(): void {
    if (!this.#isClosed || this.#active.size > 0 || this.#waiting.size > 0) return
    this.shared.sweep.delete(this)
    // A connection whose answer just ended goes back to the agent after this turn
    setImmediate(() => this.agent.destroy())
    this.#onClosed(this)
  }
}

/** An agent forgets what was destroyed a turn later. */
function count(sockets: NodeJS.ReadOnlyDict<readonly Socket[]>): number {
  return Object.values(sockets)
    .flatMap((each) => each ?? [])
    .filter(({ destroyed }) => !destroyed).length
}
