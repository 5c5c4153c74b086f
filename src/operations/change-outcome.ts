import { canonicalJson } from '../base/canonical.ts'
import type { GrantSpec } from '../model/access.ts'
import { RESOURCE_TYPES } from '../model/common.ts'
import type { RequestTouch } from '../store/ports/change-requests.ts'
import type { ConfigReader, Fields, Resource } from '../store/ports/config.ts'
import type { RevisionImage } from '../store/ports/revisions.ts'
import { breathe } from './breathe.ts'
import type { DiffEntry } from './define.ts'
import { boundedDiff, differencesOf } from './diff.ts'
import type { Kind } from './kind.ts'
import { readable, referred } from './views.ts'

/** What one change did to one resource: null before for a new one, null after for one that is gone. */
export interface Changed {
  readonly kind: Kind
  readonly before: Resource | null
  readonly after: Resource | null
  /** Changes beside the spec, such as of secrets. */
  readonly notes: readonly DiffEntry[]
}

/** As {@link Changed}, as an entry of the trail tells it. */
export interface ChangedItem {
  readonly resource: Resource
  /** Slug of the collection that it is or belongs to. */
  readonly collection: string | null
  readonly diff: readonly DiffEntry[]
  /** Revision before and after. */
  readonly before: number | null
  readonly after: number | null
}

/** Ids of users who were active and are no more. */
export function endedUsers(changes: readonly Changed[]): readonly string[] {
  return changes.flatMap(({ kind, before, after }) =>
    kind.type === 'users' && before?.spec['active'] === true && after?.spec['active'] !== true
      ? [before.id]
      : [],
  )
}

/** Every touched resource as it was before. */
export function imagesOf(changes: readonly Changed[]): readonly RevisionImage[] {
  return changes.flatMap(({ before, after }): RevisionImage[] => {
    const one = after ?? before
    if (one === null) return []
    const { id, type, slug, parent } = one
    const action = actionOf(before, after)
    // Who may administer is not gone back to
    const isKept = action !== 'secrets' && RESOURCE_TYPES.some((served) => served === type)
    return [{ id, type, slug, parent, action, before: isKept ? before : null }]
  })
}

function actionOf(before: Resource | null, after: Resource | null): RevisionImage['action'] {
  if (before === null) return 'created'
  if (after === null) return 'removed'
  return canonicalJson(fieldsOf(before)) === canonicalJson(fieldsOf(after)) ? 'secrets' : 'changed'
}

function fieldsOf({ slug, spec, draft, managed_by }: Resource): Fields {
  return { slug, spec, draft, managed_by }
}

/**
 * Slugs of all that the changed resources are or refer to, also of what is gone.
 * @param isMany names also those that were changed, since each has an entry of its own
 */
export async function slugsOfChanges(
  reader: Pick<ConfigReader, 'slugs'>,
  changes: readonly Changed[],
  isMany: boolean,
): Promise<ReadonlyMap<string, string>> {
  const ids = changes.flatMap(({ kind, before, after }) =>
    referred(
      kind,
      [before, after].filter((one) => one !== null),
    ),
  )
  const slugs = new Map(await reader.slugs(ids))
  for (const { before, after } of changes) {
    const { id, slug } = (after ?? before)!
    if (before === null || after === null || isMany) slugs.set(id, slug)
  }
  return slugs
}

/** What a change touches, as a request for it says it. */
export function touchesOf(changes: readonly Changed[]): readonly RequestTouch[] {
  return changes.flatMap(({ before, after }) => {
    const { type, id, slug, parent, spec } = (before ?? after)!
    // What is about to be made is judged by what it belongs to
    const tags = before === null && parent !== null ? [] : tagsOf(spec)
    const touch = { type, id, slug, parent, tags, revision: before?.revision ?? null }
    const next = before === null || after === null ? tags : tagsOf(after.spec)
    const isMoved = canonicalJson(next) !== canonicalJson(tags)
    const reached =
      type === 'grants' ? [before, after].flatMap((one) => (one === null ? [] : reachOf(one))) : []
    return [touch, ...(isMoved ? [{ ...touch, tags: next }] : []), ...reached]
  })
}

/** What a grant is for, which is touched too: whoever it is for comes to it, or loses it. */
function reachOf({ spec }: Resource): readonly RequestTouch[] {
  // Stored by the schema of this type.
  const { collections, tags } = (spec as GrantSpec).scope
  if (collections.length > 0) return collections.map((parent) => ({ ...besides('proxies', null), parent }))
  const parts = tags.length === 0 ? [[]] : tags.map((tag) => [tag])
  return parts.map((part) => ({ ...besides('grants', null), tags: part }))
}

function tagsOf(spec: Fields): readonly string[] {
  return (spec['tags'] ?? []) as readonly string[]
}

/** As {@link touchesOf}, for what is no resource. */
export function besides(type: string, revision: number | null): RequestTouch {
  return { type, id: null, slug: null, parent: null, tags: [], revision }
}

/** The changes one by one, without those that changed nothing. */
export async function itemsOf(
  changes: readonly Changed[],
  slugs: ReadonlyMap<string, string>,
): Promise<ChangedItem[]> {
  const items: ChangedItem[] = []
  for (const changed of changes) {
    const { before, after } = changed
    const resource = (after ?? before)!
    const diff = boundedDiff(await diffOfOne(changed, slugs, []))
    if (diff.length === 0) continue
    const { type, id, parent } = resource
    const collection = type === 'collections' ? id : type === 'proxies' ? parent : null
    items.push({
      resource,
      collection: collection === null ? null : (slugs.get(collection) ?? null),
      diff,
      before: before?.revision ?? null,
      after: after?.revision ?? null,
    })
    await breathe(items.length)
  }
  return items
}

/** One diff of all changes, with whole values: paths of the subject start at its own members, those of others with `/type/slug`. */
export async function diffOfAll(
  changes: readonly Changed[],
  slugs: ReadonlyMap<string, string>,
  subject: string | undefined,
): Promise<DiffEntry[]> {
  const entries: DiffEntry[] = []
  let done = 0
  for (const changed of changes) {
    await breathe(++done)
    const { id, slug } = (changed.after ?? changed.before)!
    const path = id === subject ? [] : [changed.kind.type, slug]
    entries.push(...(await diffOfOne(changed, slugs, path)))
  }
  return entries
}

async function diffOfOne(
  { kind, before, after, notes }: Changed,
  slugs: ReadonlyMap<string, string>,
  path: readonly string[],
): Promise<DiffEntry[]> {
  const [was, is] = [await plain(kind, before, slugs), await plain(kind, after, slugs)]
  const prefix = path.map((part) => `/${part}`).join('')
  return [...differencesOf(was, is, path), ...notes.map((note) => ({ ...note, path: prefix + note.path }))]
}

async function plain(
  kind: Kind,
  resource: Resource | null,
  slugs: ReadonlyMap<string, string>,
): Promise<Record<string, unknown> | undefined> {
  if (resource === null) return undefined
  const view: Record<string, unknown> = {
    slug: resource.slug,
    ...(await readable(kind, resource.spec, slugs)),
  }
  if (resource.draft !== null) view['pending_draft'] = await readable(kind, resource.draft, slugs)
  if (resource.managed_by !== null) view['managed_by'] = resource.managed_by
  return view
}
