import { canonicalJsonPaused, textHash } from '../../base/json/canonical.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { inSlices, yieldThread } from '../../base/threads/time-slices.ts'
import {
  type Compiled,
  compileOrClose,
  compileResource,
  SEALED_TYPES,
  SERVED_TYPES,
  type Served,
  servedBy,
  unusedAfter,
} from '../../snapshot/compile/compile-resource.ts'
import { dependentsOf } from '../../snapshot/compile/dependents.ts'
import { FORM, type Fragment, type FragmentKey } from '../../snapshot/fragments.ts'
import {
  createPacker,
  digestOf,
  type KeptSnapshot,
  type PackedSnapshot,
} from '../../snapshot/packed-fragments.ts'
import { FragmentText, keyOf, type TextDelta } from '../../snapshot/sent-delta.ts'
import type { ConfigReader, ConfigStore } from '../../store/ports/config.ts'
import type { FragmentChanges, StoredFragment } from '../../store/ports/fragments.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { readPages } from './config-in-memory.ts'
import type { Changed } from './diff.ts'

/**
 * Compiles what changed and what is compiled of it, each served resource once.
 * @param check judges a fragment as gateway threads will; what it finds refuses the change
 */
export async function compileChanges(
  reader: ConfigReader,
  changes: readonly Pick<Changed, 'before' | 'after'>[],
  check: (fragment: Fragment) => readonly FieldError[] | Promise<readonly FieldError[]>,
): Promise<Compiled> {
  const put: Fragment[] = []
  const drop: FragmentKey[] = []
  const errors: FieldError[] = []
  const touched = servedIn(changes)
  for (const [index, served] of [...touched, ...(await dependentsOf(reader, touched))].entries()) {
    const compiled = await compileResource(reader, served)
    put.push(...compiled.put)
    drop.push(...compiled.drop)
    for (const fragment of compiled.put) {
      errors.push(...(await check(fragment)))
      // What a collection of thousands of endpoints becomes takes long, each by itself
      await yieldThread(index + 1)
    }
    await yieldThread(index + 1)
  }
  if (errors.length > 0)
    throw refuse('configuration_invalid', {
      detail: `The configuration would not work: ${errors[0]!.reason}.`,
      errors,
    })
  let done = 0
  for (const { before, after } of changes) {
    if (before !== null) drop.push(...(await unusedAfter(reader, before, after)))
    await yieldThread(++done)
  }
  return { put, drop }
}

function servedIn(changes: readonly Pick<Changed, 'before' | 'after'>[]): readonly Served[] {
  const all = changes.map(({ before, after }) => servedBy((after ?? before)!)).filter((one) => one !== null)
  return [...new Map(all.map((one) => [one.id, one])).values()]
}

/** What holds the secrets of these owners, as it stands; what did not work before stays closed. */
export async function compileResealed(
  reader: ConfigReader,
  owners: readonly string[],
): Promise<readonly Fragment[]> {
  const all = new Map<string, Served>()
  for (const owner of owners) {
    const resource = await ownerOf(reader, owner)
    const served = resource === undefined ? null : servedBy(resource)
    if (served !== null) all.set(served.id, served)
  }
  const put: Fragment[] = []
  for (const served of all.values()) put.push(...(await compileOrClose(reader, served)).put)
  return put
}

async function ownerOf(reader: ConfigReader, id: string): Promise<Resource | undefined> {
  for (const type of SEALED_TYPES) {
    const found = await reader.byId(type, id)
    if (found !== undefined) return found
  }
  return undefined
}

/** Fragments as they are stored, each once. */
export async function toStored(
  put: readonly Fragment[],
  drop: readonly FragmentKey[],
): Promise<Pick<FragmentChanges, 'put' | 'drop'>> {
  const unique = new Map(put.map((fragment) => [keyOf(fragment), fragment]))
  const stored: StoredFragment[] = []
  for (const [key, fragment] of unique) {
    const json = await inSlices(canonicalJsonPaused(fragment))
    await yieldThread(stored.length + 1)
    stored.push({ key, hash: textHash(json), form: FORM, json })
    await yieldThread(stored.length)
  }
  return { put: stored, drop: [...new Set(drop.filter((key) => !unique.has(key)))] }
}

/** A stored fragment as gateway threads take it, not parsed. */
function toText({ key, hash, json }: StoredFragment): FragmentText {
  // Written by toStored from a key of this very type
  return new FragmentText(key as FragmentKey, hash, json)
}

/**
 * All fragments as the configuration compiles to them now, some at a time. A fragment that several resources share comes with each of
 * them. Resolves with whether all of it compiles.
 */
