import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { eventOf } from './streams.ts'

const TEXT = 0x81
const CLOSE = 0x88
/** Status 1000, the end that was meant (RFC 6455 7.4.1). */
const NORMAL = Buffer.from([0x03, 0xe8])

/** Opens a WebSocket (RFC 6455), sends `count` events, one every `everyMs`, and closes it. */
export async function sendLive(
  request: IncomingMessage,
  socket: Duplex,
  count: number,
  everyMs: number,
): Promise<void> {
  const gone = new AbortController()
  socket.once('close', () => gone.abort())
  socket.on('error', () => socket.destroy())
  // Of what the other side says only the end is of interest
  socket.on('data', (bytes: Buffer) => {
    if (bytes[0] === CLOSE) socket.end(frame(CLOSE, NORMAL))
  })
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  for (let id = 1; id <= count && socket.writable; id++) {
    socket.write(frame(TEXT, Buffer.from(eventOf(id))))
    if (id < count) await wait(everyMs, undefined, { signal: gone.signal }).catch(() => socket.destroy())
  }
  if (socket.writable) socket.end(frame(CLOSE, NORMAL))
}

/** A frame of at most 125 bytes; those of a server are not masked (RFC 6455 5.2). */
function frame(head: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([head, data.length]), data])
}
