/** Servers that take what sinks send, and that misbehave as a test tells them. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'

export const WEBHOOK_SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, or so').toString('base64')}`

export interface WebhookDelivery {
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly type: string; readonly timestamp: string; readonly data: readonly Event[] }
  /** The signature fits, by the text of the standard. */
  readonly isSigned: boolean
}

interface Event {
  readonly id?: string
  readonly seq?: number
  readonly [name: string]: unknown
}

/** Answers one delivery; the default is 204. */
export type Answering = (response: ServerResponse, delivery: WebhookDelivery) => void

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string
  /** All that came, accepted or not. */
  readonly all: WebhookDelivery[]
  /** What was answered with 2xx. */
  readonly accepted: WebhookDelivery[]
  answer: Answering
}

export const accept: Answering = (response) => response.writeHead(204).end()

export async function startWebhook(): Promise<WebhookReceiver> {
  const all: WebhookDelivery[] = []
  const accepted: WebhookDelivery[] = []
  const key = Buffer.from(WEBHOOK_SECRET.slice('whsec_'.length), 'base64')
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString()
      const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers
      const signed = createHmac('sha256', key).update(`${id}.${at}.${text}`).digest('base64')
      const delivery = {
        headers: request.headers,
        body: JSON.parse(text),
        isSigned: signature === `v1,${signed}`,
      }
      all.push(delivery)
      response.on('finish', () => {
        if (response.statusCode < 300) accepted.push(delivery)
      })
      receiver.answer(response, delivery)
    })
  })
  await listening(server)
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    all,
    accepted,
    answer: accept,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}

async function listening(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}

export interface SyslogReceiver extends AsyncDisposable {
  readonly port: number
  /** Messages without their lengths, as octet counting tells them apart. */
  readonly messages: string[]
  /** Ends all connections, as a server that dies does. */
  cut(): void
}

/** @param make makes the server: of TCP, or with TLS */
export async function startSyslog(
  make: (taken: (socket: Socket) => void) => Server = createTcpServer,
): Promise<SyslogReceiver> {
  const messages: string[] = []
  const sockets = new Set<Socket>()
  const server = make((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let rest = Buffer.alloc(0)
    socket.on('data', (piece: Buffer) => {
      rest = Buffer.concat([rest, piece])
      for (;;) {
        const space = rest.indexOf(' ')
        if (space === -1) return
        const length = Number(rest.subarray(0, space).toString())
        if (!Number.isInteger(length)) return void socket.destroy()
        if (rest.length < space + 1 + length) return
        messages.push(rest.subarray(space + 1, space + 1 + length).toString())
        rest = rest.subarray(space + 1 + length)
      }
    })
  })
  await listening(server)
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
