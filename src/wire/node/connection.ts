import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { RefusalCode } from '../../base/refusal.ts'
import { BodyPace, FIRST_REQUEST_MS, LINGER_MS } from '../limits.ts'
import type { Timed } from '../native/sweep.ts'
import type { NodeContext } from './context.ts'
import { NodeExchange } from './exchange.ts'
import { headOf } from './lines.ts'

/** A request that Node has read, or the fault it found in the place of one. */
interface Arrived {
  readonly incoming: IncomingMessage | null
  readonly response: ServerResponse | null
  /** A fault in its head, or in as much of its body as came with it. */
  fault: RefusalCode | null
}

/**
 * One caller's connection. Node reads ahead and announces requests before those in front of them are answered; here
 * they wait, so that one is judged at a time, and none behind a refused one is looked at.
 */
export class NodeConnection implements Timed {
  deadline = Infinity
  readonly socket: Socket
  readonly peer: string
  readonly listener: number
  /** The connection ends with the answer in progress. */
  closes = false
  readonly #context: NodeContext
  readonly #onGone: (connection: NodeConnection) => void
  readonly #queue: Arrived[] = []
  readonly #pace: BodyPace
  #isBodyAwaited = false
  #newest: Arrived | null = null
  #exchange: NodeExchange | null = null
  /** From a head to the moment its answer has left. */
  #isBusy = false
  #isSending = false
  #isGone = false
  /** What it had sent when the last answer had left: whatever came since is the beginning of a head. */
  #readBefore = 0
  /** Since when the connection waits for a request, beyond the time for the first one. */
  #idleFrom: number

