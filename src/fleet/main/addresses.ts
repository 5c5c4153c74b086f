/**
 * The public addresses of Postern, one for each listener. Metadata, challenges and links use one of the configured addresses;
 * the `Host` of the request decides which one (`base/http/origins`).
 */

import { createServer, type Server } from 'node:net'
import type { Part } from '../../base/doors.ts'
import type { Origins } from '../../base/http/origins.ts'
import { CannotStart } from '../../base/refusal.ts'
import { type SettingName, settingName } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'

/** Where an instance is reached. */
export interface Addresses {
  readonly listen: Address
  readonly controlListen: Address
  /** As callers know it; see `POSTERN_ORIGIN`. */
  readonly origin: string
  /** Likewise the control listener; see `POSTERN_CONTROL_ORIGIN`. */
  readonly controlOrigin: string
  /** Of both listeners, for clients on this machine. */
  readonly gatewayUrl: string
  readonly controlUrl: string
}

/** Claims both ports, and says what follows from them. Throws a CannotStart that names the setting. */
export async function claimAddresses(settings: Settings): Promise<Addresses> {
  const { LISTEN: port, CONTROL_LISTEN: controlPort } = await claimPorts({
    LISTEN: settings.listen,
    CONTROL_LISTEN: settings.controlListen,
  })
  const scheme = settings.tls.length === 0 ? 'http' : 'https'
  const controlScheme = settings.controlTls.length === 0 ? 'http' : 'https'
  const controlUrl = `${controlScheme}://${hostOf(settings.controlListen.host)}:${controlPort}`
  return {
    listen: { ...settings.listen, port },
    controlListen: { ...settings.controlListen, port: controlPort },
    origin: settings.originIsSet ? settings.origin : `${scheme}://localhost:${port}`,
    gatewayUrl: `${scheme}://${hostOf(settings.listen.host)}:${port}`,
    controlUrl,
    controlOrigin: settings.controlOrigin ?? controlUrl,
  }
}

/** A name that a local client can call an address by. */
function hostOf(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** What the control plane calls itself and its parts, by where the listeners serve them. */
export function originsOf(
  { origin, controlOrigin, gatewayUrl, controlUrl }: Addresses,
  expose: readonly Part[],
): {
  readonly gatewayOrigin: string
  readonly issuer: string
  readonly managementOrigins: Origins
  readonly consoleOrigins: Origins
  /** All origins of both listeners. */
  readonly ownOrigins: readonly string[]
} {
  return {
    gatewayOrigin: origin,
    issuer: expose.includes('oauth') ? origin : controlOrigin,
    managementOrigins: expose.includes('management') ? [origin, controlOrigin] : [controlOrigin],
    consoleOrigins: expose.includes('console') ? [origin, controlOrigin] : [controlOrigin],
    ownOrigins: [origin, controlOrigin, gatewayUrl, controlUrl],
  }
}

// Claims both ports exclusively before the gateway threads share them, because sharing would hide that another process
// uses a port. A busy port is an error at start.

interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Holds the addresses alone for a moment, without `reusePort`: the threads then share them, and sharing would hide
 * that another process, or another setting, has one. Resolves to their ports (the system picks for 0).
 * Throws a CannotStart that names the setting.
 */
async function claimPorts<Setting extends SettingName>(
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
