import type { Endpoint } from '../../gateway/port.ts'
import { HTTP_METHODS } from '../../model/common.ts'
import type { CollectionFragment } from '../../snapshot/fragments.ts'
import { matchPath, moreSpecific, type Pattern, toPattern } from './pattern.ts'

/** What one caller may call, indexed once for as long as the gateway gives the same list. */
export interface Catalogue {
  readonly endpoints: readonly Endpoint[]
  readonly collections: readonly { readonly collection: CollectionFragment; readonly count: number }[]
  /** @param method narrows what a path or name alone leaves open. */
  find(ref: string, method: string | null): Found
  /** The collection given by id, slug or name in any case; null when it is not visible. */
  collection(ref: string): CollectionFragment | null
  patternOf(endpoint: Endpoint): Pattern
}

export type Found =
  | {
      readonly kind: 'one'
      readonly endpoint: Endpoint
      /** Named by `METHOD /path`, else null. */
      readonly method: string | null
      /** Values that a concrete path gave to the parameters, decoded. */
      readonly values: ReadonlyMap<string, string>
      /** Query of a concrete path, as written. */
      readonly query: string
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'several'; readonly endpoints: readonly Endpoint[] }

const NO_VALUES: ReadonlyMap<string, string> = new Map()
const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)

/** Gives the catalogue of a list; kept by the list itself, so that it goes with the snapshot. */
export function createCatalogues(): (endpoints: readonly Endpoint[]) => Catalogue {
  const kept = new WeakMap<readonly Endpoint[], Catalogue>()
  return (endpoints) => {
    let catalogue = kept.get(endpoints)
    if (catalogue === undefined) {
      catalogue = createCatalogue(endpoints)
      kept.set(endpoints, catalogue)
    }
    return catalogue
  }
}

function createCatalogue(endpoints: readonly Endpoint[]): Catalogue {
  const byId = new Map(endpoints.map((endpoint) => [endpoint.proxy.id, endpoint]))
  const counts = new Map<string, { collection: CollectionFragment; count: number }>()
  for (const { collection } of endpoints) {
    const entry = counts.get(collection.id)
    if (entry === undefined) counts.set(collection.id, { collection, count: 1 })
    else entry.count++
  }
  const collections = [...counts.values()]
  const patterns = new Map<Endpoint, Pattern>()
  function patternOf(endpoint: Endpoint): Pattern {
    let pattern = patterns.get(endpoint)
    if (pattern === undefined) {
      pattern = toPattern(endpoint.path)
      patterns.set(endpoint, pattern)
    }
    return pattern
  }

  function findByPath(among: readonly Endpoint[], method: string | null, target: string): Found {
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const query = mark === -1 ? '' : target.slice(mark + 1)
    const templates = among.filter((endpoint) => endpoint.path === path)
    if (templates.length > 0) return oneOf(templates, method, NO_VALUES, query)
    let best: { endpoint: Endpoint; values: Map<string, string> }[] = []
    for (const endpoint of among) {
      const values = matchPath(patternOf(endpoint), path)
      if (values === null) continue
      const order = best.length === 0 ? 0 : moreSpecific(patternOf(endpoint), patternOf(best[0]!.endpoint))
      if (order < 0) best = []
      if (order <= 0) best.push({ endpoint, values })
    }
    return oneOf(
      best.map((item) => item.endpoint),
      method,
      best[0]?.values ?? NO_VALUES,
      query,
    )
  }

  /** When the path is there but not with this method, any endpoint of the path does: the gateway answers 405. */
  function findByPathOrOther(method: string | null, target: string): Found {
    const able = endpoints.filter((endpoint) => method === null || answers(endpoint, method))
    const found = findByPath(able, method, target)
    if (found.kind !== 'none' || method === null) return found
    const other = findByPath(endpoints, method, target)
    return other.kind === 'several' ? findByPath(other.endpoints.slice(0, 1), method, target) : other
  }

  function findByName(name: string, method: string | null): Found {
    const wanted = name.toLowerCase()
    const named = endpoints.filter(
      ({ proxy, collection }) =>
        proxy.slug === wanted ||
        `${collection.slug}:${proxy.slug}` === wanted ||
        proxy.name.toLowerCase() === wanted,
    )
    const narrowed =
      named.length < 2 || method === null ? named : named.filter((item) => answers(item, method))
    return oneOf(narrowed.length === 0 ? named : narrowed, null, NO_VALUES, '')
  }

  return {
    endpoints,
    collections,
    patternOf,
    find(ref, named) {
      const known = byId.get(ref)
      if (known !== undefined) return oneOf([known], null, NO_VALUES, '')
      const text = ref.trim()
      if (text.startsWith('/')) return findByPathOrOther(named, text)
      const space = text.indexOf(' ')
      const method = text.slice(0, space).toUpperCase()
      const rest = text.slice(space + 1).trimStart()
      if (space > 0 && rest.startsWith('/') && METHODS.has(method)) return findByPathOrOther(method, rest)
      return findByName(text, named)
    },
    collection(ref) {
      const wanted = ref.trim().toLowerCase()
      const fits = collections.filter(
        ({ collection: { id, slug, name } }) =>
          id === ref || slug === wanted || name.toLowerCase() === wanted,
      )
      // An id or slug is unique; of equal names the first in order is meant.
      return (
        (fits.find(({ collection: { id, slug } }) => id === ref || slug === wanted) ?? fits[0])?.collection ??
        null
      )
    },
  }
}

function answers(endpoint: Endpoint, method: string): boolean {
  return endpoint.methods.includes(method) || (method === 'HEAD' && endpoint.methods.includes('GET'))
}

function oneOf(
  endpoints: readonly Endpoint[],
  method: string | null,
  values: ReadonlyMap<string, string>,
  query: string,
): Found {
  if (endpoints.length === 0) return { kind: 'none' }
  if (endpoints.length > 1) return { kind: 'several', endpoints }
  return { kind: 'one', endpoint: endpoints[0]!, method, values, query }
}
