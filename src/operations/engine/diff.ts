import { canonicalJson } from '../../base/json/canonical.ts'
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { KindSchema } from './kind-schema.ts'
import { readable, referred } from './views.ts'
import type { DiffEntry } from './write-options.ts'

/** What one change did to one resource: null before for a new one, null after for one that is gone. */
export interface Changed {
  readonly kind: KindSchema
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

/**
 * Slugs of all that the changed resources are or refer to, also of what is gone.
 * @param isMany names also those that were changed, since each has an entry of its own
 */
export async function slugsOfChanges(
  reader: Pick<ConfigReader, 'slugs'>,
  changes: readonly Changed[],
  isMany: boolean,
): Promise<ReadonlyMap<string, string>> {
  const ids = new Set<string>()
  let done = 0
  for (const { kind, before, after } of changes) {
    const both = [before, after].filter((one) => one !== null)
    for (const id of referred(kind, both)) ids.add(id)
    await yieldThread(++done)
  }
  const slugs = new Map(await reader.slugs([...ids]))
  for (const { before, after } of changes) {
    const { id, slug } = (after ?? before)!
    if (before === null || after === null || isMany) slugs.set(id, slug)
  }
  return slugs
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
    await yieldThread(items.length)
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
    await yieldThread(++done)
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
  kind: KindSchema,
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

/** Characters of one value in a diff; longer ones are named by their length, since entries are read by people. */
const VALUE_CHARS_MAX = 8192
/**
 * JSON patch (RFC 6902) with the old values. Lists are compared item by item, unless none stayed. A value over 8,192 characters of JSON
 * is named by its length; {@link differencesOf} keeps it.
 */
export function diffOf(before: unknown, after: unknown, path: readonly string[] = []): DiffEntry[] {
  return differencesOf(before, after, path).map(bounded)
}

/** As {@link diffOf}, with every value whole. */
export function differencesOf(before: unknown, after: unknown, path: readonly string[] = []): DiffEntry[] {
  if (before === after) return []
  if (before === undefined) return [{ op: 'add', path: pointerTo('', ...path), value: after }]
  if (after === undefined) return [{ op: 'remove', path: pointerTo('', ...path), from: before }]
  if (isPlain(before) && isPlain(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
      differencesOf(ownMember(before, name), ownMember(after, name), [...path, name]),
    )
  if (canonicalJson(before) === canonicalJson(after)) return []
  if (Array.isArray(before) && Array.isArray(after)) {
    const items = differencesOfLists(before, after, path)
    if (items !== null) return items
  }
  return [{ op: 'replace', path: pointerTo('', ...path), from: before, value: after }]
}

/** A member of JSON may be named like something that every object inherits, such as `valueOf`. */
function ownMember(object: Plain, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** Members that tell the items of a list apart, the first one that all items have with different values. */
const IDENTITIES = ['id', 'slug', 'name', 'key', 'kid', 'url', 'path', 'claim'] as const

/**
 * Items that are gone (from the end of the old list), items that are new, and the differences of those that stayed, at their
 * places in the new list; in this order the entries are a JSON patch. Null where items have no identity, changed places, or none stayed.
 */
function differencesOfLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: readonly string[],
): DiffEntry[] | null {
  const identity = identityOf([before, after])
  if (identity === null) return null
  const [was, is] = [before.map(identity), after.map(identity)]
  const [old, now] = [new Map(was.map((key, at) => [key, at])), new Map(is.map((key, at) => [key, at]))]
  const stayed = was.filter((key) => now.has(key))
  // One list in the place of another one, which is read as a whole
  if (stayed.length === 0 && was.length > 0 && is.length > 0) return null
  if (is.filter((key) => old.has(key)).some((key, at) => key !== stayed[at])) return null
  const at = (index: number): string[] => [...path, String(index)]
  const gone = was.flatMap((key, index) =>
    now.has(key) ? [] : [{ op: 'remove' as const, path: pointerTo('', ...at(index)), from: before[index] }],
  )
  const added = is.flatMap((key, index) =>
    old.has(key) ? [] : [{ op: 'add' as const, path: pointerTo('', ...at(index)), value: after[index] }],
  )
  const changed = stayed.flatMap((key) => {
    const index = now.get(key)!
    return differencesOf(before[old.get(key)!], after[index], at(index)).map((entry) => ({
      ...entry,
      item: entry.item === undefined ? key : `${key} ${entry.item}`,
    }))
  })
  return [...gone.reverse(), ...added, ...changed]
}

/** What tells the items of both lists apart; null where nothing does. */
function identityOf(lists: readonly (readonly unknown[])[]): ((item: unknown) => string) | null {
  const isTold = (key: (item: unknown) => unknown): boolean =>
    lists.every((list) => {
      const keys = list.map(key)
      return keys.every((one) => one !== undefined) && new Set(keys).size === keys.length
    })
  const scalar = (item: unknown): unknown => (item !== null && typeof item === 'object' ? undefined : item)
  if (isTold(scalar)) return (item) => JSON.stringify(item)
  for (const name of IDENTITIES) {
    const member = (item: unknown): unknown => {
      const value = isPlain(item) ? (item as Plain)[name] : undefined
      return typeof value === 'string' ? value : undefined
    }
    if (isTold(member)) return (item) => String(member(item))
  }
  return null
}

function bounded(entry: DiffEntry): DiffEntry {
  const { from, value } = entry
  return {
    ...entry,
    ...(from === undefined ? {} : { from: boundedValue(from) }),
    ...(value === undefined ? {} : { value: boundedValue(value) }),
  }
}

function boundedValue(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text.length <= VALUE_CHARS_MAX ? value : `${text.length} characters of JSON`
}

/** Characters of all values of one diff, and its entries: one import changes thousands of things. */
const DIFF_CHARS_MAX = 256 * 1024
const DIFF_ENTRIES_MAX = 2000

/** The diff of a whole change: every path in it, and values as long as there is room. */
export function boundedDiff(entries: readonly DiffEntry[]): readonly DiffEntry[] {
  let left = DIFF_CHARS_MAX
  const kept = entries.slice(0, DIFF_ENTRIES_MAX).map((given) => {
    const entry = bounded(given)
    const chars = JSON.stringify([entry.from, entry.value]).length
    left -= chars
    if (left >= 0) return entry
    left += chars
    const named = `${chars} characters of JSON`
    return {
      op: entry.op,
      path: entry.path,
      ...(entry.from === undefined ? {} : { from: named }),
      ...(entry.value === undefined ? {} : { value: named }),
    }
  })
  const more = entries.length - kept.length
  return more === 0 ? kept : [...kept, { op: 'replace', path: '', value: `${more} more changes` }]
}
