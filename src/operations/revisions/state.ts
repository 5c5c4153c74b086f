import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { RESOURCE_TYPES } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { readable, referred } from '../engine/views.ts'
import { kindOf } from '../kinds.ts'

/** A resource at two revisions; null where it was not there. */
export interface Moved {
  readonly id: string
  readonly from: Resource | null
  readonly to: Resource | null
}

/**
 * A revision that is asked for. Refuses with not_found one that has not been, and one whose successors are no longer
 * kept, so that its state is not known.
 */
export async function revisionOf(reader: ConfigReader, id: string): Promise<number> {
  const revision = Number(id)
  if (revision > (await reader.revision()))
    throw refuse('not_found', { detail: `There is no revision ${revision} yet.` })
  const oldest = await reader.oldestRevision()
  if (oldest === undefined || revision < oldest - 1)
    throw refuse('not_found', { detail: `Revision ${revision} is no longer kept.` })
  return revision
}

/** What differs between the state of an older revision and that of a later one. */
export async function movedBetween(reader: ConfigReader, from: number, to: number): Promise<Moved[]> {
  const before = (await reader.changedSince(from, to)).filter(isServed)
  const after = new Map((await reader.changedSince(to)).map((image) => [image.id, image.before]))
  const moved: Moved[] = []
  for (const { id, type, before: was } of before) {
    await yieldThread(moved.length)
    const is = after.get(id)
    moved.push({ id, from: was, to: is === undefined ? ((await reader.byId(type, id)) ?? null) : is })
  }
  return moved.filter((one) => one.from !== null || one.to !== null)
}

function isServed({ type }: Pick<Resource, 'type'>): boolean {
  return RESOURCE_TYPES.some((served) => served === type)
}

/** Slugs of all that the resources are or refer to, also of what is gone. */
export async function slugsOfMoved(
  reader: ConfigReader,
  moved: readonly Moved[],
): Promise<ReadonlyMap<string, string>> {
  const all = moved.flatMap(({ from, to }) => [from, to].filter((one) => one !== null))
  const ids = all.flatMap((one) => referred(kindOf(one.type), [one]))
  const slugs = new Map(await reader.slugs([...new Set(ids)]))
  for (const { id, slug } of all) if (!slugs.has(id)) slugs.set(id, slug)
  return slugs
}

/** A resource as people read it, for a difference. */
export async function plainOf(
  kind: Kind,
  resource: Resource | null,
  slugs: ReadonlyMap<string, string>,
): Promise<Fields | undefined> {
  if (resource === null) return undefined
  const { slug, spec, draft } = resource
  return {
    slug,
    ...(await readable(kind, spec, slugs)),
    ...(draft === null ? {} : { pending_draft: await readable(kind, draft, slugs) }),
  }
}

/** `proxies/orders:get-order` */
export function nameOf(
  { type, slug, parent }: Pick<Resource, 'type' | 'slug' | 'parent'>,
  slugs: ReadonlyMap<string, string>,
): string {
  return `${type}/${parent === null ? '' : `${slugs.get(parent) ?? parent}:`}${slug}`
}
