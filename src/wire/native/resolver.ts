import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/memory/lru.ts'
import { RESOLVED_MS, RESOLVED_NAMES_MAX, UNRESOLVED_MS } from './limits.ts'

interface Resolved {
  readonly error: NodeJS.ErrnoException | null
  readonly addresses: LookupAddress[]
  readonly until: number
}

type Waiter = (resolved: Resolved) => void

/**
 * A `lookup` for sockets with a short memory: the system's resolver runs in a pool of few threads that the whole
 * process shares, so it is asked once per name and period, and once for all that wait. What may be connected to is
 * judged by its users: the egress rule depends on the port as well.
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
      const resolved = { error, addresses: addresses ?? [], until }
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
