import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

/** Servers that do with each connection what they are told, on loopback. */
export class Misbehaving {
  readonly #servers: Server[] = []

  /** @param talk Must read from the socket, else its end is not noticed. */
  async start(talk: (socket: Socket) => void) {
    const sockets = new Set<Socket>()
    const pieces: Buffer[] = []
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => {})
      socket.on('data', (piece: Buffer) => pieces.push(piece))
      talk(socket)
    })
    this.#servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      port,
      /** Open ones. */
      sockets,
      /** All that was sent to it. */
      received: () => Buffer.concat(pieces).toString('latin1'),
    }
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }
}