  constructor(
    context: NodeContext,
    socket: Socket,
    listener: number,
    onGone: (connection: NodeConnection) => void,
  ) {
    this.#context = context
    this.socket = socket
    this.listener = listener
    this.#onGone = onGone
    const address = socket.remoteAddress ?? ''
    // An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) as IPv4, so that rules need one form only
    this.peer = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
    this.#pace = new BodyPace(context.shared.limits)
    const now = context.shared.clock.monotonic()
    this.#idleFrom = now + FIRST_REQUEST_MS
    this.deadline = now + context.shared.limits.headTimeoutMs
    context.shared.sweep.add(this)
    // Node ends connections by this, at once: a reset would destroy an answer that the caller has not read
    socket.destroySoon = () => this.#linger()
    socket.on('end', () => {
      if (this.#exchange !== null) this.destroy()
    })
    socket.on('close', () => this.#gone())
  }

  /** A head has arrived. */
  arrived(incoming: IncomingMessage, response: ServerResponse): void {
    this.#add({ incoming, response, fault: null })
  }

  /** A method that makes tunnels: Node hands over the socket, and nothing more is read from it. */
  tunnel(incoming: IncomingMessage): void {
    this.#add({ incoming, response: null, fault: null })
  }

  /** Node could not read on. */
  broken(code: RefusalCode | null): void {
    if (this.#isGone) return
    if (code === null || (code === 'request_timeout' && this.#isSilent)) {
      this.destroy()
      return
    }
    const newest = this.#newest
    if (newest?.incoming != null && !newest.incoming.complete) {
      newest.fault = code
      if (this.#queue.length === 0) this.#exchange?.refuse(code, 'body')
    } else this.#add({ incoming: null, response: null, fault: code })
  }

  /** The caller's socket is full, or takes more again. */
  full(isFull: boolean): void {
    const { clock, limits } = this.#context.shared
    this.#isSending = isFull
    this.deadline = isFull ? clock.monotonic() + limits.sendTimeoutMs : Infinity
  }

  /** The next piece of a body is awaited, or not; a body that is awaited anew must be whole in the given time. */
  awaitBody(isAwaited: boolean, withinMs = Infinity): void {
    const isNew = isAwaited && !this.#isBodyAwaited
    this.#isBodyAwaited = isAwaited
    const now = this.#context.shared.clock.monotonic()
    const deadline = isNew
      ? this.#pace.begin(now, this.#exchange?.outcome.bytesIn ?? 0, now + withinMs)
      : this.#pace.piece(now)
    if (!this.#isSending) this.deadline = isAwaited ? deadline : Infinity
  }

  /** The last byte of the answer was handed over. */
  ended(hasResponse: boolean): void {
    this.#exchange = null
    if (this.#isGone) return
    this.full(true)
    if (!hasResponse) this.#linger()
  }

  /** Ends in the middle of an answer, so that the caller cannot take it for complete. */
  breakOff(byReset: boolean): void {
    if (byReset) this.socket.resetAndDestroy()
    else this.socket.destroy()
    this.#gone()
  }

  destroy(): void {
    this.socket.destroy()
    this.#gone()
  }

  /** Ends the connection if it has waited for a request since `since` or earlier (monotonic milliseconds). */
  drain(since: number): void {
    if (!this.closes && this.#isSilent && this.#idleFrom <= since) this.#linger()
  }

  expired(): void {
    if (this.#isSending || this.#isSilent) this.destroy()
    else {
      const exchange = this.#exchange
      const now = this.#context.shared.clock.monotonic()
      const next =
        this.#isBodyAwaited && exchange !== null ? this.#pace.expired(now, exchange.outcome.bytesIn) : null
      // Node sees to it that a head comes in time
      this.deadline = next ?? Infinity
      if (next === null) exchange?.refuse('request_timeout', 'body')
    }
  }

  /** Nothing is under way, and nothing has come since. */
  get #isSilent(): boolean {
    return !this.#isBusy && this.socket.bytesRead === this.#readBefore
  }

  #add(arrived: Arrived): void {
    if (this.closes || this.#isGone) return
    this.#newest = arrived
    if (!this.#isBusy) {
      this.#start(arrived)
      return
    }
    this.#queue.push(arrived)
    this.socket.pause()
  }

  #start({ incoming, response, fault }: Arrived): void {
    const { requestHead: head, clock } = this.#context.shared
    this.#isBusy = true
    this.#isBodyAwaited = false
    this.#isSending = false
    this.deadline = Infinity
    head.clear()
    let code = fault
    if (incoming !== null) {
      const { method, url, httpVersionMajor, httpVersionMinor, rawHeaders } = incoming
      const bytes = headOf(`${method} ${url} HTTP/${httpVersionMajor}.${httpVersionMinor}`, rawHeaders)
      code = head.parse(bytes, 0, bytes.length) ?? fault
      incoming.on('error', () => {})
    }
    const exchange = new NodeExchange(this.#context, this, head, incoming, response, clock.monotonic())
    this.#exchange = exchange
    response?.on('finish', () => this.#flushed())
    response?.on('drain', () => {
      if (this.#exchange !== exchange) return
      this.full(false)
      exchange.drained()
    })
    if (response === null || code !== null) {
      exchange.refuse(code ?? 'method_not_allowed', code === fault ? 'message' : head.inner)
      return
    }
    if (head.close) this.closes = true
    if (exchange.bodyBytes === 0) this.#context.request(exchange)
    // Node tells of a fault in what has arrived of the body after this turn: it then reaches nobody
    else setImmediate(() => exchange.begin())
  }

  #flushed(): void {
    this.full(false)
    this.#isBusy = false
    if (this.#isGone) return
    if (this.closes) {
      this.#linger()
      return
    }
    const next = this.#queue.shift()
    if (this.#queue.length === 0) this.socket.resume()
    if (next !== undefined) this.#start(next)
    else {
      const { clock, limits } = this.#context.shared
      this.#readBefore = this.socket.bytesRead
      this.#idleFrom = clock.monotonic()
      this.deadline = this.#idleFrom + limits.idleTimeoutMs
    }
  }

  #linger(): void {
    this.closes = true
    this.#queue.length = 0
    const { clock, limits } = this.#context.shared
    this.#isSending = true
    this.deadline = clock.monotonic() + (this.socket.writableLength > 0 ? limits.sendTimeoutMs : LINGER_MS)
    this.socket.end()
    this.socket.resume()
  }

  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#queue.length = 0
    this.#context.shared.sweep.delete(this)
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.abort()
    this.#onGone(this)
  }
}
