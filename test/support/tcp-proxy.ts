/** A TCP proxy on loopback that cuts connections as a network does. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { ownPort } from './ports.ts'

/** What becomes of bytes of a client: the connection is cut before the server gets them, or once it has answered them. */
type Verdict = 'before' | 'after' | null

export class TcpProxy implements AsyncDisposable {
  readonly port: number
  #to: number
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Set<Socket>()
  #server: Server | null = null
  /** What the server says is dropped. */
  #isDeaf = false
  #judge: (bytes: Buffer) => Verdict = () => null
  #connections = 0

  private constructor(port: number, to: number) {
    this.port = port
    this.#to = to
  }

  /** On a port of its own, where nobody listens until {@link open}. */
  static async make(to: number): Promise<TcpProxy> {
    return new TcpProxy(await ownPort(), to)
  }

  /** Connections that were accepted. */
  get connections(): number {
    return this.#connections
  }

  open(): Promise<void> {
    this.#isDeaf = false
    const server = createServer((socket) => this.#forward(socket))
    this.#server = server
    return new Promise((done) => server.listen(this.port, '127.0.0.1', done))
  }

  /** Further connections lead to another port. */
  lead(to: number): void {
    this.#to = to
  }

  /** From now on the server still gets everything, and its answers are lost. */
  dropAnswers(): void {
    this.#isDeaf = true
  }

  /** Says something to all clients, as if the server had said it. */
  say(text: string): void {
    for (const socket of this.#clients) socket.write(text)
  }

  /** Looks at what clients send from now on. */
  judge(its: (bytes: Buffer) => Verdict): void {
    this.#judge = its
  }

  /** Ends all connections; further ones are let in. */
  reset(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Ends all connections, and lets in no further ones. */
  async cut(): Promise<void> {
    this.reset()
    const server = this.#server
    this.#server = null
    if (server !== null) await new Promise((done) => server.close(done))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cut()
  }

  #forward(socket: Socket): void {
    this.#connections++
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
    this.#clients.add(socket)
    socket.on('close', () => this.#clients.delete(socket))
    let isLast = false
    socket.on('data', (piece: Buffer) => {
      const verdict = this.#judge(piece)
      isLast ||= verdict === 'after'
      if (verdict === 'before') socket.destroy()
      else upstream.write(piece)
    })
    upstream.on('data', (piece) => {
      if (isLast) socket.destroy()
      else if (!this.#isDeaf) socket.write(piece)
    })
  }
}
