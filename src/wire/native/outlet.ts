/**
 * Writes to sockets. The outlet of TLS encrypts from one buffer of the thread, and asks whether a write has ended only
 * when the next write comes before its end.
 */
import type { Socket } from 'node:net'
import { fillAround, wholeBody } from '../kept-bytes.ts'
import {
  destroyFor,
  fittingHandle,
  handleOf,
  INTERNALS,
  type Internals,
  type WriteRequest,
} from './direct.ts'
import { joined } from './message.ts'
import { TlsOutlet } from './tls-outlet.ts'

/** The writing side of one connected socket, of which nobody else writes or ends anything. */
export interface Outlet {
  /** Writes a Buffer, which the socket keeps, or text of latin1. False when no more should follow for now. */
  write(data: string | Buffer): boolean
  /** Writes text of latin1 and `bytes[from, to)`, which may change afterwards. False as {@link write}. */
  writeBoth(text: string, bytes: Buffer, from: number, to: number): boolean
  /** Writes bytes that do not change, between texts of latin1. False as {@link write}. */
  writeAround(before: string, bytes: Buffer, after: string): boolean
  /** The socket was paused: if what was written cannot be sent, the socket is to close nevertheless. */
  watch(): void
  /** Ends the writing side after all that was written. */
  end(): void
}

/** For a connected socket; `onDrain` is called when more may follow after a write gave false. */
export function createOutlet(socket: Socket, onDrain: () => void, internals = INTERNALS): Outlet {
  socket.on('drain', onDrain)
  const fitting = fittingHandle(socket) === null ? null : internals
  return 'encrypted' in socket
    ? new TlsOutlet(socket, onDrain, fitting)
    : new PlainOutlet(socket, onDrain, fitting)
}

/** Over TCP or a Unix socket. */
class PlainOutlet implements Outlet {
  readonly #socket: Socket
  readonly #onDrain: () => void
  /** Null when everything goes the public way. */
  readonly #internals: Internals | null
  /** The system has not taken all of a direct write yet. */
  #waits = false

  constructor(socket: Socket, onDrain: () => void, internals: Internals | null) {
    this.#socket = socket
    this.#onDrain = onDrain
    this.#internals = internals
  }

  write(data: string | Buffer): boolean {
    const socket = this.#socket
    const internals = this.#internals
    const handle = handleOf(socket)
    if (
      typeof data !== 'string' ||
      internals === null ||
      handle === null ||
      this.#waits ||
      // What was written before goes first
      socket.writableLength > 0
    )
      return socket.write(data, 'latin1')
    spare ??= new internals.WriteRequest()
    // An error comes again below, where Node tells of it
    if (handle.writeLatin1String(spare, data) !== 0) return socket.write(data, 'latin1')
    if (internals.state[internals.lastWriteWasAsync] === 0) return true
    spare.oncomplete = (status) => this.#completed(status)
    spare = null
    this.#waits = true
    return false
  }

  writeBoth(text: string, bytes: Buffer, from: number, to: number): boolean {
    const data = joined(text, bytes, from, to, '')
    return data === '' || this.write(data)
  }

  writeAround(before: string, bytes: Buffer, after: string): boolean {
    const socket = this.#socket
    const internals = this.#internals
    const handle = handleOf(socket)
    const length = before.length + bytes.length + after.length
    if (
      internals === null ||
      handle === null ||
      this.#waits ||
      socket.writableLength > 0 ||
      length > SHARED_BYTES
    )
      return socket.write(wholeBody({ before, bytes, after }))
    shared ??= Buffer.allocUnsafeSlow(SHARED_BYTES)
    fillAround(shared, before, bytes, after)
    const whole = shared.subarray(0, length)
    spare ??= new internals.WriteRequest()
    if (handle.writeBuffer(spare, whole) !== 0) return socket.write(Buffer.from(whole))
    if (internals.state[internals.lastWriteWasAsync] === 0) return true
    // The system reads the bytes until the write has ended, so they are its own until then
    spare.bytes = shared
    shared = null
    spare.oncomplete = (status) => this.#completed(status)
    spare = null
    this.#waits = true
    return false
  }

  /** A direct write that is under way tells of its end in any case. */
  watch(): void {}

  end(): void {
    this.#socket.end()
  }

  #completed(status: number): void {
    this.#waits = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (status < 0) destroyFor(socket, status)
    else if (!socket.writableNeedDrain) this.#onDrain()
  }
}

/** Bytes of an answer with its head that are written from one buffer of the thread. */
const SHARED_BYTES = 96 * 1024
/** What the system takes at once, of all sockets of the thread. */
let shared: Buffer | null = null

/** For the next write of any socket: the system touches it only when it cannot take all at once. */
let spare: WriteRequest | null = null
