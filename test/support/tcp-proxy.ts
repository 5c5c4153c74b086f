/** A TCP proxy on loopback that cuts connections as a network does. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { ownPort } from './ports.ts'

export class TcpProxy implements AsyncDisposable {
  readonly port: number
  readonly #to: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  /** What the server says is dropped. */
  #isDeaf = false

  private constructor(port: number, to: number) {
    this.port = port
    this.#to = to
  }

  /** On a port of its own, where nobody listens until {@link open}. */
  static async make(to: number): Promise<TcpProxy> {
    return new TcpProxy(await ownPort(), to)
  }

  open(): Promise<void> {
    this.#isDeaf = false
    const server = createServer((socket) => this.#forward(socket))
    this.#server = server
    return new Promise((done) => server.listen(this.port, '127.0.0.1', done))
  }

  /** From now on the server still gets everything, and its answers are lost. */
  dropAnswers(): void {
    this.#isDeaf = true
  }

  /** Ends all connections, and lets in no further ones. */
  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const server = this.#server
    this.#server = null
    if (server !== null) await new Promise((done) => server.close(done))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cut()
  }

  #forward(socket: Socket): void {
    const upstream = connect(this.#to, '127.0.0.1')
    const pair = [socket, upstream]
    for (const one of pair) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        this.#sockets.delete(one)
        for (const other of pair) other.destroy()
      })
    }
    socket.pipe(upstream)
    upstream.on('data', (piece) => {
      if (!this.#isDeaf) socket.write(piece)
    })
  }
}
