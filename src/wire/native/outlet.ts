/**
 * Writes to sockets. The outlet of TLS encrypts from one buffer of the thread, and asks whether a write has ended only
 * when the next write comes before its end.
 */
import type { Socket } from 'node:net'
import { fillAround, wholeBody } from '../kept-bytes.ts'
import {
  destroyFor,
  fittingHandle,
  type Handle,
  handleOf,
  INTERNALS,
  type Internals,
  type WriteRequest,
} from './direct.ts'
import { joined } from './grammar.ts'

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
class TlsOutlet implements Outlet {
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

const NOTHING = Buffer.alloc(0)

/**
 * Bytes of one socket that arrived and were not interpreted yet. Readers move `at` up to `end`. Copies are no part of a slab of Node, which the
 * beginning of a request of a slow client would hold.
 */
export class Unread {
  bytes: Buffer = NOTHING
  at = 0
  end = 0
  /** False while `bytes` belongs to someone who will use it again. */
  #own = false

  get length(): number {
    return this.end - this.at
  }

  /** Adds bytes; without copying when nothing was unread. Whoever will change them calls {@link keep} before. */
  add(bytes: Buffer, length: number): void {
    if (this.at === this.end) {
      this.bytes = bytes
      this.at = 0
      this.end = length
      this.#own = false
      return
    }
    const need = this.end - this.at + length
    if (!this.#own || this.bytes.length - this.end < length) {
      // Twice the need, so that a peer that sends single bytes costs linear work
      const grown = Buffer.allocUnsafeSlow(need * 2)
      this.bytes.copy(grown, 0, this.at, this.end)
      this.end -= this.at
      this.at = 0
      this.bytes = grown
      this.#own = true
    }
    bytes.copy(this.bytes, this.end, 0, length)
    this.end += length
  }

  /** Copies what is left out of shared memory, or lets go of it. */
  keep(): void {
    if (this.at === this.end) this.clear()
    else if (!this.#own) {
      const copy = Buffer.allocUnsafeSlow(this.length * 2)
      this.bytes.copy(copy, 0, this.at, this.end)
      this.end -= this.at
      this.at = 0
      this.bytes = copy
      this.#own = true
    }
  }

  clear(): void {
    this.bytes = NOTHING
    this.at = 0
    this.end = 0
    this.#own = false
  }
}
