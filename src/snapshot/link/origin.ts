/** Links origins: each is a route, so that limits, credential, servers and records work as for any request. */
import { limitKeyOf } from '../find/limit-key.ts'
import type { OriginFragment } from '../fragments.ts'
import type { LinkedOrigin } from '../linked/mcp.ts'
import { linkOwnRoute } from './own-route.ts'

/**
 * Stands as the credential of a route whose requests carry the token or key of a connection. No credential has this id, so that the
 * lookup of routes with a credential, or without one, stays as it is.
 */
export const CONNECTED = ':connection'

const KINDS: ReadonlySet<string> = new Set<OriginFragment['served_by']>(['http', 'collection', 'stdio'])

/**
 * Links an origin. Throws a RangeError that names what is wrong.
 * @param before the one of that id so far: what is known of its server lives on
 */
export function linkOrigin(fragment: OriginFragment, before: LinkedOrigin | null = null): LinkedOrigin {
  if (!KINDS.has(fragment.served_by)) throw new RangeError('it is of a kind that this version does not know')
  const { id, target } = fragment
  const [path = '', query = ''] = target.split(/\?(.*)/s)
  const runnerFields = fragment.served_by === 'stdio' ? runnerFieldsOf(fragment) : null
  return { kind: 'origin', id, fragment, route: routeOf(fragment, before), path, query, runnerFields }
}

function runnerFieldsOf({ id, parameters = {} }: OriginFragment): string {
  const json = Buffer.from(JSON.stringify(parameters)).toString('base64')
  // One that is probed before it is saved has no id
  return `${id === '' ? '' : `Runner-Origin: ${id}\r\n`}Runner-Parameters: ${json}\r\n`
}

function routeOf(fragment: OriginFragment, before: LinkedOrigin | null): LinkedOrigin['route'] {
  const { upstream, connection } = fragment
  if (upstream === null) return null
  const credential = connection === undefined ? fragment.credential : CONNECTED
  const linked = linkOwnRoute({ ...fragment, upstream, credential }, before?.route ?? null)
  return { ...linked, key: limitKeyOf(`origin:${fragment.id}`) }
}
