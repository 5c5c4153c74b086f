/**
 * Finds endpoints by words. An index contains the endpoints that callers with the same permissions see. The first search of
 * such a caller makes it. The ranking counts only these endpoints, so it reveals nothing about hidden ones.
 *
 * 1. Only endpoints of the indexed list are found.
 * 2. The same query gives the same order.
 */
import { summed, WordIndex, wordsOf } from '../../base/text/search.ts'
import type { Endpoint } from '../../gateway/port.ts'
import type { Contract, ProxyFragment } from '../../snapshot/fragments.ts'

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
