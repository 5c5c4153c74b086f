import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** Answers each short text frame with a frame of the same text. */
function echo(socket: Duplex, bytes: Buffer): void {
  for (let at = 0; at + 6 <= bytes.length; ) {
    const length = bytes[at + 1]! & 0x7f
    const mask = bytes.subarray(at + 2, at + 6)
    const data = Buffer.from(bytes.subarray(at + 6, at + 6 + length)).map((byte, i) => byte ^ mask[i % 4]!)
    socket.write(Buffer.concat([Buffer.from([bytes[at]!, length]), data]))
    if ((bytes[at]! & 0x0f) === 8) socket.end()
    at += 6 + length
  }
}

/** For the event `upgrade` of an origin: opens a WebSocket that says again what it is told. */
export function echoes(request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Caller: ${request.headers['authorization'] ?? 'none'}\r\n\r\n`,
  )
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => echo(socket, bytes))
  if (head.length > 0) echo(socket, head)
}

/** A WebSocket of Node, which takes headers beside what browsers know. @param url of HTTP */
export function openSocket(url: string, headers: Record<string, string>): WebSocket {
  const Client = WebSocket as unknown as new (url: string, options: object) => WebSocket
  return new Client(url.replace('http', 'ws'), { headers })
}

export function once(socket: WebSocket, name: 'open' | 'message' | 'close' | 'error'): Promise<Event> {
  return new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }))
}

/** What it says to `text`; rejects when it closes instead. */
export async function say(socket: WebSocket, text: string): Promise<unknown> {
  const heard = new Promise<Event>((resolve, reject) => {
    socket.addEventListener('message', resolve, { once: true })
    socket.addEventListener('close', () => reject(new Error(`closed before ${text}`)), { once: true })
  })
  socket.send(text)
  return ((await heard) as MessageEvent).data
}
