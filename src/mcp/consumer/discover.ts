/** The tools that find endpoints: `list_collections`, `list_endpoints` and `search_endpoints`. */
import { estimateTokens } from '../../base/text/token-estimate.ts'
import type { Endpoint, GatewayPort } from '../../gateway/port.ts'
import type { CollectionFragment } from '../../snapshot/fragments.ts'
import { given, parameterInvalid, refused, type ToolResult } from '../http/relay.ts'
import type { Members } from '../protocol/message.ts'
import type { Catalogue, SearchIndexes } from './catalogue.ts'

/** Characters of a description in a list; inspect_contract shows all. */
const SUMMARY_CHARS_MAX = 240
const LIMIT_DEFAULT = 100

/** Runs `list_collections`. */
export function listCollections(catalogue: Catalogue): ToolResult {
  return given({
    collections: catalogue.collections.map(({ collection, count }) => ({
      collection_id: collection.id,
      slug: collection.slug,
      name: collection.name,
      description: summaryOf(collection.description),
      base_path: collection.base_path,
      published_endpoints: count,
    })),
  })
}

/** Runs `list_endpoints`. The kinds of the values were checked by the rules of the tool. */
export function listEndpoints(
  gateway: GatewayPort,
  catalogue: Catalogue,
  values: ReadonlyMap<string, unknown>,
  requestId: string,
): ToolResult {
  const among = collectionOf(catalogue, values, requestId)
  if (!among.ok) return among.outcome
  const { collection } = among
  let { endpoints } = catalogue
  if (collection !== null)
    endpoints = endpoints.filter((endpoint) => endpoint.collection.id === collection.id)
  const tags = (values.get('tags') as string[] | undefined) ?? []
  if (tags.length > 0)
    endpoints = endpoints.filter((endpoint) => tags.every((tag) => endpoint.proxy.tags.includes(tag)))

  const cursor = values.get('cursor') as string | undefined
  const start = cursor === undefined ? 0 : startOf(endpoints, cursor)
  if (start === null)
    return parameterInvalid(
      requestId,
      [{ pointer: '/cursor', reason: 'must be the next_cursor of an earlier page' }],
      { name: 'list_endpoints', arguments: { limit: LIMIT_DEFAULT } },
    )
  const limit = (values.get('limit') as number | undefined) ?? LIMIT_DEFAULT
  const page = endpoints.slice(start, start + limit)
  const last = page.at(-1)
  const more = start + limit < endpoints.length && last !== undefined
  return given({
    endpoints: page.map((endpoint) => ({
      endpoint_id: endpoint.proxy.id,
      collection_id: endpoint.collection.id,
      collection_name: endpoint.collection.name,
      name: endpoint.proxy.name,
      description: summaryOf(gateway.contract(endpoint)?.contract.description ?? ''),
      path: endpoint.path,
      methods: endpoint.methods,
      deprecated: endpoint.proxy.deprecated,
    })),
    next_cursor: more ? toCursor(last) : null,
  })
}

/** The collection that a discovery tool is narrowed to; null for all. */
function collectionOf(
  catalogue: Catalogue,
  values: ReadonlyMap<string, unknown>,
  requestId: string,
):
  | { readonly ok: true; readonly collection: CollectionFragment | null }
  | { readonly ok: false; readonly outcome: ToolResult } {
  // Its kind was checked by the rules of the tool
  const ref = values.get('collection') as string | undefined
  if (ref === undefined) return { ok: true, collection: null }
  const collection = catalogue.collection(ref)
  if (collection !== null) return { ok: true, collection }
  const detail = `No collection "${ref.slice(0, 200)}" is visible to you. Use list_collections.`
  return { ok: false, outcome: refused('not_found', requestId, { detail }) }
}

/** A cursor names the last endpoint given, and its path, so that the next page is right even when that one is gone. */
function toCursor(last: Endpoint): string {
  return Buffer.from(JSON.stringify([last.proxy.id, last.path])).toString('base64url')
}

