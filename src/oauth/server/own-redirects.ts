/**
 * Finds redirect URIs that lead to Postern itself. A client that registered itself may not have one: Postern publishes APIs
 * at its own origins, so such an API would receive authorization codes of people.
 *
 * 1. Scheme, host and port are compared. All names of the loopback are one host. Other ports of the loopback belong to
 *    programs of the user.
 * 2. A host name of a collection is Postern at every port, because a proxy in front of Postern may listen at another one.
 */

import { listedTexts } from '../../base/json/storable.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import type { ConfigReader } from '../../store/ports/config.ts'

export interface OwnRedirects {
  /** Reads the host names of collections, if the configuration has changed. Before {@link faultOf} within a request. */
  refresh(): Promise<void>
  /** Why a client may not have the redirect URI, as a sentence without subject and period; null if it may. */
  faultOf(redirect: string): string | null
}

/** @param origins at which the listeners are reached, by callers and on this machine */
export function createOwnRedirects(
  origins: readonly string[],
  reader: Pick<ConfigReader, 'revision' | 'all'>,
): OwnRedirects {
  const own = new Set(origins.flatMap((origin) => placeOf(URL.parse(origin)) ?? []))
  let hosts: ReadonlySet<string> = new Set()
  let revision = -1

  return {
    async refresh() {
      const current = await reader.revision()
      if (current === revision) return
      const collections = await reader.all('collections')
      hosts = new Set(collections.flatMap(({ spec }) => listedTexts(spec['hosts'])))
      revision = current
    },
    faultOf(redirect) {
      const url = URL.parse(redirect)
      if (url === null) return null
      if (url.username !== '' || url.password !== '') return 'has a user name or a password'
      const place = placeOf(url)
      if (place === null) return null
      const host = hostOf(url)
      const isHere = own.has(place) || (host !== LOOPBACK && hosts.has(host))
      return isHere ? 'leads to this Postern, whose APIs would receive the code' : null
    },
  }
}

const LOOPBACK = 'localhost'

/** Scheme, host and port; null for a URL that no listener answers. */
function placeOf(url: URL | null): string | null {
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return null
  const port = url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port
  return `${url.protocol}//${hostOf(url)}:${port}`
}

/** A name without the dot of the root; one name for this machine, which systems also reach by an unspecified address. */
function hostOf({ hostname }: URL): string {
  const name = hostname.replace(/\.$/, '')
  const isUnspecified = /^(0\.0\.0\.0|\[::(ffff:0:0)?\])$/.test(name)
  return isLoopbackHost(name) || name.endsWith('.localhost') || isUnspecified ? LOOPBACK : name
}
