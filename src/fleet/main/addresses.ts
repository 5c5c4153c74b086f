/**
 * The public addresses of Postern, one for each listener. Metadata, challenges and links use one of the configured addresses;
 * the `Host` of the request decides which one (`base/http/origins`).
 */

import type { Part } from '../../base/doors.ts'
import type { Origins } from '../../base/http/origins.ts'
import type { Settings } from '../../settings.ts'
import { type Address, claimPorts } from './claim-ports.ts'

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
