/**
 * Checks what an origin asks of a client (2026-07-28, basic/patterns: multi round-trip requests; 2025-11-25,
 * client/elicitation). An origin may not make a client open anything but a web page, nor ask for something that the client
 * has not offered.
 */
import { isMembers, type Members } from '../../protocol/message.ts'

/** Requests of one result. */
const REQUESTS_MAX = 16

/** Why the requests may not be put to the client, as the end of a sentence about the origin; null when they may. */
export function inputFault(requests: unknown, capabilities: Members): string | null {
  if (requests === undefined) return null
  if (!isMembers(requests)) return 'its questions to the client are no object'
  const all = Object.values(requests)
  if (all.length > REQUESTS_MAX) return `it asks the client more than ${REQUESTS_MAX} questions at once`
  for (const request of all) {
    const needed = neededFor(request)
    if (needed === null) return 'it asks the client for something that no client may be asked for'
    const [name, mode] = needed
    if (!offers(capabilities, name, mode))
      return `it asks the client for ${name}, which the client does not offer`
  }
  return null
}

/** True for the address of a page that a person may be sent to. */
export function isPageUrl(url: unknown): url is string {
  if (typeof url !== 'string' || url.length > 8192 || !URL.canParse(url)) return false
  const { protocol } = new URL(url)
  return protocol === 'https:' || protocol === 'http:'
}

/** What a client must declare to be asked this, as capabilities have it; empty for what no client may be asked. */
export function requiredBy(request: unknown): Members {
  const needed = neededFor(request)
  if (needed === null) return {}
  const [name, mode] = needed
  return { [name]: mode === null ? {} : { [mode]: {} } }
}

type Capability = readonly [name: string, mode: string | null]

/** The capability that the client must have; null for what no client may be asked. */
function neededFor(request: unknown): Capability | null {
  if (!isMembers(request)) return null
  const { method, params } = request
  switch (method) {
    case 'roots/list':
      return ['roots', null]
    case 'sampling/createMessage':
      return isMembers(params) ? ['sampling', null] : null
    case 'elicitation/create': {
      if (!isMembers(params)) return null
      const { mode = 'form', url } = params
      if (mode === 'form') return ['elicitation', 'form']
      return mode === 'url' && isPageUrl(url) ? ['elicitation', 'url'] : null
    }
    default:
      return null
  }
}

/** True for a client that declares the capability. @param mode of elicitation */
export function offers(capabilities: Members, name: string, mode: string | null): boolean {
  const offered = Object.hasOwn(capabilities, name) ? capabilities[name] : undefined
  if (!isMembers(offered)) return false
  if (mode === null) return true
  // An empty object means forms alone
  return isMembers(offered[mode]) || (mode === 'form' && !isMembers(offered['url']))
}
