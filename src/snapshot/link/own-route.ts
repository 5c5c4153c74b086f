/** Links routes that no path of the gateway leads to, for servers that Postern or a workflow asks. */
import type { CollectionFragment, UpstreamFragment } from '../fragments.ts'
import type { LinkedCollection, LinkedServer, NodeServers } from '../linked-types/collection.ts'
import type { PlanFragment, ServerFragment } from '../plan.ts'
import { linkCollection } from './collection.ts'

/** What is asked at a route that is mounted nowhere. */
export interface OwnRoute {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly upstream: UpstreamFragment
  /** Id, or null for none. */
  readonly credential: string | null
  readonly policy: string | null
}

/**
 * Links a route that no path of the gateway leads to, as a collection with one proxy. Throws a RangeError that names what is wrong.
 * @param before the one in whose place it stands: what is known of its server lives on
 */
export function linkOwnRoute(route: OwnRoute, before: LinkedCollection | null): LinkedCollection {
  return { ...linkCollection(asCollection(route), before), attachment: 'origin' }
}

/** Of a workflow whose nodes ask no server but the upstream. */
const NO_SERVERS: NodeServers = new Map()

/**
 * Links the servers that nodes of a workflow ask. Throws a RangeError that names what is wrong.
 * @param owner Id of the workflow, or of the proxy that has one of its own.
 * @param before those of the same owner so far: what is known of a server lives on with its node
 */
export function linkNodeServers(
  plan: PlanFragment | null,
  owner: string,
  before: NodeServers = NO_SERVERS,
): NodeServers {
  const asking = (plan?.nodes ?? []).flatMap(({ id, server }) =>
    server === undefined ? [] : [{ node: id, server }],
  )
  if (asking.length === 0) return NO_SERVERS
  return new Map(
    asking.map(({ node, server }) => [node, linkServer(server, `${owner}/${node}`, before.get(node))]),
  )
}

/** Links one server. Throws a RangeError that names what is wrong. */
export function linkServer(
  { upstream, path, credential }: ServerFragment,
  id: string,
  before: LinkedServer | undefined,
): LinkedServer {
  const route = { id, slug: id, name: id, upstream, credential, policy: null }
  return { route: linkOwnRoute(route, before?.route ?? null), path, stem: path.replace(/\/$/, '') }
}

function asCollection({ id, slug, name, upstream, credential, policy }: OwnRoute): CollectionFragment {
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