/** Index of the first endpoint after the cursor; null when it is none of ours. */
function startOf(endpoints: readonly Endpoint[], cursor: string): number | null {
  const place = fromCursor(cursor)
  if (place === null) return null
  const at = endpoints.findIndex((endpoint) => endpoint.proxy.id === place.id)
  if (at !== -1) return at + 1
  const next = endpoints.findIndex((endpoint) => endpoint.path > place.path)
  return next === -1 ? endpoints.length : next
}

function fromCursor(cursor: string): { id: string; path: string } | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (!Array.isArray(value)) return null
    const [id, path] = value as unknown[]
    return typeof id === 'string' && typeof path === 'string' ? { id, path } : null
  } catch {
    return null
  }
}

/** The first paragraph, bounded. */
export function summaryOf(description: string): string {
  const first = description
    .trimStart()
    .split(/\n\s*\n/, 1)[0]!
    .trim()
  return first.length <= SUMMARY_CHARS_MAX
    ? first
    : `${first.slice(0, SUMMARY_CHARS_MAX - 1).toWellFormed()}…`
}

/** Tokens of one hit, as `estimateTokens` counts them. */
export const HIT_TOKENS_MAX = 60
const HITS_DEFAULT = 10
/** Endpoints above which the tool is listed, where the profile says neither. */
const LISTED_ABOVE = 30

/** Whether `search_endpoints` is listed for callers of a profile. */
export function listsSearch(mode: 'on' | 'off' | undefined, endpoints: number): boolean {
  return mode === undefined ? endpoints > LISTED_ABOVE : mode === 'on'
}

/** Runs `search_endpoints`. The kinds of the values were checked by the rules of the tool. */
export async function searchEndpoints(
  gateway: GatewayPort,
  indexes: SearchIndexes,
  catalogue: Catalogue,
  values: ReadonlyMap<string, unknown>,
  requestId: string,
): Promise<ToolResult> {
  const among = collectionOf(catalogue, values, requestId)
  if (!among.ok) return among.outcome
  const contractOf = (endpoint: Endpoint) => gateway.contract(endpoint)?.contract ?? null
  // Its kind was checked by the rules of the tool
  const query = values.get('query') as string
  const index = await indexes(catalogue.endpoints, contractOf)
  const hits = index.search(query, among.collection?.id ?? null)
  const limit = (values.get('limit') as number | undefined) ?? HITS_DEFAULT
  return given({
    endpoints: hits.slice(0, limit).map((hit) => hitOf(hit, contractOf(hit)?.description ?? '')),
    matched: hits.length,
    ...(hits.length === 0
      ? { hint: 'No endpoint has any of these words. Try other words, or list_endpoints.' }
      : {}),
  })
}

/** An endpoint within its bound of tokens: of what is too long, the description is cut first, then the name, then the path. */
export function hitOf({ proxy, methods, path }: Endpoint, description: string): Members {
  const id = { endpoint_id: proxy.id }
  const place = { methods, path }
  const { name } = proxy
  return (
    withText({ ...id, name, ...place }, 'description', summaryOf(description)) ??
    withText({ ...id, ...place }, 'name', name) ??
    withText({ ...id, methods }, 'name', name) ??
    id
  )
}

/** The hit with as much of a text as fits; null where it does not fit without. */
function withText(hit: Members, member: string, text: string): Members | null {
  const made = (end: number): Members => {
    const cut = end >= text.length ? text : `${text.slice(0, end).toWellFormed().trimEnd()}…`
    return text === '' || end === 0 ? hit : { ...hit, [member]: cut }
  }
  const fits = (end: number): boolean => estimateTokens(JSON.stringify(made(end))) <= HIT_TOKENS_MAX
  if (!fits(0)) return null
  let [low, high] = [0, text.length]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  return made(low)
}
