import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import type {
  Engine,
  FieldRules,
  Handler,
  Incoming,
  ListenOptions,
  Upstream,
  UpstreamOptions,
  WireLimits,
} from '../port.ts'
import { Connection } from './connection.ts'
import type { Context } from './context.ts'
import { Exchange } from './exchange.ts'
import { DEFAULT_LIMITS, READ_BYTES, SWEEP_MS, UNSENT_BYTES_MAX } from './limits.ts'
import { Pool } from './pool.ts'
import { RequestHead } from './request-head.ts'
import { compileRules } from './request-rules.ts'
import { createLookup } from './resolver.ts'
import { answerTable, ResponseHead } from './response-head.ts'
import { Sweep } from './sweep.ts'

export interface NativeEngineOptions<State> {
  readonly handler: Handler<State>
  readonly rules: FieldRules
  readonly clock: Clock
  /** Those not given are {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<WireLimits>
  /** Lower-case names that are never passed on from an upstream's answer; `server` by default. */
  readonly stripAnswers?: readonly string[]
  /** Told of what a handler threw. The request was answered with internal_error where that was still possible. */
  readonly onFault?: (error: unknown) => void
  /** How often deadlines are looked at, milliseconds. */
  readonly sweepMs?: number
}

const BACKLOG = 4096

/** A strict HTTP/1.1 engine on plain sockets: listeners, connections and upstream pools of one thread. */
export function createNativeEngine<State>(options: NativeEngineOptions<State>): Engine {
  return new NativeEngine(options)
}

class NativeEngine<State> implements Engine {
  readonly #context: Context
  readonly #limits: WireLimits
  readonly #servers: Server[] = []
  readonly #connections = new Set<Connection>()
  readonly #pools = new Set<Pool>()
  #onEmpty: (() => void) | null = null

  constructor(options: NativeEngineOptions<State>) {
    const { clock } = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    const context: Context = {
      clock,
      limits: this.#limits,
      sweep: new Sweep(clock, options.sweepMs ?? SWEEP_MS, () => {
        context.dateLine = dateLineOf(clock)
      }),
      requestHead: new RequestHead(compileRules(options.rules), this.#limits),
      responseHead: new ResponseHead(answerTable(options.stripAnswers ?? ['server'])),
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      lookup: createLookup(clock),
      dateLine: dateLineOf(clock),
      draining: false,
      ...guarded(options),
    }
    this.#context = context
  }

  get connections(): number {
    return this.#connections.size
  }

  listen({ host, port, reusePort }: ListenOptions): Promise<number> {
    const listener = this.#servers.length
    let open = 0
    const server = createServer({ noDelay: true, highWaterMark: UNSENT_BYTES_MAX }, (socket: Socket) => {
      if (open >= this.#limits.connectionsMax || this.#context.draining) {
        socket.destroy()
        return
      }
      open++
      this.#connections.add(
        new Connection(this.#context, socket, listener, (connection) => {
          open--
          this.#connections.delete(connection)
          if (this.#connections.size === 0) this.#onEmpty?.()
        }),
      )
    })
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
        server.off('error', reject)
        // Accepting fails when descriptors run out: the next attempt comes with the next caller
        server.on('error', (error) => this.#context.fault(error))
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  upstream(options: UpstreamOptions): Upstream {
    const pool = new Pool(this.#context, options, (closed) => this.#pools.delete(closed))
    this.#pools.add(pool)
    return pool
  }

  drain(deadlineMs: number): Promise<void> {
    this.#context.draining = true
    for (const server of this.#servers) server.close()
    for (const connection of this.#connections) connection.drain()
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#onEmpty = null
        resolve()
      }
      const timer = setTimeout(end, deadlineMs)
      this.#onEmpty = end
      if (this.#connections.size === 0) end()
    })
  }

  close(): void {
    this.#context.draining = true
    for (const server of this.#servers) server.close()
    for (const connection of this.#connections) connection.destroy()
    for (const pool of this.#pools) pool.destroy()
    this.#context.sweep.stop()
  }
}

/** The handler's methods as the engine may call them: whatever they throw stays here. */
function guarded<State>(
  options: NativeEngineOptions<State>,
): Pick<Context, 'request' | 'refused' | 'finished' | 'fault'> {
  const { handler } = options
  const fault = options.onFault ?? (() => {})
  // The engine never looks into `state`, so every exchange serves every State
  const seen = (incoming: Incoming): Incoming<State> => incoming as Incoming<State>
  return {
    fault,
    request(incoming) {
      try {
        handler.request(seen(incoming))
      } catch (error) {
        fault(error)
        if (isOpen(incoming)) this.refused(incoming, 'internal_error', String(error))
      }
    },
    refused(incoming, code: RefusalCode, inner) {
      try {
        handler.refused(seen(incoming), code, inner)
      } catch (error) {
        fault(error)
        if (isOpen(incoming)) incoming.answer(500, '', '')
      }
    },
    finished(incoming) {
      try {
        handler.finished(seen(incoming))
      } catch (error) {
        fault(error)
      }
    },
  }
}

function isOpen(incoming: Incoming): boolean {
  return incoming instanceof Exchange && incoming.isOpen
}

function dateLineOf(clock: Clock): string {
  return `Date: ${new Date(clock.now()).toUTCString()}\r\n`
}
