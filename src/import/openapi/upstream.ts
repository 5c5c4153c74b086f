import type { Plain } from '../../base/json/plain.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import type { DescribedEndpoint } from './endpoints.ts'
import { commonPath, firstServer, type Server } from './servers.ts'
import type { Warn } from './warnings.ts'

/** Where calls go: one upstream for the collection, and for each endpoint how its path differs there. */
export interface Placement {
  /** URL of the upstream, or null when neither the description nor the caller names a host. */
  readonly url: string | null
  /** Where the description serves its endpoints, as far as that is the same for all; empty at the root. */
  readonly path: string
  /** Path at the upstream below {@link url}, or null when it is the pattern itself. */
  targetOf(endpoint: DescribedEndpoint): string | null
  /** The description serves this endpoint from another host than the rest. */
  isElsewhere(endpoint: DescribedEndpoint): boolean
}

/**
 * Joins the servers of the description with the upstream that the caller gives. Without one, the first server is the
 * upstream. An upstream without a path takes over the path of the servers; one with a path is used as it is given.
 */
export function placeEndpoints(
  document: Plain,
  endpoints: readonly DescribedEndpoint[],
  upstream: string | undefined,
  warn: Warn,
): Placement {
  const home: Server = firstServer(document, '', warn) ?? { origin: null, path: '', pointer: '/servers' }
  const given = upstream === undefined ? null : new URL(upstream)
  const givenPath = given === null ? '' : withoutEndSlashes(given.pathname)
  const serverOf = (endpoint: DescribedEndpoint): Server => endpoint.server ?? home
  const isElsewhere = (endpoint: DescribedEndpoint): boolean => {
    const { origin } = serverOf(endpoint)
    return origin !== null && origin !== origins.main
  }
  const origins = {
    main: home.origin ?? endpoints.map(serverOf).find((server) => server.origin !== null)?.origin,
  }

  const paths = endpoints.map((endpoint) => serverOf(endpoint).path)
  const common = paths.length === 0 ? home.path : commonPath(paths)
  if (given !== null && givenPath !== '')
    return {
      url: `${given.protocol}//${given.host}${givenPath}`,
      path: common,
      targetOf: () => null,
      isElsewhere,
    }
  const origin = given === null ? origins.main : `${given.protocol}//${given.host}`
  if (origin === undefined) {
    const path = common === '' ? '' : `, with the path ${common}`
    warn(home.pointer, `the description names no host; set the upstream of the collection${path}`)
  }
  return {
    url: origin === undefined ? null : `${origin}${common}`,
    path: common,
    targetOf(endpoint) {
      const rest = serverOf(endpoint).path.slice(common.length)
      return rest === '' ? null : `${rest}${endpoint.path.pattern}`
    },
    isElsewhere,
  }
}
