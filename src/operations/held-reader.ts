import { RESOURCE_TYPES } from '../model/common.ts'
import type { ConfigReader, Resource } from '../store/ports/config.ts'
import { idsWithSealedHeaders } from './header-secrets.ts'

/** What compiling asks of the configuration. */
export type CompileReader = Pick<ConfigReader, 'byId' | 'all' | 'tokensOf' | 'secretsOf' | 'schema'>

/**
 * The whole configuration read at once and answered from memory: compiling everything asks a few questions per
 * resource, which for thousands of clients are too many to ask the store one by one.
 */
export async function holdAll(reader: ConfigReader): Promise<CompileReader> {
  const byId = new Map<string, Resource>()
  const byType = new Map<string, readonly Resource[]>()
  const byParent = new Map<string, Resource[]>()
  for (const type of RESOURCE_TYPES) {
    const resources = await reader.all(type)
    byType.set(type, resources)
    for (const resource of resources) {
      byId.set(resource.id, resource)
      if (resource.parent !== null) push(byParent, `${type} ${resource.parent}`, resource)
    }
  }
  const tokens = Map.groupBy(await reader.tokensOf(idsOf(byType, 'profiles')), (token) => token.profile)
  const owners = [
    ...idsOf(byType, 'credentials'),
    ...idsOf(byType, 'profiles'),
    ...idsWithSealedHeaders([...(byType.get('collections') ?? []), ...(byType.get('proxies') ?? [])]),
  ]
  const secrets = Map.groupBy(await reader.secretsOf(owners), (secret) => secret.owner)
  return {
    byId: async (_type, id) => byId.get(id),
    all: async (type, parent) =>
      (parent === undefined ? byType.get(type) : byParent.get(`${type} ${parent}`)) ?? [],
    tokensOf: async (profiles) => profiles.flatMap((id) => tokens.get(id) ?? []),
    secretsOf: async (owners) => owners.flatMap((id) => secrets.get(id) ?? []),
    schema: (hash) => reader.schema(hash),
  }
}

function idsOf(byType: ReadonlyMap<string, readonly Resource[]>, type: string): string[] {
  return (byType.get(type) ?? []).map(({ id }) => id)
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
