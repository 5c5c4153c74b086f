import { yieldThread } from '../../base/yield.ts'
import { idsWithSealedHeaders } from '../../model/injected-header.ts'
import { NOUNS, RESOURCE_TYPES, type ResourceType } from '../../model/resource-types.ts'
import type { CompileReader } from '../../snapshot/compile/sources.ts'
import type { ConfigReader, ConfigWriter } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'

/**
 * The whole configuration read at once and answered from memory: compiling everything asks a few questions per
 * resource, which for thousands of clients are too many to ask the store one by one.
 */
export async function readWhole(reader: ConfigReader): Promise<CompileReader> {
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
  const kept = [...idsOf(byType, 'origins'), ...idsOf(byType, 'virtual_mcps')]
  const states = Map.groupBy(await reader.statesOf(kept), (state) => state.owner)
  return {
    byId: async (_type, id) => byId.get(id),
    all: async (type, parent) =>
      (parent === undefined ? byType.get(type) : byParent.get(`${type} ${parent}`)) ?? [],
    tokensOf: async (profiles) => profiles.flatMap((id) => tokens.get(id) ?? []),
    secretsOf: async (owners) => owners.flatMap((id) => secrets.get(id) ?? []),
    statesOf: async (owners, part) =>
      owners
        .flatMap((id) => states.get(id) ?? [])
        .filter((state) => part === undefined || state.part === part),
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

/**
 * A writer that has read all resources at once and answers from memory what handlers ask one by one; every write goes
 * through to the store, too. For a change of thousands of resources that asks several questions for each.
 */
export async function inMemoryWriter(writer: ConfigWriter): Promise<ConfigWriter> {
  const index = createIndex()
  for (const type of Object.keys(NOUNS) as ResourceType[]) {
    for (const resource of await writer.all(type)) index.put(resource)
    await yieldThread(0)
  }
  return {
    ...writer,
    byId: async (type, id) => {
      const found = index.byId.get(id)
      return found?.type === type ? found : undefined
    },
    // What lies within parts is found by the store
    bySlug: async (type, slug, parent, within) =>
      within === undefined
        ? inOrder(index.bySlug.get(`${type} ${slug}`)).filter(
            (one) => parent === undefined || (one.parent ?? '') === parent,
          )
        : writer.bySlug(type, slug, parent, within),
    byKey: async (type, key, parent) =>
      inOrder(index.byKey.get(`${type} ${key}`)).filter((one) => parent === null || one.parent === parent),
    all: async (type, parent) =>
      inOrder(parent === undefined ? index.byType.get(type) : index.byParent.get(`${type} ${parent}`)),
    slugs: async (ids) =>
      new Map(
        ids.flatMap((id) => {
          const found = index.byId.get(id)
          return found === undefined ? [] : [[id, found.slug] as const]
        }),
      ),
    insert: async (resource) => {
      await writer.insert(resource)
      index.put(resource)
    },
    replace: async (resource) => {
      await writer.replace(resource)
      index.put(resource)
    },
    remove: async (id) => {
      await writer.remove(id)
      index.drop(id)
    },
  }
}

type Group = Map<string, Resource>

function inOrder(group: Group | undefined): readonly Resource[] {
  return [...(group?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function createIndex() {
  const byId: Group = new Map()
  const byType = new Map<ResourceType, Group>()
  const byParent = new Map<string, Group>()
  const bySlug = new Map<string, Group>()
  const byKey = new Map<string, Group>()
  const join = <K>(groups: Map<K, Group>, key: K, resource: Resource): void => {
    const group = groups.get(key)
    if (group === undefined) groups.set(key, new Map([[resource.id, resource]]))
    else group.set(resource.id, resource)
  }
  const drop = (id: string): void => {
    const resource = byId.get(id)
    if (resource === undefined) return
    const { type, parent, slug, key } = resource
    byId.delete(id)
    byType.get(type)?.delete(id)
    byParent.get(`${type} ${parent}`)?.delete(id)
    bySlug.get(`${type} ${slug}`)?.delete(id)
    byKey.get(`${type} ${key}`)?.delete(id)
  }
  const put = (resource: Resource): void => {
    drop(resource.id)
    const { id, type, parent, slug, key } = resource
    byId.set(id, resource)
    join(byType, type, resource)
    join(bySlug, `${type} ${slug}`, resource)
    if (parent !== null) join(byParent, `${type} ${parent}`, resource)
    if (key !== null) join(byKey, `${type} ${key}`, resource)
  }
  return { byId, byType, byParent, bySlug, byKey, put, drop }
}
