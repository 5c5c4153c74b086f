import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/lru.ts'
import { INTERACTION } from './visit.ts'

const WINDOW_MS = 60_000
const SOURCES_MAX = 10_000

/** Requests of one source in a minute, by what they ask for. */
const MAX: Readonly<Record<string, number>> = {
  '/oauth/register': 60,
  '/oauth/authorize': 120,
  '/oauth/device': 30,
  '/oauth/device/authorize': 30,
  '/oauth/token': 600,
  [INTERACTION]: 600,
}

/**
 * Bounds what a source may ask of paths that write before anyone is known. Answers the seconds to wait, or 0.
 * @param networkOf whom an address stands for
 */
export function createRequestLimits(
  clock: Clock,
  networkOf: (ip: string) => string,
): (path: string, ip: string) => number {
  const counts = new Lru<string, { window: number; count: number }>(SOURCES_MAX)
  return (asked, ip) => {
    const path = asked.startsWith(INTERACTION) ? INTERACTION : asked
    const max = MAX[path]
    if (max === undefined) return 0
    const now = clock.now()
    const window = Math.floor(now / WINDOW_MS)
    const key = `${path} ${networkOf(ip)}`
    const known = counts.get(key)
    if (known?.window !== window) counts.set(key, { window, count: 1 })
    else if (++known.count > max) return Math.ceil(((window + 1) * WINDOW_MS - now) / 1000)
    return 0
  }
}
