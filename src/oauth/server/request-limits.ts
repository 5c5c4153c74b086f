/** Limits how often one source may call the paths that write before the caller is known. */
import type { Throttle } from '../../shared-state/ports/memory.ts'
import { CONNECT, INTERACTION } from './visit.ts'

const WINDOW_MS = 60_000

/** In the place of a path: metadata documents of clients, and keys that these name, which are fetched for a source. */
export const DOCUMENTS = 'documents'

/** Requests of one source in a minute, by what they ask for. */
const MAX: Readonly<Record<string, number>> = {
  '/oauth/register': 60,
  // Strangers name these URLs, and a server with large certificates takes half a second of the thread that asks it
  [DOCUMENTS]: 10,
  '/oauth/authorize': 120,
  '/oauth/device': 30,
  '/oauth/device/authorize': 30,
  '/oauth/token': 600,
  // What a client signs there is kept
  '/oauth/introspect': 600,
  '/oauth/revoke': 600,
  [INTERACTION]: 600,
  // A connection takes half as many requests again as a sign-in: a person agrees to its servers first
  [CONNECT]: 900,
}

/** Paths with pages below them, which count together. */
const GROUPS = [INTERACTION, CONNECT]

/**
 * Bounds what a source may ask of paths that write before anyone is known. Answers the seconds to wait, or 0.
 * @param networkOf whom an address stands for
 */
export function createRequestLimits(
  throttle: Throttle,
  networkOf: (ip: string) => string,
): (path: string, ip: string) => Promise<number> {
  return async (asked, ip) => {
    const path = GROUPS.find((one) => asked.startsWith(one)) ?? asked
    const max = MAX[path]
    if (max === undefined) return 0
    const key = { kind: 'oauth_request', key: `${path} ${networkOf(ip)}` } as const
    return Math.ceil((await throttle.count(key, { max, windowMs: WINDOW_MS })) / 1000)
  }
}
