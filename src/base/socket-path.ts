import { hash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a final NUL. */
const PATH_BYTES_MAX = 100

/** Gateway threads reach the control plane here. */
export const CONTROL_SOCKET = 'control.sock'
/** The command line of the same user reaches the running process here. */
export const LOCAL_SOCKET = 'local.sock'

/**
 * Where a private socket of a data directory is: in it, or, when that path is too long for a socket, under a name made
 * from it beside the temporary files. Both ends compute the same.
 */
export function socketPath(dataDirectory: string, name: string): string {
  const inside = resolve(dataDirectory, name)
  if (Buffer.byteLength(inside) <= PATH_BYTES_MAX) return inside
  return join(tmpdir(), `postern-${hash('sha256', inside, 'hex').slice(0, 24)}.sock`)
}
