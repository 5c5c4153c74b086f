import { lstatSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { replaceOwnFile } from '../files.ts'
import { CannotStart } from '../refusal.ts'

/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a final NUL. */
const PATH_BYTES_MAX = 100

/** Gateway threads reach the control plane here. */
export const CONTROL_SOCKET = 'control.sock'
/** The command line of the same user reaches the running process here. */
export const LOCAL_SOCKET = 'local.sock'
/** File in the data directory that names the directory of the sockets where the data directory's own path is too long. */
export const SOCKETS_FILE = 'sockets.at'

const PREFIX = 'postern-'

/** The directory of the private sockets of a running process. */
interface SocketDirectory {
  readonly path: string
  /** Removes it, unless it is the data directory. */
  close(): void
}

/**
 * The directory for the private sockets: the data directory or, where it cannot be written or its path is too
 * long, a new one beside the temporary files, for its owner alone (mode 0700). Its name is random and stands in the data directory, so that no other user can
 * take it before. The caller holds the lock of the data directory. Throws {@link CannotStart}.
 * @param isReadOnly nothing in the data directory may be written or removed, because it cannot be, or another process owns it
 */
export function openSocketDirectory(dataDirectory: string, isReadOnly = false): SocketDirectory {
  const file = resolve(dataDirectory, SOCKETS_FILE)
  if (!isReadOnly) forget(file)
  if (!isReadOnly && fits(dataDirectory)) return { path: resolve(dataDirectory), close() {} }
  const path = mkdtempSync(join(tmpdir(), PREFIX))
  if (!fits(path)) {
    rmSync(path, { recursive: true })
    throw new CannotStart(
      `The paths of the data directory and of ${tmpdir()} are too long for a Unix socket (${PATH_BYTES_MAX} bytes). Set POSTERN_DATA or TMPDIR to a shorter path.`,
    )
  }
  // Without the name the command line finds no socket, and says that nothing runs
  if (isReadOnly) return { path, close: () => removeSockets(path) }
  replaceOwnFile(file, path)
  return { path, close: () => forget(file) }
}

/**
 * Where the socket of that name of a data directory is; null when there is none.
 * @throws Error when it does not belong to the user of the data directory: someone else could answer there.
 */
export function findSocket(dataDirectory: string, name: string): string | null {
  const path = fits(dataDirectory) ? resolve(dataDirectory, name) : namedSocket(dataDirectory, name)
  if (path === null) return null
  const socket = lstatSync(path, { throwIfNoEntry: false })
  if (socket === undefined) return null
  if (!socket.isSocket()) throw new Error(`${path} is not a socket.`)
  if (!isTrusted(socket.uid, dataDirectory))
    throw new Error(`The socket ${path} belongs to another user than the data directory. It is not used.`)
  return path
}

function namedSocket(dataDirectory: string, name: string): string | null {
  const directory = readName(resolve(dataDirectory, SOCKETS_FILE))
  if (directory === null) return null
  const found = lstatSync(directory, { throwIfNoEntry: false })
  if (found === undefined) return null
  if (!found.isDirectory() || (found.mode & 0o077) !== 0 || !isTrusted(found.uid, dataDirectory))
    throw new Error(
      `The directory ${directory} of the sockets is not private to the user of the data directory. It is not used.`,
    )
  return join(directory, name)
}

/** The owner of the data directory, this user, and root, who may do everything. */
function isTrusted(uid: number, dataDirectory: string): boolean {
  // Windows has no such owners
  const own = process.getuid?.()
  return own === undefined || uid === own || uid === 0 || uid === statSync(dataDirectory).uid
}

function fits(directory: string): boolean {
  return Buffer.byteLength(resolve(directory, CONTROL_SOCKET)) <= PATH_BYTES_MAX
}

function readName(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

/** Removes what a process before has left, if it is one of ours. */
function forget(file: string): void {
  const path = readName(file)
  if (path === null) return
  const found = lstatSync(path, { throwIfNoEntry: false })
  const isOurs =
    found?.isDirectory() === true &&
    dirname(path) === resolve(tmpdir()) &&
    path.startsWith(join(tmpdir(), PREFIX)) &&
    found.uid === (process.getuid?.() ?? found.uid)
  if (isOurs) removeSockets(path)
  rmSync(file, { force: true })
}

function removeSockets(path: string): void {
  for (const name of [CONTROL_SOCKET, LOCAL_SOCKET]) rmSync(join(path, name), { force: true })
  rmSync(path, { recursive: true, force: true })
}
