import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { ServiceAddress } from '../port.ts'
import { type Connect, secured } from '../socket.ts'

/** Codes of requests in the place of a start: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = [8, 80_877_103]
const CANCEL_CODE = 80_877_102
/** For the whole request, milliseconds. */
const CANCEL_MS = 5000

/**
 * Has the server end a statement, over a connection of its own to the same address. Never rejects: if it fails, the statement ends by
 * its own timeout.
 */
export async function cancelStatement(
  to: ServiceAddress,
  address: string,
  [processId, secretKey]: readonly [number, number],
  connect: Connect,
): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_MS)
  let socket: Socket | null = null
  try {
    socket = await connect({ host: address, port: to.port }, signal)
    if (to.tls) {
      socket.write(words(SSL_REQUEST))
      const [answer] = (await once(socket, 'data', { signal })) as [Buffer]
      if (answer.toString() !== 'S') return
      socket = await secured(socket, to, signal)
    }
    socket.write(words([16, CANCEL_CODE, processId, secretKey]))
    socket.resume()
    // The server closes it when it has done so
    if (!socket.closed) await once(socket, 'close', { signal })
  } catch {
    // Told by the statement alone, which ends by its own timeout
  } finally {
    socket?.destroy()
  }
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value | 0, 4 * index)
  return bytes
}
