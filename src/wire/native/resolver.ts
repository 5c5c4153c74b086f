import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { isRefusedAddress } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/lru.ts'
import { RESOLVED_MS, RESOLVED_NAMES_MAX, UNRESOLVED_MS } from './limits.ts'

/** What is said of an upstream at a link-local, metadata or multicast address. */
export const REFUSED = 'address is refused'

interface Resolved {
  readonly error: NodeJS.ErrnoException | null
  readonly addresses: LookupAddress[]
  readonly until: number
}

type Waiter = (resolved: Resolved) => void

/**
 * A `lookup` for sockets with a short memory: the system's resolver runs in a pool of few threads that the whole
 * process shares, so it is asked once per name and period, and once for all that wait. Addresses that nothing may connect
 * to are left out; a name that has no others fails with the code {@link REFUSED}.
 */
export function createLookup(clock: Clock, resolve: typeof lookup = lookup): LookupFunction {
  const known = new Lru<string, Resolved>(RESOLVED_NAMES_MAX)
  const asked = new Map<string, Waiter[]>()

  function ask(name: string, waiter: Waiter): void {
    const waiters = asked.get(name)
    if (waiters !== undefined) {
      waiters.push(waiter)
      return
    }
    asked.set(name, [waiter])
    resolve(name, { all: true }, (error, addresses) => {
      const until = clock.monotonic() + (error === null ? RESOLVED_MS : UNRESOLVED_MS)
      // A name may be made to resolve to what no configuration may name; sockets connect to what is given here
      const allowed = (addresses ?? []).filter(({ address }) => !isRefusedAddress(address))
      const isRefused = allowed.length === 0 && (addresses ?? []).length > 0
      const refused = isRefused ? Object.assign(new Error(`${name} is refused`), { code: REFUSED }) : null
      const resolved = { error: error ?? refused, addresses: allowed, until }
      known.set(name, resolved)
      const all = asked.get(name) ?? []
      asked.delete(name)
      for (const each of all) each(resolved)
    })
  }

  return (name: string, options: LookupOptions, callback): void => {
    const give: Waiter = ({ error, addresses }) => {
      const first = addresses[0]
      if (error !== null || first === undefined) {
        callback(error ?? Object.assign(new Error(`no address for ${name}`), { code: 'ENOTFOUND' }), [])
      } else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    }
    const resolved = known.get(name)
    // Sockets are not ready for an answer before they have returned
    if (resolved !== undefined && resolved.until > clock.monotonic()) process.nextTick(give, resolved)
    else ask(name, give)
  }
}
