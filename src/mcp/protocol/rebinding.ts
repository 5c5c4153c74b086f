/** Protects against DNS rebinding by checking `Origin` and `Host`. */
import { isIP } from 'node:net'
import type { AllowsOrigin, Origins } from '../../base/http/origins.ts'
import { errorAnswer, type McpAnswer, RPC } from './answer.ts'

/**
 * Stands against DNS rebinding: a web page that makes a browser talk to a server on the user's own machine or
 * network (2026-07-28, streamable HTTP: security). Browsers name the page in `Origin`; an `Origin` that may not
 * call is refused. While one of our own origins is loopback, so is a `Host` that is not our own and
 * that public DNS could have pointed at this machine.
 */
export function createRebindingCheck(
  origins: Origins,
  allowsOrigin: AllowsOrigin,
): (origin: string | undefined, host: string) => McpAnswer | null {
  const ownHosts = new Set(origins.map((origin) => origin.slice(origin.indexOf('://') + 3).toLowerCase()))
  const local = [...ownHosts].some((host) => isLoopback(hostNameOf(host)))
  return (origin, host) => {
    if (origin !== undefined && !allowsOrigin(origin))
      return errorAnswer(
        403,
        undefined,
        RPC.invalidRequest,
        'This Origin is not allowed; the setting CORS_ORIGINS lists those that are',
      )
    if (local && host !== '' && !ownHosts.has(host) && !isPrivateName(hostNameOf(host)))
      return errorAnswer(
        403,
        undefined,
        RPC.invalidRequest,
        'This Host is not allowed; the setting ORIGIN names the public address',
      )
    return null
  }
}

/** An authority without its port and brackets. */
function hostNameOf(authority: string): string {
  if (authority.startsWith('[')) return authority.slice(1, authority.indexOf(']'))
  const colon = authority.indexOf(':')
  return (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase()
}

function isLoopback(name: string): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    (isIP(name) === 4 && name.startsWith('127.'))
  )
}

/** Names that no public DNS answers: addresses, single labels, and the suffixes reserved for private use. */
function isPrivateName(name: string): boolean {
  return (
    isLoopback(name) ||
    isIP(name) !== 0 ||
    !name.includes('.') ||
    name.endsWith('.internal') ||
    name.endsWith('.local')
  )
}
