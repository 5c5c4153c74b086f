/**
 * The expanded view: endpoints as tools, prompts and resources, as origins of kind `collection` offer them. It is made once
 * for all callers that see the same endpoints.
 *
 * 1. A name depends only on the collection and its published proxies, never on what a caller may call.
 * 2. Names are unique, and have at most {@link NAME_CHARS_MAX} characters. Names of tools have no dots, because model APIs
 *    refuse dots. A tool can also be called by its name with dots.
 * 3. The view contains only what the caller may call.
 */
import { hash } from 'node:crypto'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { Endpoint, GatewayPort } from '../../gateway/port.ts'
import { CAPABILITY_TYPES, type CapabilityType, KEY_OF } from '../../model/mcp/capability.ts'
import { type DeclaredNames, namesIn } from '../../snapshot/find/declared-names.ts'
import { isPlainUri, toUriMatch } from '../../snapshot/find/uri-template.ts'
import type { CollectionFragment, Contract, ProxyFragment } from '../../snapshot/fragments.ts'
import { type Offered, type OfferedProxy, offeredBy } from '../../snapshot/offer/endpoint-catalogue.ts'
import type { CalledOffer } from '../endpoints/offered-request.ts'
import type { Members } from '../protocol/message.ts'

/** An endpoint with one method, as it is called by its own name. */
interface ExpandedItem extends CalledOffer {
  readonly endpoint: Endpoint
  /** Names of the arguments of a tool, at every depth. */
  readonly names: DeclaredNames
}

export interface Expanded {
  /** What is listed, by type. The same arrays for as long as the view is kept. */
  readonly lists: Readonly<Record<CapabilityType, readonly Members[]>>
  tool(name: string): ExpandedItem | null
  prompt(name: string): ExpandedItem | null
  /** By the URI of a resource, or one that a template stands for. */
  resource(uri: string): ExpandedItem | null
}

export const NAME_CHARS_MAX = 64

/**
 * Expanded views by the list of endpoints that they are made of; they go with it.
 * @param madeOf makes of a view what is kept
 */
export function createExpandedViews<T>(
  gateway: GatewayPort,
  madeOf: (expanded: Expanded, endpoints: readonly Endpoint[]) => T,
) {
  const kept = new WeakMap<readonly Endpoint[], Promise<T>>()
  const counts = new WeakMap<readonly Endpoint[], number>()
  return {
    of(endpoints: readonly Endpoint[]): Promise<T> {
      let made = kept.get(endpoints)
      if (made === undefined) {
        made = expand(gateway, endpoints).then((expanded) => madeOf(expanded, endpoints))
        kept.set(endpoints, made)
        // A fault must not be the answer for good
        made.catch(() => kept.delete(endpoints))
      }
      return made
    },
    /** How many tools the view has; known without their schemas. */
    toolsIn(endpoints: readonly Endpoint[]): number {
      let count = counts.get(endpoints)
      if (count === undefined) {
        count = 0
        for (const part of partsOf(endpoints)) count += itemsOf(gateway, part, false).tools.length
        counts.set(endpoints, count)
      }
      return count
    },
  }
}

/** The endpoints of one collection. */
interface Part {
  readonly collection: CollectionFragment
  readonly endpoints: ReadonlyMap<string, Endpoint>
}

function partsOf(endpoints: readonly Endpoint[]): readonly Part[] {
  return [...Map.groupBy(endpoints, ({ collection }) => collection)].map(([collection, own]) => ({
    collection,
    endpoints: new Map(own.map((endpoint) => [endpoint.proxy.id, endpoint])),
  }))
}

async function expand(gateway: GatewayPort, endpoints: readonly Endpoint[]): Promise<Expanded> {
  const lists = noItems<Members>()
  const names = { tools: new Map<string, ExpandedItem>(), prompts: new Map<string, ExpandedItem>() }
  const dotted = new Map<string, ExpandedItem>()
  const resources = new Map<string, ExpandedItem>()
  const templates: { readonly matches: (uri: string) => boolean; readonly item: ExpandedItem }[] = []
  for (const part of partsOf(endpoints)) {
    // Schemas of a large collection take a while: other work of the thread has its turn
    await new Promise(setImmediate)
    const items = itemsOf(gateway, part, true)
    for (const type of ['tools', 'prompts'] as const)
      for (const { item, shown, plain } of items[type]) {
        const key = String(shown['name'])
        const name = freeName(part.collection, plain, names[type])
        if (plain !== key) dotted.set(freeName(part.collection, key, NO_NAMES), item)
        names[type].set(name, item)
        lists[type].push({ ...shown, name })
      }
    for (const { item, shown } of items.resources) {
      resources.set(String(shown['uri']), item)
      lists.resources.push(shown)
    }
    for (const { item, shown } of items.resource_templates) {
      templates.push({ matches: toUriMatch(String(shown['uriTemplate'])), item })
      lists.resource_templates.push(shown)
    }
  }
  return {
    lists,
    tool: (name) => names.tools.get(name) ?? dotted.get(name) ?? null,
    prompt: (name) => names.prompts.get(name) ?? null,
    resource(uri) {
      const listed = resources.get(uri)
      if (listed !== undefined) return listed
      return isPlainUri(uri) ? (templates.find(({ matches }) => matches(uri))?.item ?? null) : null
    },
  }
}

