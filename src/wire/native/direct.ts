import { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/**
 * Shortcuts into Node's sockets for which it has no public way; together about a fifth of the CPU of a request:
 * 1. `net.connect` can read into a buffer of one's own (`onread`). A server's sockets cannot be told to, and allocate
 *    64 KiB for every read.
 * 2. `socket.write` makes an object for the system and schedules a tick, also when the system takes all at once.
 *
 * Ends, errors, pausing and what the system did not take at once stay with Node. Under TLS, and on a Node whose inside
 * looks different, everything goes the public way.
 */
interface Internals {
  readonly buffer: symbol
  readonly callback: symbol
  readonly WriteRequest: new () => WriteRequest
  /** Numbers that the last call of a handle left. */
  readonly state: ArrayLike<number>
  readonly lastWriteWasAsync: number
}

interface WriteRequest {
  oncomplete: (status: number) => void
}

/** What lies under a plain TCP or Unix socket. */
interface Handle {
  useUserBuffer(buffer: Uint8Array): void
  /** Zero, or a negative error number. */
  writeLatin1String(request: WriteRequest, text: string): number
}

/** Null where this Node has other insides. */
export const INTERNALS: Internals | null = findInternals()

function findInternals(): Internals | null {
  const symbols = Object.getOwnPropertySymbols(new Socket())
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name)
  const [buffer, callback] = [named('kBuffer'), named('kBufferCb')]
  // Deprecated without a replacement (DEP0111)
  const { binding } = process as { binding?: (name: string) => Record<string, unknown> }
  const stream = binding?.('stream_wrap')
  if (buffer === undefined || callback === undefined || stream === undefined) return null
  const { WriteWrap, streamBaseState, kLastWriteWasAsync } = stream
  if (typeof WriteWrap !== 'function' || typeof kLastWriteWasAsync !== 'number') return null
  return {
    buffer,
    callback,
    WriteRequest: WriteWrap as Internals['WriteRequest'],
    state: streamBaseState as Internals['state'],
    lastWriteWasAsync: kLastWriteWasAsync,
  }
}

/** Null once the socket is destroyed. */
function handleOf(socket: Socket): Handle | null {
  return (socket as Socket & { readonly _handle: Handle | null })._handle
}

/** Whether the shortcuts fit what lies under a socket. */
function isPlain(socket: Socket): boolean {
  const handle = handleOf(socket)
  return (
    !('encrypted' in socket) &&
    typeof handle?.useUserBuffer === 'function' &&
    typeof handle.writeLatin1String === 'function'
  )
}

/**
 * Reads an accepted socket into `shared`, whose first `length` bytes are the callback's only while it runs; without
 * the shortcut into buffers that Node allocates.
 */
export function readInto(
  socket: Socket,
  shared: Buffer,
  onData: (bytes: Buffer, length: number) => void,
  internals = INTERNALS,
): void {
  if (internals === null || !isPlain(socket)) {
    socket.on('data', (bytes: Buffer) => onData(bytes, bytes.length))
    return
  }
  Object.assign(socket, {
    [internals.buffer]: shared,
    [internals.callback]: (length: number) => {
      onData(shared, length)
      return true
    },
  })
  handleOf(socket)?.useUserBuffer(shared)
  socket.resume()
}

/** The writing side of one connected socket. */
export class Outlet {
  readonly #socket: Socket
  readonly #onDrain: () => void
  /** Null when everything goes the public way. */
  readonly #internals: Internals | null
  /** The system has not taken all of a direct write yet. */
  #waits = false

  /** `onDrain` is called when more may follow after {@link write} gave false. */
  constructor(socket: Socket, onDrain: () => void, internals = INTERNALS) {
    this.#socket = socket
    this.#onDrain = onDrain
    this.#internals = isPlain(socket) ? internals : null
    socket.on('drain', onDrain)
  }

  /** Writes a Buffer, which the socket keeps, or text of latin1. False when no more should follow for now. */
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

  #completed(status: number): void {
    this.#waits = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (status < 0) {
      const code = getSystemErrorName(status)
      socket.destroy(Object.assign(new Error(`write ${code}`), { code }))
    } else if (!socket.writableNeedDrain) this.#onDrain()
  }
}

/** For the next write of any socket: the system touches it only when it cannot take all at once. */
let spare: WriteRequest | null = null
