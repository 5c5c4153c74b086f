import { yieldThread } from '../../base/threads/time-slices.ts'
import { NOUNS, type ResourceType } from '../../model/resource-types.ts'
import { type CompileReader, SOURCES, type SourceType } from '../../snapshot/compile/sources.ts'
import { type ConfigReader, type ConfigWriter, typedReads } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'

/** Resources that are read at once: they and their parts are in memory together. */
const PAGE = 50

/** Resources of a type, and a reader that answers from memory what compiling them asks. */
interface Page {
  readonly ids: readonly string[]
  readonly reader: CompileReader
}

/**
 * All resources of a type in order of creation, page by page: compiling everything asks a few questions per resource, which for
 * thousands of clients are too many to ask the store one by one, and all of them take too much memory at once.
 */
export async function* readPages(reader: ConfigReader, type: SourceType): AsyncGenerator<Page> {
  for (let after: string | undefined; ; ) {
    const page = await reader.list({ type, limit: PAGE, ...(after === undefined ? {} : { after }) })
    const ids = page.map(({ id }) => id)
    if (ids.length > 0) yield { ids, reader: await readAbout(reader, type, page) }
    if (ids.length < PAGE) return
    after = ids.at(-1)
  }
}

/** @param page resources of one type */
async function readAbout(
  reader: ConfigReader,
  type: SourceType,
  page: readonly Resource[],
): Promise<CompileReader> {
  const { parts, sealed } = SOURCES[type]
  const parents = page.map(({ id }) => id)
  const below = parts === null ? [] : await reader.below(parts, parents)
  const holders = below
    .filter(({ type: one }) => one === 'profiles' || one === 'bindings')
    .map(({ id }) => id)
  const owners = [...page, ...below].filter((one) => sealed.includes(one.type))
  const tokens = Map.groupBy(await reader.tokensOf(holders), (token) => token.profile)
  const secrets = Map.groupBy(await reader.secretsOf(owners.map(({ id }) => id)), (secret) => secret.owner)
  const byId = new Map(page.map((resource) => [resource.id, resource]))
  const byParent = Map.groupBy(below, ({ parent }) => parent)
  return {
    ...typedReads({
      // A virtual MCP is compiled with its origins
      byId: async (type, id) => byId.get(id) ?? reader.byId(type, id),
      all: async (_type, parent) => byParent.get(parent ?? null) ?? [],
    }),
    tokensOf: async (ids) => ids.flatMap((id) => tokens.get(id) ?? []),
    secretsOf: async (ids) => ids.flatMap((id) => secrets.get(id) ?? []),
    statesOf: (ids, part) => reader.statesOf(ids, part),
    schema: (hash) => reader.schema(hash),
  }
}

/**
 * A writer that has read all resources at once and answers from memory what handlers ask one by one; every write goes
 * through to the store, too. For a change of thousands of resources that asks several questions for each.
 */
export async function inMemoryWriter(writer: ConfigWriter): Promise<ConfigWriter> {
  const index = createIndex()
  for (const type of Object.keys(NOUNS) as ResourceType[]) {
    for (const [at, resource] of (await writer.all(type)).entries()) {
      index.put(resource)
      await yieldThread(at)
    }
  }
  return {
    ...writer,
    ...typedReads({
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
    }),
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
