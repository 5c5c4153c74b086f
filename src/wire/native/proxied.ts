import type { Socket } from 'node:net'
import { PROXY_PREFACE_BYTES, plainAddress, proxiedPeer, proxyRestBytes } from './proxy-header.ts'

const EMPTY = Buffer.alloc(0)

/** Callers behind connections that a proxy has announced, by the ends of the connection: TLS hides the socket below it. */
export class Proxied {
  readonly #peers = new Map<string, string>()
  readonly #waiting = new Set<Socket>()

  /** The caller of a connection: whom the proxy named, or else the peer. */
  peerOf(socket: Socket): string {
    const peer = plainAddress(socket.remoteAddress ?? '')
    return this.#peers.size === 0 ? peer : (this.#peers.get(endsOf(socket)) ?? peer)
  }

  /** Reads the header and then calls `done`, with everything after it unread. Closes on any other beginning. */
  read(socket: Socket, timeoutMs: number, done: (socket: Socket) => void): void {
    let preface: Buffer | null = null
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    this.#waiting.add(socket)
    const end = (): void => {
      clearTimeout(timer)
      this.#waiting.delete(socket)
      socket.off('readable', step)
    }
    const step = (): void => {
      if (preface === null) {
        preface = take(socket, PROXY_PREFACE_BYTES)
        if (preface === null) return
      }
      const bytes = proxyRestBytes(preface)
      const rest = bytes === 0 ? EMPTY : bytes === null ? null : take(socket, bytes)
      if (bytes !== null && rest === null) return
      const peer = rest === null ? null : proxiedPeer(preface, rest)
      end()
      if (peer === null) {
        socket.destroy()
        return
      }
      if (peer !== undefined) {
        const ends = endsOf(socket)
        this.#peers.set(ends, peer)
        socket.on('close', () => this.#peers.delete(ends))
      }
      done(socket)
    }
    socket.on('readable', step)
    // 'close' follows
    socket.on('error', () => {})
    socket.once('close', end)
    step()
  }

  /** Ends the connections whose header has not come. */
  destroy(): void {
    for (const socket of this.#waiting) socket.destroy()
  }
}

/** Exactly so many bytes; null while they are not there. A sender that has ended before is closed. */
function take(socket: Socket, bytes: number): Buffer | null {
  // A socket without an encoding reads buffers
  const read = socket.read(bytes) as Buffer | null
  if (read !== null && read.length === bytes) return read
  if (read !== null || socket.readableEnded) socket.destroy()
  return null
}

/** Both ends of a connection; its TLS has the same. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
