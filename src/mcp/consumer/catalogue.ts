/**
 * Indexes the endpoints that a caller may call, and finds the one that an agent names. An endpoint that the caller may not
 * call gets the answer of one that does not exist.
 */
import type { Endpoint } from '../../gateway/port.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import type { CollectionFragment } from '../../snapshot/fragments.ts'
import {
  firstLiteral,
  isOpen,
  matchTexts,
  moreSpecific,
  type Pattern,
  toPattern,
  toTexts,
} from '../endpoints/pattern.ts'
import { parameterInvalid, refused, type ToolResult } from '../http/answers.ts'

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

type Found =
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
  /** By the exact references that a list of endpoints gives: ids, and `METHOD /template` once it was looked up. */
  const byReference = new Map(endpoints.map((endpoint) => [endpoint.proxy.id, oneOf([endpoint])]))
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

  // Made on the first look-up by path: most agents name endpoints by id.
  let paths: PathIndex | null = null

  function findByPath(method: string | null, target: string): Found {
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const query = mark === -1 ? '' : target.slice(mark + 1)
    paths ??= indexPaths(endpoints, patternOf)
    const able = (among: readonly Match[]): readonly Match[] =>
      method === null ? among : among.filter(({ endpoint }) => answers(endpoint, method))
    const templates = templatesOf(paths, path)
    // A template that answers wins whatever else fits
    const named = able(templates)
    const matches = named.length > 0 ? named : [...templates, ...matchesOf(paths, path, patternOf)]
    const best = bestOf(able(matches), matches)
    if (best.length !== 1) return oneOf(best.map(({ endpoint }) => endpoint))
    return { kind: 'one', endpoint: best[0]!.endpoint, method, values: best[0]!.values, query }
  }

  function bestOf(able: readonly Match[], matches: readonly Match[]): readonly Match[] {
    // When the path is there but not with this method, any endpoint of the path does: the gateway answers 405.
    return able.length > 0 ? mostSpecific(able, patternOf) : mostSpecific(matches, patternOf).slice(0, 1)
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
    return oneOf(narrowed.length === 0 ? named : narrowed)
  }

  return {
    endpoints,
    collections,
    patternOf,
    find(ref, named) {
      const known = byReference.get(ref)
      if (known !== undefined) return known
      const text = ref.trim()
      if (text.startsWith('/')) return findByPath(named, text)
      const space = text.indexOf(' ')
      const method = text.slice(0, space).toUpperCase()
      const rest = text.slice(space + 1).trimStart()
      if (space <= 0 || !rest.startsWith('/') || !METHODS.has(method)) return findByName(text, named)
      const found = findByPath(method, rest)
      // One reference for each method of each endpoint, so their number is bounded
      if (found.kind === 'one' && ref === `${method} ${found.endpoint.path}`) byReference.set(ref, found)
      return found
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

/** HEAD comes with GET. */
export function answers(endpoint: Endpoint, method: string): boolean {
  return endpoint.methods.includes(method) || (method === 'HEAD' && endpoint.methods.includes('GET'))
}

function oneOf(endpoints: readonly Endpoint[]): Found {
  if (endpoints.length === 0) return { kind: 'none' }
  if (endpoints.length > 1) return { kind: 'several', endpoints }
  return { kind: 'one', endpoint: endpoints[0]!, method: null, values: NO_VALUES, query: '' }
}

interface PathIndex {
  readonly byTemplate: ReadonlyMap<string, readonly Endpoint[]>
  /** Endpoints by what their paths begin with; see {@link startOf}. */
  readonly byStart: ReadonlyMap<string, readonly Endpoint[]>
}

/** Number of segments of any length, for patterns that end in a wildcard. */
const OPEN = -1
/** First segment of patterns that begin with a parameter. */
const ANY = null

/** Tells most patterns apart before they are matched: an agent may see thousands. */
function startOf(segments: number, first: string | typeof ANY): string {
  return first === ANY ? String(segments) : `${segments}/${first}`
}

interface Match {
  readonly endpoint: Endpoint
  readonly values: ReadonlyMap<string, string>
  /** Named by its very template, which wins over every match. */
  readonly template: boolean
}

function indexPaths(endpoints: readonly Endpoint[], patternOf: (endpoint: Endpoint) => Pattern): PathIndex {
  return {
    byTemplate: Map.groupBy(endpoints, (endpoint) => endpoint.path),
    byStart: Map.groupBy(endpoints, (endpoint) => {
      const pattern = patternOf(endpoint)
      return startOf(isOpen(pattern) ? OPEN : pattern.segments.length, firstLiteral(pattern))
    }),
  }
}

function templatesOf({ byTemplate }: PathIndex, path: string): Match[] {
  return (byTemplate.get(path) ?? []).map((endpoint) => ({ endpoint, values: NO_VALUES, template: true }))
}

function matchesOf(
  { byStart }: PathIndex,
  path: string,
  patternOf: (endpoint: Endpoint) => Pattern,
): Match[] {
  const texts = toTexts(path)
  const matches: Match[] = []
  for (const segments of [texts.length, OPEN])
    for (const first of [texts[0]!, ANY])
      for (const endpoint of byStart.get(startOf(segments, first)) ?? []) {
        if (endpoint.path === path) continue
        const values = matchTexts(patternOf(endpoint), texts)
        if (values !== null) matches.push({ endpoint, values, template: false })
      }
  return matches
}

/** Those that say most about the path: several when they say the same. */
function mostSpecific(
  matches: readonly Match[],
  patternOf: (endpoint: Endpoint) => Pattern,
): readonly Match[] {
  const templates = matches.filter((match) => match.template)
  if (templates.length > 0 || matches.length < 2) return templates.length > 0 ? templates : matches
  const order = (a: Match, b: Match): number => moreSpecific(patternOf(a.endpoint), patternOf(b.endpoint))
  const [first, ...others] = [...matches].sort(order)
  return [first!, ...others.filter((match) => order(first!, match) === 0)]
}

/** Candidates that an ambiguous name lists. */
const CANDIDATES_MAX = 20

export type Resolved =
  | {
      readonly ok: true
      readonly endpoint: Endpoint
      /** Null when the endpoint has several and none was said. */
      readonly method: string | null
      readonly values: ReadonlyMap<string, string>
      readonly query: string
    }
  | { readonly ok: false; readonly outcome: ToolResult }

/** Finds the endpoint an agent means. What the caller may not call is not found, exactly like what does not exist. */
export function resolve(
  catalogue: Catalogue,
  ref: string,
  named: string | undefined,
  requestId: string,
): Resolved {
  const method = named?.toUpperCase()
  const found = catalogue.find(ref, method ?? null)
  if (found.kind === 'none')
    return {
      ok: false,
      outcome: refused('endpoint_not_found', requestId, {
        detail: `No endpoint "${ref.slice(0, 200)}" is visible to you. Use list_endpoints.`,
      }),
    }
  if (found.kind === 'several') return { ok: false, outcome: ambiguous(found.endpoints, requestId) }
  if (method !== undefined && found.method !== null && method !== found.method)
    return {
      ok: false,
      outcome: parameterInvalid(
        requestId,
        [{ pointer: '/method', reason: 'differs from the method that names the endpoint' }],
        { arguments: { endpoint: found.endpoint.proxy.id, method: found.method } },
      ),
    }
  const only = found.endpoint.methods.length === 1 ? found.endpoint.methods[0]! : null
  return {
    ok: true,
    endpoint: found.endpoint,
    method: method ?? found.method ?? only,
    values: found.values,
    query: found.query,
  }
}

function ambiguous(endpoints: readonly Endpoint[], requestId: string): ToolResult {
  const candidates = endpoints.slice(0, CANDIDATES_MAX).map(({ proxy, collection, methods, path }) => ({
    endpoint_id: proxy.id,
    name: proxy.name,
    collection: collection.slug,
    methods,
    path,
  }))
  return refused('endpoint_ambiguous', requestId, {
    detail: `${endpoints.length} endpoints fit. Name one by its endpoint_id.`,
    members: { candidates },
  })
}
