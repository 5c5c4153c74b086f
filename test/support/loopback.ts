import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An HTTP service on a free loopback port, from `listen` until it is disposed of. */
export abstract class Loopback implements AsyncDisposable {
  readonly #server = createServer((incoming, outgoing) => {
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => this.answer(incoming, outgoing, Buffer.concat(pieces).toString()))
  })

  protected abstract answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): unknown

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  get isListening(): boolean {
    return this.#server.listening
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
