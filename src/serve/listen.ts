import { createServer, type Server } from 'node:net'
import { CannotStart } from '../base/cannot-start.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Holds the address alone for a moment, without `reusePort`: the threads then share it, and sharing would hide that
 * another process has it. Resolves to the port (which the system picks for 0).
 * Throws a CannotStart that names the setting.
 */
export async function claimPort(setting: string, { host, port }: Address): Promise<number> {
  const server = createServer()
  try {
    await listening(server, { host, port, exclusive: true })
  } catch (error) {
    throw new CannotStart(`${setting} ${host}:${port}: ${reasonOf(error)}.`, error)
  }
  const address = server.address()
  const claimed = typeof address === 'object' && address !== null ? address.port : port
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return claimed
}

function listening(
  server: Server,
  options: { host: string; port: number; exclusive: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(options, () => resolve())
  })
}

function reasonOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return 'the port is in use by another process; stop it or choose another port'
    case 'EACCES':
      return 'this user may not listen there; choose a port above 1023'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address'
    default:
      return (error as Error).message
  }
}
