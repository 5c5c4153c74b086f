import { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/**
 * Shortcuts into Node's sockets for which it has no public way; together about a fifth of the CPU of a request:
 * 1. `net.connect` can read into a buffer of one's own (`onread`). A server's sockets cannot be told to, and allocate
 *    64 KiB for every read.
 * 2. `socket.write` makes an object for the system and schedules a tick, also when the system takes all at once.
 *
 * Ends, errors, pausing and what the system did not take at once stay with Node. On a Node whose inside looks
 * different everything goes the public way.
 */
interface Internals {
  readonly buffer: symbol
  readonly WriteRequest: new () => WriteRequest
  /** Numbers that the last call of a handle left. */
  readonly state: ArrayLike<number>
  readonly lastWriteWasAsync: number
  /** Length of what was read, or a negative error number. */
  readonly readBytesOrError: number
}

interface WriteRequest {
  oncomplete: (status: number) => void
}

/** What lies under a TCP, Unix or TLS socket. */
interface Handle {
  onread: (this: Handle, bytes?: ArrayBuffer) => unknown
  useUserBuffer(buffer: Uint8Array): void
  /** Zero, or a negative error number. */
  writeLatin1String(request: WriteRequest, text: string): number
}

/** Null where this Node has other insides. */
export const INTERNALS: Internals | null = findInternals()

function findInternals(): Internals | null {
  const symbols = Object.getOwnPropertySymbols(new Socket())
  const buffer = symbols.find(({ description }) => description === 'kBuffer')
  // Deprecated without a replacement (DEP0111)
  const { binding } = process as { binding?: (name: string) => Record<string, unknown> }
  const stream = binding?.('stream_wrap')
  if (buffer === undefined || stream === undefined) return null
  const { WriteWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError } = stream
  if (typeof WriteWrap !== 'function') return null
  if (typeof kLastWriteWasAsync !== 'number' || typeof kReadBytesOrError !== 'number') return null
  return {
    buffer,
    WriteRequest: WriteWrap as Internals['WriteRequest'],
    state: streamBaseState as Internals['state'],
    lastWriteWasAsync: kLastWriteWasAsync,
    readBytesOrError: kReadBytesOrError,
  }
}

/** Null once the socket is destroyed. */
function handleOf(socket: Socket): Handle | null {
  return (socket as Socket & { readonly _handle: Handle | null })._handle
}

/** What lies under a socket, where the shortcuts fit it. */
function fittingHandle(socket: Socket): Handle | null {
  const handle = handleOf(socket)
  return typeof handle?.onread === 'function' &&
    typeof handle.useUserBuffer === 'function' &&
    typeof handle.writeLatin1String === 'function'
    ? handle
    : null
}

/**
 * Reads a socket into `shared`, whose first `length` bytes are the callback's only while it runs; without the shortcut
 * into buffers that Node allocates. Nothing of the socket was read before.
 */
export function readInto(
  socket: Socket,
  shared: Buffer,
  onData: (bytes: Buffer, length: number) => void,
  internals = INTERNALS,
): void {
  const handle = internals === null ? null : fittingHandle(socket)
  if (internals === null || handle === null) {
    socket.on('data', (bytes: Buffer) => onData(bytes, bytes.length))
    return
  }
  const { state, readBytesOrError } = internals
  const toNode = handle.onread
  // By this Node knows that pausing means to stop the handle
  Object.assign(socket, { [internals.buffer]: shared })
  handle.useUserBuffer(shared)
  handle.onread = (bytes) => {
    const length = state[readBytesOrError]!
    if (length > 0) onData(shared, length)
    else toNode.call(handle, bytes)
  }
  socket.resume()
}

/** The writing side of one connected socket, of which nobody else writes or ends anything. */
export class Outlet {
  readonly #socket: Socket
  readonly #onDrain: () => void
  /** Null when everything goes the public way. */
  readonly #internals: Internals | null
  /** TLS takes one direct write at a time: a second one before it tells of its end would abort the process. */
  readonly #isSingle: boolean
  /** The system has not taken all of a direct write yet. */
  #waits = false
  /** What follows that write. */
  #held: (string | Buffer)[] = []
  #heldBytes = 0
  #ends = false

  /** `onDrain` is called when more may follow after {@link write} gave false. */
  constructor(socket: Socket, onDrain: () => void, internals = INTERNALS) {
    this.#socket = socket
    this.#onDrain = onDrain
    this.#internals = fittingHandle(socket) === null ? null : internals
    this.#isSingle = 'encrypted' in socket
    socket.on('drain', onDrain)
  }

  /** Writes a Buffer, which the socket keeps, or text of latin1. False when no more should follow for now. */
  write(data: string | Buffer): boolean {
    const socket = this.#socket
    const internals = this.#internals
    const handle = handleOf(socket)
    if (this.#waits && this.#isSingle) {
      this.#held.push(data)
      this.#heldBytes += data.length
      return this.#heldBytes < socket.writableHighWaterMark
    }
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
    // TLS never says that it took all at once
    return this.#isSingle
  }

  /** Ends the writing side after all that was written. */
  end(): void {
    if (this.#waits && this.#isSingle) this.#ends = true
    else this.#socket.end()
  }

  #completed(status: number): void {
    this.#waits = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (status < 0) {
      const code = getSystemErrorName(status)
      socket.destroy(Object.assign(new Error(`write ${code}`), { code }))
      return
    }
    const wasFull = !this.#isSingle || this.#heldBytes >= socket.writableHighWaterMark
    for (const data of this.#held) socket.write(data, 'latin1')
    this.#held = []
    this.#heldBytes = 0
    if (this.#ends) socket.end()
    else if (wasFull && !socket.writableNeedDrain) this.#onDrain()
  }
}

/** For the next write of any socket: the system touches it only when it cannot take all at once. */
let spare: WriteRequest | null = null
