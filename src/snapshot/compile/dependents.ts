/**
 * Resources that are compiled from others: an origin of kind `collection` from the endpoints of its collection, and a virtual
 * MCP from the catalogues of its origins.
 */
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Served } from './compile-resource.ts'

type Reader = Pick<ConfigReader, 'list' | 'usersOf'>

/** Origins that are read at once. */
const PAGE = 500

/** What is to be compiled after the given resources have changed, besides themselves: origins, then virtual MCPs. */
export async function dependentsOf(reader: Reader, changed: readonly Served[]): Promise<readonly Served[]> {
  const idsOf = (type: Served['type']) => changed.filter((one) => one.type === type).map(({ id }) => id)
  const collections = new Set(idsOf('collections'))
  const origins = new Set([...idsOf('origins'), ...(await originsOver(reader, collections))])
  const virtualMcps = new Set<string>()
  for (const id of origins)
    for (const user of await reader.usersOf(id)) if (user.type === 'virtual_mcps') virtualMcps.add(user.id)
  const known = new Set(changed.map(({ id }) => id))
  return [
    ...[...origins].map((id): Served => ({ type: 'origins', id })),
    ...[...virtualMcps].map((id): Served => ({ type: 'virtual_mcps', id })),
  ].filter(({ id }) => !known.has(id))
}

async function originsOver(reader: Reader, collections: ReadonlySet<string>): Promise<readonly string[]> {
  const found: string[] = []
  if (collections.size === 0) return found
  for (let after: string | undefined; ; ) {
    const query = { type: 'origins', limit: PAGE, where: { kind: 'collection' } } as const
    const page = await reader.list(after === undefined ? query : { ...query, after })
    for (const { id, spec } of page) if (collections.has(String(spec['collection']))) found.push(id)
    after = page.at(-1)?.id
    if (after === undefined || page.length < PAGE) return found
  }
}
