/**
 * Indexes the endpoints that a caller may call, and finds the one that an agent names. An endpoint that the caller may not
 * call gets the answer of one that does not exist.
 */

import { summed, WordIndex, wordsOf } from '../../base/text/search.ts'
import type { Endpoint } from '../../gateway/port.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import type { CollectionFragment, Contract, ProxyFragment } from '../../snapshot/fragments.ts'
import {
  firstLiteral,
  isOpen,
  matchTexts,
  moreSpecific,
  type Pattern,
  toPattern,
  toTexts,
} from '../endpoints/parameter-text.ts'
import { parameterInvalid, refused, type ToolResult } from '../http/relay.ts'

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

// Finds endpoints by words. An index contains the endpoints that callers with the same permissions see. The first search of
// such a caller makes it. The ranking counts only these endpoints, so it reveals nothing about hidden ones.
//
// 1. Only endpoints of the indexed list are found.
// 2. The same query gives the same order.

export interface SearchIndex {
  /** Endpoints that fit, the best first. @param among keeps those of one collection, by id; null for all */
  search(query: string, among: string | null): readonly Endpoint[]
}

/** How much a word says by where it stands. */
const WEIGHTS = {
  name: 6,
  operation: 5,
  path: 4,
  tag: 3,
  parameter: 2,
  description: 1.5,
  collection: 1,
} as const
/** Parameters and tags that are read of one endpoint. */
const ITEMS_MAX = 100
/** Characters of a text that are read; words behind them are not found. */
const TEXT_CHARS_MAX = 2000
/** Words of a query that count. */
const QUERY_TERMS_MAX = 32
/** Of a word that only begins as one of the query. */
const BEGINNING = 0.5
const BEGINNINGS_MAX = 64
/** For the endpoint that is named by the query itself. */
const NAMED = 1000
const VERB = 1.2

/** Words that stand for methods in what people ask. */
const VERBS: ReadonlyMap<string, readonly string[]> = new Map(
  (
    [
      ['get list read fetch show find view', ['GET']],
      ['post create add new insert', ['POST']],
      ['put', ['PUT']],
      ['patch', ['PATCH']],
      ['update change edit modify set', ['PUT', 'PATCH', 'POST']],
      ['delete remove erase', ['DELETE']],
    ] as const
  ).flatMap(([verbs, methods]) => wordsOf(verbs).map((verb) => [verb, methods] as const)),
)
const FILLERS: ReadonlySet<string> = new Set(
  wordsOf(
    'a an all and any are as at be by can do for from how i in is it me my of on or please that the this to want what which with',
  ),
)

/** The words of one endpoint with their weights. */
type Words = ReadonlyMap<string, number>

/** What is known of endpoints; kept with the fragments, so that each is read once for all callers. */
const known = new WeakMap<ProxyFragment, { readonly contract: Contract | null; readonly words: Words }>()

/** @param contractOf the description of an endpoint; null where there is none */
type ContractOf = (endpoint: Endpoint) => Contract | null

/** Gives the index of a list of endpoints, which it makes when it is first asked for and keeps with the list. */
export type SearchIndexes = (endpoints: readonly Endpoint[], contractOf: ContractOf) => Promise<SearchIndex>

/** Endpoints in all indexes that are kept; one has about 1.5 KB. Beyond, the index that was made first is forgotten. */
const KEPT_MAX = 40_000

/** No indexes yet. */
export function createSearchIndexes(): SearchIndexes {
  const kept = new Map<readonly Endpoint[], Promise<SearchIndex>>()
  let count = 0
  return (endpoints, contractOf) => {
    const before = kept.get(endpoints)
    if (before !== undefined) return before
    for (const oldest of kept.keys()) {
      if (count + endpoints.length <= KEPT_MAX) break
      kept.delete(oldest)
      count -= oldest.length
    }
    const made = createSearchIndex(endpoints, contractOf)
    kept.set(endpoints, made)
    count += endpoints.length
    // A fault must not be the answer for good
    made.catch(() => {
      if (kept.get(endpoints) !== made) return
      kept.delete(endpoints)
      count -= endpoints.length
    })
    return made
  }
}

