import { estimateTokens } from '../../base/text/token-estimate.ts'
import type { Endpoint, GatewayPort } from '../../gateway/port.ts'
import { given } from '../http/outcome.ts'
import type { Members } from '../protocol/message.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import type { Catalogue } from './catalogue.ts'
import { collectionOf, summaryOf } from './discover.ts'
import type { SearchIndexes } from './search-index.ts'

/** Tokens of one hit, as `estimateTokens` counts them. */
export const HIT_TOKENS_MAX = 60
const LIMIT_DEFAULT = 10
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
): Promise<ToolOutcome> {
  const among = collectionOf(catalogue, values, requestId)
  if (!among.ok) return among.outcome
  const contractOf = (endpoint: Endpoint) => gateway.contract(endpoint)?.contract ?? null
  // Its kind was checked by the rules of the tool
  const query = values.get('query') as string
  const index = await indexes(catalogue.endpoints, contractOf)
  const hits = index.search(query, among.collection?.id ?? null)
  const limit = (values.get('limit') as number | undefined) ?? LIMIT_DEFAULT
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
