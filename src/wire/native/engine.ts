import { createServer, type Server, type Socket } from 'node:net'
import type { Engine, ListenOptions, Upstream, UpstreamOptions, WireLimits } from '../port.ts'
import { Connection } from './connection.ts'
import type { Context } from './context.ts'
import { createContext, type NativeEngineOptions } from './create-context.ts'
import { UNSENT_BYTES_MAX } from './limits.ts'
import { Pool } from './pool.ts'

const BACKLOG = 4096

/** A strict HTTP/1.1 engine on plain sockets: listeners, connections and upstream pools of one thread. */
export function createNativeEngine<State>(options: NativeEngineOptions<State>): Engine {
  return new NativeEngine(createContext(options))
}

class NativeEngine implements Engine {
  readonly #context: Context
  readonly #limits: WireLimits
  readonly #servers: Server[] = []
  readonly #connections = new Set<Connection>()
  readonly #pools = new Set<Pool>()
  #onEmpty: (() => void) | null = null

  constructor(context: Context) {
    this.#context = context
    this.#limits = context.limits
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
