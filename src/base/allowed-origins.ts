import { isLoopbackHost } from './address.ts'
import { namesOf } from './challenge.ts'

/** True for the value of an `Origin` field whose pages may call an endpoint. */
export type AllowsOrigin = (origin: string) => boolean

/**
 * Which pages may call an endpoint: those of our own origins, and those of the list. One rule for the `Origin` check and for
 * CORS. The opaque origin `null`, which any page can take on, is never allowed.
 * @param own origins of the listeners; names of the loopback are equivalent.
 * @param listed null where no list is set: then pages of the loopback are allowed if `isLoopbackAllowed`.
 */
export function createAllowedOrigins(
  own: readonly string[],
  listed: readonly string[] | null,
  isLoopbackAllowed: boolean,
): AllowsOrigin {
  const allowed = new Set([...own.flatMap(namesOf), ...(listed ?? [])].map((origin) => origin.toLowerCase()))
  const isLoopback = listed === null && isLoopbackAllowed ? isLoopbackOrigin : () => false
  return (origin) => allowed.has(origin.toLowerCase()) || isLoopback(origin.toLowerCase())
}

/** As browsers write it (Fetch section 3.2): an http origin of this machine, and nothing behind it. */
function isLoopbackOrigin(origin: string): boolean {
  const url = URL.parse(origin)
  if (url === null || url.origin !== origin || !/^https?:$/.test(url.protocol)) return false
  return isLoopbackHost(url.hostname) || url.hostname.endsWith('.localhost')
}
