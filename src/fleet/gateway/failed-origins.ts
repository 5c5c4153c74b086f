/** Reports origins that a request could not reach to the main thread. */
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { FromGateway } from '../shared/messages.ts'

/** The main thread is told of one origin no more often than that. */
const TOLD_MS = 1000
/** Origins whose last failure is remembered. */
const ORIGINS_MAX = 1000

/** Tells the main thread of requests that could not reach an origin. @returns what is called for each, with the id of the origin */
export function createFailedOrigins(
  clock: Pick<Clock, 'monotonic'>,
  say: (message: FromGateway) => void,
): (origin: string) => void {
  const told = new Lru<string, number>(ORIGINS_MAX)
  return (origin) => {
    const now = clock.monotonic()
    // Empty for one that is not stored yet
    if (origin === '' || now - (told.get(origin) ?? -Infinity) < TOLD_MS) return
    told.set(origin, now)
    say({ kind: 'origin_failed', origin })
  }
}