async function compileAll(
  reader: ConfigReader,
  take: (some: readonly StoredFragment[]) => Promise<void> | void,
): Promise<boolean> {
  let isWhole = true
  for (const type of SERVED_TYPES)
    for await (const page of readPages(reader, type)) {
      const put: Fragment[] = []
      for (const id of page.ids) {
        const compiled = await compileOrClose(page.reader, { type, id })
        put.push(...compiled.put)
        isWhole &&= !compiled.isClosed
      }
      await take((await toStored(put, [])).put)
    }
  return isWhole
}

/**
 * The whole configuration, compiled anew. `done` runs before any later change can be published, so that what takes it there misses
 * none.
 */
export function fullSnapshot(
  store: ConfigStore,
  done?: (whole: PackedSnapshot) => void,
): Promise<PackedSnapshot> {
  return store.still(compiledSnapshot, done)
}

async function compiledSnapshot(reader: ConfigReader): Promise<PackedSnapshot> {
  const revision = await reader.revision()
  const packer = createPacker()
  await compileAll(reader, (some) => some.map(toText).forEach(packer.add))
  return { revision, fragments: packer.done() }
}

/**
 * The whole configuration at a start: as it is stored if this very version has compiled all of it, else compiled anew and stored.
 * @param version names what compiles them: another one may compile the same configuration to something else
 * @param copy is answered itself where it has the same fragments, which are not read again then
 */
export async function firstSnapshot(
  store: ConfigStore,
  version: string,
  copy: KeptSnapshot | null = null,
): Promise<PackedSnapshot> {
  const compiler = `${FORM} ${version}`
  const kept = await store.still(async (reader) =>
    copy !== null && (await isCopy(reader, compiler, copy)) ? copy : keptSnapshot(reader, compiler),
  )
  if (kept !== null) return kept
  return store.write(async (writer) => {
    const revision = await writer.revision()
    const packer = createPacker()
    await writer.replaceFragments(revision, async (put) => {
      const isWhole = await compileAll(writer, async (some) => {
        some.map(toText).forEach(packer.add)
        await put(some)
      })
      return isWhole ? compiler : null
    })
    return { revision, fragments: packer.done() }
  })
}

/** Fragments that are read at once. */
const PAGE = 100

/** Whether a copy has what is stored. */
async function isCopy(reader: ConfigReader, compiler: string, copy: KeptSnapshot): Promise<boolean> {
  if ((await reader.revision()) !== copy.revision) return false
  const stored = await reader.fragmentHashes(compiler, FORM)
  // Written by toStored from keys of this very type
  return stored !== null && digestOf(stored as readonly { key: FragmentKey; hash: string }[]) === copy.digest
}

/** Null where fragments are of another compiler or form, or are not what was written. */
async function keptSnapshot(reader: ConfigReader, compiler: string): Promise<PackedSnapshot | null> {
  const revision = await reader.revision()
  const packer = createPacker()
  for (let after = ''; ; ) {
    const page = await reader.fragments(compiler, after, PAGE)
    if (page === null || page.some(({ form, hash, json }) => form !== FORM || textHash(json) !== hash))
      return null
    page.map(toText).forEach(packer.add)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return { revision, fragments: packer.done() }
    after = last.key
  }
}

/** What has changed since a revision, as threads take it; everything where that is not known any more. */
export async function deltaSince(reader: ConfigReader, revision: number): Promise<TextDelta> {
  const changes = await reader.fragmentsSince(revision)
  if (changes === null) {
    const { revision, fragments } = await compiledSnapshot(reader)
    return { revision, full: true, put: [...fragments], drop: [] }
  }
  const { put, drop } = changes
  return {
    revision: changes.revision,
    full: false,
    put: put.map(toText),
    drop: drop as readonly FragmentKey[],
  }
}

/** Keys of stored fragments that are not what the configuration compiles to, in order; empty where none are stored. */
export async function outdatedFragments(store: ConfigStore): Promise<readonly string[]> {
  return store.still(async (reader) => {
    const stored = await reader.fragmentsSince(0)
    if (stored === null) return []
    const known = new Map<string, string>()
    await compileAll(reader, (some) => {
      for (const { key, hash } of some) known.set(key, hash)
    })
    const differing = stored.put.filter(({ key, hash }) => known.get(key) !== hash).map(({ key }) => key)
    const there = new Set(stored.put.map(({ key }) => key))
    return [...differing, ...[...known.keys()].filter((key) => !there.has(key))].toSorted()
  })
}