/** Endpoints that are indexed before other work of the thread has its turn. */
const SLICE = 200

/** Indexes a list of endpoints. */
export async function createSearchIndex(
  endpoints: readonly Endpoint[],
  contractOf: ContractOf,
): Promise<SearchIndex> {
  const index = new WordIndex()
  for (const [at, endpoint] of endpoints.entries()) {
    if (at % SLICE === SLICE - 1) await new Promise(setImmediate)
    index.add(at, wordsOfEndpoint(endpoint, contractOf(endpoint)))
  }
  const worthOf = (term: string): ReadonlyMap<number, number> =>
    index.worthOf(term, BEGINNINGS_MAX, (form, places) => {
      const worth = Math.log(1 + endpoints.length / places) * (form === term ? 1 : BEGINNING)
      return (weight) => weight * worth
    })

  return {
    search(query, among) {
      const asked = [...new Set(wordsOf(query.slice(0, TEXT_CHARS_MAX)))].slice(0, QUERY_TERMS_MAX)
      const telling = asked.filter((term) => !FILLERS.has(term))
      const terms = telling.length > 0 ? telling : asked
      let total = 0
      const scores = summed(terms, (term) => {
        const worth = worthOf(term)
        // A verb that no endpoint has says something by its method alone
        if (worth.size > 0 || !VERBS.has(term)) total++
        return worth
      })
      const name = query.trim().toLowerCase()
      const methods = terms.flatMap((term) => VERBS.get(term) ?? [])
      const hits: { readonly endpoint: Endpoint; readonly at: number; readonly score: number }[] = []
      for (const [at, { sum, count }] of scores) {
        const endpoint = endpoints[at]!
        if (among !== null && endpoint.collection.id !== among) continue
        const isOfVerb = methods.some((method) => endpoint.methods.includes(method))
        const isNamed = isNameOf(endpoint, contractOf(endpoint), name)
        const score = sum * (0.3 + (0.7 * count) / total) * (isOfVerb ? VERB : 1)
        hits.push({ endpoint, at, score: isNamed ? NAMED + score : score })
      }
      hits.sort((a, b) => b.score - a.score || a.at - b.at)
      return hits.map(({ endpoint }) => endpoint)
    },
  }
}

function wordsOfEndpoint({ proxy, collection, path }: Endpoint, contract: Contract | null): Words {
  const before = known.get(proxy)
  if (before !== undefined && before.contract === contract) return before.words
  const words = new Map<string, number>()
  const add = (text: string, weight: number): void => {
    // The best place of a word counts: repeating it in a description says no more
    for (const term of wordsOf(text.slice(0, TEXT_CHARS_MAX)))
      if (weight > (words.get(term) ?? 0)) words.set(term, weight)
  }
  add(proxy.name, WEIGHTS.name)
  add(proxy.slug, WEIGHTS.operation)
  add(contract?.operation_id ?? '', WEIGHTS.operation)
  add(path, WEIGHTS.path)
  add(proxy.tags.slice(0, ITEMS_MAX).join(' '), WEIGHTS.tag)
  const parameters = contract?.parameters.slice(0, ITEMS_MAX) ?? []
  add(parameters.map(({ name }) => name).join(' '), WEIGHTS.parameter)
  add(contract?.description ?? '', WEIGHTS.description)
  add(`${collection.name} ${collection.slug}`, WEIGHTS.collection)
  known.set(proxy, { contract, words })
  return words
}

/** Whether a text in lower case names the endpoint by itself. */
function isNameOf({ proxy, path, methods }: Endpoint, contract: Contract | null, text: string): boolean {
  // Most differ in length, and need not be copied in lower case
  const isText = (name: string): boolean => name.length === text.length && name.toLowerCase() === text
  return (
    [proxy.name, proxy.slug, contract?.operation_id ?? '', path].some(isText) ||
    methods.some((method) => text.length === method.length + 1 + path.length && isText(`${method} ${path}`))
  )
}
