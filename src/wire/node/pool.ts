import { Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { Socket } from 'node:net'
import { PoolShare, WaitingLine } from '../../base/memory/pool-share.ts'
import { type CallAnswer, CUT, Gathering, PAUSE, type Verdict } from '../gathering.ts'
import { HandingOver } from '../handing-over.ts'
import { POOLED_MS } from '../limits.ts'
import { type Context, judgeAddress } from '../native/context.ts'
import type { ResponseHead } from '../native/response-head.ts'
import type { Timed } from '../native/sweep.ts'
import type {
  AnswerReader,
  CallHandle,
  CallRequest,
  CallResult,
  ForwardRequest,
  StreamHandle,
  StreamRequest,
  Upstream,
  UpstreamFailure,
  UpstreamOptions,
} from '../port.ts'
import { tlsConnectionOptions } from '../upstream-tls.ts'
import { type Receiver, Sending, type SendingPool } from './sending.ts'

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

/** One request from within the process, whose body is at hand. */
class NodeCall implements Receiver, StreamHandle {
  readonly #pool: SendingPool
  readonly #idleTimeoutMs: number | undefined
  readonly #answer: CallAnswer
  /** Null once the answer has begun. */
  #body: Uint8Array | null
  #sending: Sending
  readonly #began: ForwardRequest['began']
  #again: ForwardRequest['again']
  #isOver = false

  constructor(pool: SendingPool, request: StreamRequest, answer: CallAnswer) {
    this.#pool = pool
    this.#idleTimeoutMs = request.idleTimeoutMs
    this.#body = request.body
    this.#answer = answer
    this.#sending = this.#sendingOf(request)
    this.#began = request.began
    this.#again = request.again ?? null
    // Never before the caller holds its handle
    process.nextTick(() => {
      if (!this.#isOver) pool.submit(this.#sending)
    })
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sending.abandon()
  }

  resume(): void {
    if (!this.#isOver) this.#sending.resume()
  }

  started(now: number): void {
    this.#answer.upstreamAt = now
  }

  interim(): void {}

  writable(): void {}

  answered(head: ResponseHead, now: number): void {
    this.#began?.(head.status)
    if (this.#isOver || (this.#again !== null && this.#goesAgain(head))) return
    this.#body = null
    this.#goOn(this.#answer.head(head.status, head.pass, now))
  }

  /** See the exchange of a listener: its own request goes again in the same way. */
  #goesAgain({ status, pass }: ResponseHead): boolean {
    const next = this.#again!(status, pass)
    this.#again = null
    if (next === null) return false
    this.#sending.abandon()
    void next.then((request) => {
      if (this.#isOver) return
      if ('inner' in request) {
        this.failed('credential', request.inner)
        return
      }
      this.#again = request.again ?? null
      this.#sending = this.#sendingOf(request)
      this.#pool.submit(this.#sending)
    })
    return true
  }

  data(bytes: Buffer): boolean {
    if (this.#isOver) return true
    return this.#goOn(this.#answer.piece(bytes, 0, bytes.length, false))
  }

  #goOn(verdict: Verdict): boolean {
    if (verdict === CUT && !this.#isOver) {
      this.#isOver = true
      this.#sending.abandon()
      this.#answer.cut()
    }
    return verdict !== PAUSE
  }

  ended(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#answer.end()
  }

  failed(failure: UpstreamFailure, inner: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#answer.failed(failure, inner)
  }

  /** Sends the body with the given head. */
  #sendingOf(request: ForwardRequest): Sending {
    const body = this.#body
    return new Sending(this.#pool, this, request, body?.length ?? 0, body, this.#idleTimeoutMs)
  }
}
