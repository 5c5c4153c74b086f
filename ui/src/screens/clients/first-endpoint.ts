/** An endpoint to begin with: the first one that a profile may call. */
import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { JsonObject } from '../../../build/document.ts'
import { client, useMay } from '../../api/client.ts'
import { targetOf } from '../proxies/target.ts'
import { callable } from './first-request.ts'

/** Proxies of a collection that are looked through. */
const PROXIES_MAX = 100
/** Collections that are looked through. */
const COLLECTIONS_MAX = 10
/** Endpoints of a collection whose access the server is asked for. */
const ASKED_MAX = 5

interface FirstEndpoint {
  readonly collection: { readonly slug: string; readonly hosts: readonly string[] }
  /** Such as `orders:list-orders`; null: `target` is the base path of the collection. */
  readonly endpoint: string | null
  readonly method: string
  readonly target: string
}

/** Of the client's published collections; null if there is none. The server decides what the profile may call. */
export function useFirstEndpoint(profile: JsonObject): UseQueryResult<FirstEndpoint | null> {
  const may = useMay()
  return useQuery({
    queryKey: ['first-endpoint', profile['id'], profile['revision']],
    queryFn: () => firstEndpoint(profile, may('profiles.access')),
    enabled: ['clients.get', 'collections.get', 'proxies.list'].every(may),
  })
}

async function firstEndpoint(profile: JsonObject, mayAsk: boolean): Promise<FirstEndpoint | null> {
  const owner = (await client.call('clients.get', { id: String(profile['client']) })).body
  const own = profile['collections']
  const slugs = owner.collections.filter((slug) => !Array.isArray(own) || own.includes(slug))
  let fallback: FirstEndpoint | null = null
  for (const slug of slugs.slice(0, COLLECTIONS_MAX)) {
    const collection = (await client.call('collections.get', { id: slug })).body
    if (collection.status !== 'published') continue
    fallback ??= { collection, endpoint: null, method: 'GET', target: collection.base_path }
    for (const { proxy, method } of callable(await proxiesOf(slug)).slice(0, ASKED_MAX)) {
      const endpoint = `${slug}:${proxy.slug}`
      const isAllowed =
        !mayAsk ||
        (await client.call('profiles.access', { id: String(profile['id']), endpoint, method })).body.allowed
      const { target } = targetOf(proxy as unknown as JsonObject, collection.base_path)
      if (isAllowed) return { collection, endpoint, method, target }
    }
  }
  return fallback
}

async function proxiesOf(collection: string) {
  const fields = 'slug,methods,path'
  const asked = { collection, status: 'published', limit: PROXIES_MAX, order: 'oldest', fields } as const
  return (await client.call('proxies.list', asked)).body.items
}
