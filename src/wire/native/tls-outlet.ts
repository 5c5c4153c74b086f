import type { Socket } from 'node:net'
import { wholeBody } from '../kept-bytes.ts'
import { destroyFor, type Handle, handleOf, type Internals, type WriteRequest } from './direct.ts'
import { joined } from './message.ts'
import type { Outlet } from './outlet.ts'

/** Plain text that fits one record (RFC 8446 5.1). What is longer goes the public way. */
const RECORD_BYTES_MAX = 16_384

/** What is to be encrypted, of all sockets of the thread. Node does that before a write returns, and keeps none of it. */
const record = Buffer.allocUnsafeSlow(RECORD_BYTES_MAX)

/** The beginnings of `record` by length: the same lengths come again and again, and to make a view costs much. */
const beginnings = new Array<Buffer | undefined>(RECORD_BYTES_MAX + 1)

/**
 * The writing side of a TLS socket. Node never says that the system took a write at once: it tells of each end later,
 * by a call, with an object that was made for it, and a second direct write before that would abort the process. So one
 * object serves all writes of a socket, and is asked at the next one whether the last has ended; only when it has not is
 * the call wanted, and while nothing is read: then nothing else tells of a broken connection. Saves a twelfth of the CPU
 * of a request.
 */
export class TlsOutlet implements Outlet {
  readonly #socket: Socket
  readonly #onDrain: () => void
  /** Null when everything goes the public way. */
  readonly #internals: Internals | null
  /** Of the last direct write. */
  #request: WriteRequest | null = null
  /** That write may still be under way. */
  #isOpen = false
  /** The end of that write will be told. */
  #waits = false
  /** What follows it. */
  #buffered: (string | Buffer)[] = []
  #bufferedBytes = 0
  #ends = false

  constructor(socket: Socket, onDrain: () => void, internals: Internals | null) {
    this.#socket = socket
    this.#onDrain = onDrain
    this.#internals = internals
  }

  write(data: string | Buffer): boolean {
    if (this.#isUnderWay()) return this.#hold(data)
    const handle = typeof data === 'string' && data.length <= RECORD_BYTES_MAX ? this.#free() : null
    if (handle !== null) {
      latin1Write(data as string)
      if (this.#give(handle, data.length)) return true
    }
    return this.#socket.write(data, 'latin1')
  }

  writeBoth(text: string, bytes: Buffer, from: number, to: number): boolean {
    const length = text.length + to - from
    if (length === 0) return true
    if (length <= RECORD_BYTES_MAX && !this.#isUnderWay()) {
      const handle = this.#free()
      if (handle !== null) {
        latin1Write(text)
        bytes.copy(record, text.length, from, to)
        if (this.#give(handle, length)) return true
      }
    }
    return this.write(joined(text, bytes, from, to, ''))
  }

  writeAround(before: string, bytes: Buffer, after: string): boolean {
    return this.write(wholeBody({ before, bytes, after }))
  }

  watch(): void {
    this.#isUnderWay()
  }

  end(): void {
    if (this.#isUnderWay()) this.#ends = true
    else this.#socket.end()
  }

  /** What takes a direct write; null when everything goes the public way, or what was written before goes first. */
  #free(): Handle | null {
    return this.#internals === null || this.#socket.writableLength > 0 ? null : handleOf(this.#socket)
  }

  /** Writes the beginning of `record`. False on an error, which comes again where Node tells of it. */
  #give(handle: Handle, length: number): boolean {
    this.#request ??= new this.#internals!.WriteRequest()
    const request = this.#request
    const isPaused = this.#socket.isPaused()
    // It may end at once, and badly
    if (isPaused) this.#tell(request)
    beginnings[length] ??= record.subarray(0, length)
    const isTaken = handle.writeBuffer(request, beginnings[length]) === 0
    if (!isPaused) this.#isOpen = isTaken
    else if (!isTaken) this.#waits = false
    return isTaken
  }

  /** A direct write is under way; then its end will be told. */
  #isUnderWay(): boolean {
    if (this.#waits) return true
    if (!this.#isOpen) return false
    this.#isOpen = false
    const request = this.#request!
    if (request.getAsyncId() < 0) return false
    this.#tell(request)
    return true
  }

  #tell(request: WriteRequest): void {
    request.oncomplete = (status) => this.#completed(status)
    this.#request = null
    this.#waits = true
  }

  #hold(data: string | Buffer): boolean {
    this.#buffered.push(data)
    this.#bufferedBytes += data.length
    return this.#bufferedBytes < this.#socket.writableHighWaterMark
  }

  #completed(status: number): void {
    this.#waits = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (status < 0) {
      destroyFor(socket, status)
      return
    }
    const wasFull = this.#bufferedBytes >= socket.writableHighWaterMark
    for (const data of this.#buffered) socket.write(data, 'latin1')
    this.#buffered = []
    this.#bufferedBytes = 0
    if (this.#ends) socket.end()
    else if (wasFull && !socket.writableNeedDrain) this.#onDrain()
  }
}

/** At the beginning of `record`. `write` looks at its arguments and the encoding's name on every call. */
function latin1Write(text: string): void {
  // Part of every Buffer, though not of its type
  ;(record as Buffer & { latin1Write(text: string, at: number): number }).latin1Write(text, 0)
}