function noItems<T>(): Record<CapabilityType, T[]> {
  return { tools: [], prompts: [], resources: [], resource_templates: [] }
}

const NO_NAMES: ReadonlySet<string> = new Set()

interface Shown {
  readonly shown: Members
  /** What a tool or prompt is called in its collection, a tool without dots. */
  readonly plain: string
  readonly item: ExpandedItem
}

/** What a caller sees of a collection. Names are those of the whole collection. @param isWhole false leaves out schemas */
function itemsOf(
  gateway: GatewayPort,
  { collection, endpoints }: Part,
  isWhole: boolean,
): Readonly<Record<CapabilityType, readonly Shown[]>> {
  const offered = offeredOf(gateway, collection, isWhole ? new Set(endpoints.keys()) : false)
  const found = noItems<Shown>()
  for (const type of CAPABILITY_TYPES) {
    const shown = new Map(offered.catalogue[type].map((item) => [item[KEY_OF[type]], item]))
    const plain = type === 'tools' ? namesWithoutDots(Object.keys(offered.endpoints.tools)) : null
    for (const [key, own] of Object.entries(offered.endpoints[type])) {
      const endpoint = endpoints.get(own.proxy)
      if (endpoint === undefined || !endpoint.methods.includes(own.method)) continue
      const route = { route: endpoint.path, fragment: endpoint.proxy }
      const listed = shown.get(key)!
      const names = namesIn(listed['inputSchema'])
      const item = { ...own, endpoint, names, collection: { fragment: collection }, route }
      found[type].push({ shown: listed, plain: plain?.get(key) ?? key, item })
    }
  }
  return found
}

function offeredOf(
  gateway: GatewayPort,
  collection: CollectionFragment,
  whole: false | ReadonlySet<string>,
): Offered {
  let shared: Plain = {}
  const proxies = collection.proxies.map((proxy) => {
    const found = gateway.contract({ collection, proxy, methods: proxy.methods, path: proxy.path })
    if (found !== null && isPlain(found.schemas)) shared = found.schemas
    return offeredProxy(proxy, found?.contract ?? null)
  })
  const { slug, base_path } = collection
  return offeredBy({ collection: { slug, spec: { base_path } }, proxies, schemas: shared }, whole)
}

const NO_CONTRACT: Contract = {
  description: '',
  operation_id: null,
  parameters: [],
  request_schema: null,
  request_types: [],
  request_required: true,
  response_schema: null,
}

function offeredProxy(proxy: ProxyFragment, contract: Contract | null): OfferedProxy {
  const { id, slug, name, path, methods, features } = proxy
  const told = contract ?? NO_CONTRACT
  const kind =
    features?.websocket === true ? 'websocket' : features?.graphql != null ? 'graphql' : ('http' as const)
  return {
    id,
    slug,
    // A snapshot has what is published alone
    spec: { ...told, name, path, methods, kind, status: 'published', contracts: told.by_method },
  }
}

/** Names of the tools of a collection without dots, by what they are called there. One that another tool has ends in a hash. */
function namesWithoutDots(keys: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(keys)
  return new Map(
    keys.map((key) => {
      const plain = key.replaceAll('.', '_')
      if (plain === key) return [key, key]
      const name = taken.has(plain) ? `${plain}_${hash('sha256', key, 'hex').slice(0, 8)}` : plain
      taken.add(name)
      return [key, name]
    }),
  )
}

/**
 * The name of a tool or prompt among those of all collections. A slug has no underscore, so that whole names never meet; one that is
 * too long ends in a hash of what it stands for.
 */
export function freeName(
  { id, slug }: Pick<CollectionFragment, 'id' | 'slug'>,
  name: string,
  taken: { has(name: string): boolean },
): string {
  const whole = `${slug}_${name}`
  if (whole.length <= NAME_CHARS_MAX && !taken.has(whole)) return whole
  const unlike = hash('sha256', `${id}\0${name}`, 'hex')
  for (let length = 8; ; length += 8) {
    const cut = `${whole.slice(0, NAME_CHARS_MAX - length - 1)}_${unlike.slice(0, length)}`
    if (!taken.has(cut) || length > 48) return cut
  }
}
