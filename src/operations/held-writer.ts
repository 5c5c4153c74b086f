import type { ResourceType } from '../model/common.ts'
import type { ConfigWriter, Resource } from '../store/ports/config.ts'
import { breathe } from './breathe.ts'
import { ALL_KINDS } from './kinds/kinds.ts'

/**
 * A writer that has read all resources at once and answers from memory what handlers ask one by one; every write goes
 * through to the store, too. For a change of thousands of resources that asks several questions for each.
 */
export async function holdWriter(writer: ConfigWriter): Promise<ConfigWriter> {
  const held = createHeld()
  for (const { type } of ALL_KINDS) {
    for (const resource of await writer.all(type)) held.put(resource)
    await breathe(0)
  }
  return {
    ...writer,
    byId: async (type, id) => {
      const found = held.byId.get(id)
      return found?.type === type ? found : undefined
    },
    // What lies within parts is found by the store
    bySlug: async (type, slug, parent, within) =>
      within === undefined
        ? inOrder(held.bySlug.get(`${type} ${slug}`)).filter(
            (one) => parent === undefined || (one.parent ?? '') === parent,
          )
        : writer.bySlug(type, slug, parent, within),
    byKey: async (type, key, parent) =>
      inOrder(held.byKey.get(`${type} ${key}`)).filter((one) => parent === null || one.parent === parent),
    all: async (type, parent) =>
      inOrder(parent === undefined ? held.byType.get(type) : held.byParent.get(`${type} ${parent}`)),
    slugs: async (ids) =>
      new Map(
        ids.flatMap((id) => {
          const found = held.byId.get(id)
          return found === undefined ? [] : [[id, found.slug] as const]
        }),
      ),
    insert: async (resource) => {
      await writer.insert(resource)
      held.put(resource)
    },
    replace: async (resource) => {
      await writer.replace(resource)
      held.put(resource)
    },
    remove: async (id) => {
      await writer.remove(id)
      held.drop(id)
    },
  }
}

type Group = Map<string, Resource>

function inOrder(group: Group | undefined): readonly Resource[] {
  return [...(group?.values() ?? [])].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function createHeld() {
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
