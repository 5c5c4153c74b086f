/**
 * Claims both ports exclusively before the gateway threads share them, because sharing would hide that another process
 * uses a port. A busy port is an error at start.
 */
import { createServer, type Server } from 'node:net'
import { CannotStart } from '../../base/refusal.ts'
import { type SettingName, settingName } from '../../settings/schema.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Holds the addresses alone for a moment, without `reusePort`: the threads then share them, and sharing would hide
 * that another process, or another setting, has one. Resolves to their ports (the system picks for 0).
 * Throws a CannotStart that names the setting.
 */
export async function claimPorts<Setting extends SettingName>(
  addresses: Readonly<Record<Setting, Address>>,
): Promise<Record<Setting, number>> {
  const servers: Server[] = []
  const ports: [SettingName, number][] = []
  try {
    for (const [key, { host, port }] of Object.entries<Address>(addresses)) {
      const setting = key as Setting // A key of the argument.
      const server = createServer()
      try {
        await listening(server, { host, port, exclusive: true })
      } catch (error) {
        const reason = reasonOf(error, ports.find(([, taken]) => taken === port)?.[0])
        throw new CannotStart(`${settingName(setting)} ${host}:${port}: ${reason}.`, error)
      }
      servers.push(server)
      const address = server.address()
      ports.push([setting, typeof address === 'object' && address !== null ? address.port : port])
    }
  } finally {
    await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))))
  }
  // Every key of the argument has been claimed.
  return Object.fromEntries(ports) as Record<Setting, number>
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

/** @param other the setting that claimed a port of this number before. */
function reasonOf(error: unknown, other: SettingName | undefined): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      if (other !== undefined) return `${settingName(other)} has this port; choose another one`
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
