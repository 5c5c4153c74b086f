import { limitKeyOf } from '../find/limit-key.ts'
import type { CollectionFragment, OriginFragment } from '../fragments.ts'
import type { LinkedOrigin } from '../linked/mcp.ts'
import { linkCollection } from './collection.ts'

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
  if (fragment.upstream === null) return null
  const linked = linkCollection(asCollection(fragment), before?.route ?? null)
  return { ...linked, attachment: 'origin', key: limitKeyOf(`origin:${fragment.id}`) }
}

/** The route to an origin. It is mounted nowhere. */
function asCollection({ id, slug, name, upstream, credential, policy }: OriginFragment): CollectionFragment {
  return {
    kind: 'collection',
    id,
    slug,
    name,
    description: '',
    tags: [],
    base_path: '',
    hosts: [],
    upstream,
    headers: [],
    credential,
    policy,
    body_bytes_max: 0,
    cors: null,
    proxies: [
      {
        id,
        slug,
        name,
        tags: [],
        methods: ['POST'],
        path: '/',
        target_path: '/',
        headers: [],
        credential: 'inherit',
        policy: null,
        deprecated: false,
        contract: null,
        features: null,
      },
    ],
  }
}
