import { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/**
 * Shortcuts into Node's sockets for which it has no public way; together about a fifth of the CPU of a request:
 * 1. `net.connect` can read into a buffer of one's own (`onread`). A server's sockets cannot be told to, and allocate
 *    64 KiB for every read.
 * 2. `socket.write` makes an object for the system and schedules a tick, also when the system takes all at once (under TLS see
 *    tls-outlet.ts).
 *
 * Ends, errors, pausing and what the system did not take at once stay with Node. The module proves at start that this
 * Node, whose version is pinned, has the internals that it needs. On any other Node everything goes the public way.
 */
export interface Internals {
  readonly buffer: symbol
  readonly WriteRequest: new () => WriteRequest
  /** Numbers that the last call of a handle left. */
  readonly state: ArrayLike<number>
  readonly lastWriteWasAsync: number
  /** Length of what was read, or a negative error number. */
  readonly readBytesOrError: number
}

export interface WriteRequest {
  /** Called when the write has ended, if it is there then. */
  oncomplete?: (status: number) => void
  /** What must not be collected before that. */
  bytes?: Uint8Array
  /** Negative unless a write is under way with it. */
  getAsyncId(): number
}

/** What lies under a TCP, Unix or TLS socket. */
export interface Handle {
  onread: (this: Handle, bytes?: ArrayBuffer) => unknown
  useUserBuffer(buffer: Uint8Array): void
  /** Zero, or a negative error number. */
  writeLatin1String(request: WriteRequest, text: string): number
  /** Zero, or a negative error number. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
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
  if (typeof WriteWrap !== 'function' || typeof WriteWrap.prototype.getAsyncId !== 'function') return null
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
export function handleOf(socket: Socket): Handle | null {
  return (socket as Socket & { readonly _handle: Handle | null })._handle
}

/** What lies under a socket, where the shortcuts fit it. */
export function fittingHandle(socket: Socket): Handle | null {
  const handle = handleOf(socket)
  return typeof handle?.onread === 'function' &&
    typeof handle.useUserBuffer === 'function' &&
    typeof handle.writeLatin1String === 'function' &&
    typeof handle.writeBuffer === 'function'
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

/** Ends a socket whose direct write failed, as Node ends one of its own. */
export function destroyFor(socket: Socket, status: number): void {
  const code = getSystemErrorName(status)
  socket.destroy(Object.assign(new Error(`write ${code}`), { code }))
}
