import { z } from 'zod'
import { refersTo } from '../../model/annotations.ts'
import { RequestRecord, WholeRecord } from '../../model/record.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'

const slugOf = (type: ResourceType) =>
  z
    .string()
    .meta(refersTo(type))
    .nullable()
    .describe('Current slug; null if there is none or the resource was deleted')

/** A record as it is shown: the ids that it keeps, and beside them the slugs of now. */
const slugs = {
  collection_slug: slugOf('collections'),
  proxy_slug: slugOf('proxies'),
  virtual_mcp_slug: slugOf('virtual_mcps'),
  origin_slug: slugOf('origins'),
  client_slug: slugOf('clients'),
  profile_slug: slugOf('profiles'),
  user_slug: slugOf('users'),
}
export const ShownRecord = RequestRecord.extend(slugs)
export const ShownWholeRecord = WholeRecord.extend(slugs)
type Slugs = { readonly [name in keyof typeof slugs]: string | null }

/** Records with the slugs that their ids have now; null for what is gone. */
export async function withSlugs<Shown extends RequestRecord>(
  records: readonly Shown[],
  reader: ConfigReader,
): Promise<(Shown & Slugs)[]> {
  const ids = records.flatMap(({ collection, proxy, virtual_mcp, origin, client, profile, user }) => [
    collection,
    proxy,
    virtual_mcp,
    origin,
    client,
    profile,
    user,
  ])
  const found = await reader.slugs([...new Set(ids.filter((id) => id !== null))])
  const slugOf = (id: string | null): string | null => (id === null ? null : (found.get(id) ?? null))
  return records.map((record) => ({
    ...record,
    collection_slug: slugOf(record.collection),
    proxy_slug: slugOf(record.proxy),
    virtual_mcp_slug: slugOf(record.virtual_mcp),
    origin_slug: slugOf(record.origin),
    client_slug: slugOf(record.client),
    profile_slug: slugOf(record.profile),
    user_slug: slugOf(record.user),
  }))
}
