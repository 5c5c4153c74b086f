import { canonicalJson, textHash } from '../../base/canonical.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/yield.ts'
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
import { FORM, type Fragment, type FragmentKey, keyOf, type SnapshotDelta } from '../../snapshot/fragments.ts'
import type { ConfigReader, ConfigStore } from '../../store/ports/config.ts'
import type { FragmentChanges } from '../../store/ports/fragments.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { readWhole } from './config-in-memory.ts'
import type { Changed } from './diff.ts'

/**
 * Compiles what changed, each served resource once.
 * @param check judges a fragment as gateway threads will; what it finds refuses the change
 */
export async function compileChanges(
  reader: ConfigReader,
  changes: readonly Pick<Changed, 'before' | 'after'>[],
  check: (fragment: Fragment) => readonly FieldError[],
): Promise<Compiled> {
  const put: Fragment[] = []
  const drop: FragmentKey[] = []
  const errors: FieldError[] = []
  for (const [index, served] of servedIn(changes).entries()) {
    const compiled = await compileResource(reader, served)
    put.push(...compiled.put)
    drop.push(...compiled.drop)
    errors.push(...compiled.put.flatMap((fragment) => check(fragment)))
    await yieldThread(index + 1)
  }
  if (errors.length > 0)
    throw refuse('configuration_invalid', {
      detail: `The configuration would not work: ${errors[0]!.reason}.`,
      errors,
    })
  for (const { before, after } of changes)
    if (before !== null) drop.push(...(await unusedAfter(reader, before, after)))
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
export function toStored(
  put: readonly Fragment[],
  drop: readonly FragmentKey[],
): Pick<FragmentChanges, 'put' | 'drop'> {
  const unique = new Map(put.map((fragment) => [keyOf(fragment), fragment]))
  return {
    put: [...unique].map(([key, fragment]) => {
      const json = canonicalJson(fragment)
      return { key, hash: textHash(json), form: FORM, json }
    }),
    drop: [...new Set(drop.filter((key) => !unique.has(key)))],
  }
}

/** Stored fragments as gateway threads take them. @param compiled need not be parsed */
function toDelta(
  { revision, put, drop }: FragmentChanges,
  full: boolean,
  compiled: readonly Fragment[] = [],
): SnapshotDelta {
  const known = new Map<string, Fragment>(compiled.map((fragment) => [keyOf(fragment), fragment]))
  return {
    revision,
    full,
    // Written by toStored from these very types
    put: put.map(({ key, hash, json }) => ({
      key: key as FragmentKey,
      hash,
      fragment: known.get(key) ?? (JSON.parse(json) as Fragment),
    })),
    drop: drop as readonly FragmentKey[],
  }
}

interface CompiledWhole {
  readonly changes: FragmentChanges
  readonly delta: SnapshotDelta
  /** All of it compiles. */
  readonly isWhole: boolean
}

/** All fragments as the configuration compiles to them now. */
async function compileAll(reader: ConfigReader): Promise<CompiledWhole> {
  const revision = await reader.revision()
  const put: Fragment[] = []
  let isWhole = true
  const held = await readWhole(reader)
  for (const type of SERVED_TYPES)
    for (const { id } of await held.all(type)) {
      const compiled = await compileOrClose(held, { type, id })
      put.push(...compiled.put)
      isWhole &&= !compiled.isClosed
    }
  const changes = { revision, ...toStored(put, []) }
  return { changes, delta: toDelta(changes, true, put), isWhole }
}

/**
 * The whole configuration for a thread that starts, compiled anew. `done` runs before any later change can be published, so that
 * a thread that is registered there misses none.
 */
export function fullDelta(store: ConfigStore, done?: (delta: SnapshotDelta) => void): Promise<SnapshotDelta> {
  return store.still(async (reader) => (await compileAll(reader)).delta, done)
}

/**
 * The whole configuration at a start: as it is stored if this very version has compiled all of it, else compiled anew and stored.
 * @param version names what compiles them: another one may compile the same configuration to something else
 */
export async function firstDelta(store: ConfigStore, version: string): Promise<SnapshotDelta> {
  const compiler = `${FORM} ${version}`
  const kept = await keptDelta(store.read, compiler)
  if (kept !== null) return kept
  return store.write(async (writer) => {
    const { changes, isWhole, delta } = await compileAll(writer)
    await writer.replaceFragments(isWhole ? compiler : null, changes.revision, changes.put)
    return delta
  })
}

/** Null where fragments are of another compiler or form, or are not what was written. */
async function keptDelta(reader: ConfigReader, compiler: string): Promise<SnapshotDelta | null> {
  const revision = await reader.revision()
  const put = await reader.fragments(compiler)
  if (put === null || put.some(({ form, hash, json }) => form !== FORM || textHash(json) !== hash))
    return null
  return toDelta({ revision, put, drop: [] }, true)
}

/** What has changed since a revision, as threads take it; everything where that is not known any more. */
export async function deltaSince(reader: ConfigReader, revision: number): Promise<SnapshotDelta> {
  const changes = await reader.fragmentsSince(revision)
  return changes === null ? (await compileAll(reader)).delta : toDelta(changes, false)
}

/** Keys of stored fragments that are not what the configuration compiles to, in order; empty where none are stored. */
export async function outdatedFragments(store: ConfigStore): Promise<readonly string[]> {
  return store.still(async (reader) => {
    const stored = await reader.fragmentsSince(0)
    if (stored === null) return []
    const { changes } = await compileAll(reader)
    const known = new Map(changes.put.map(({ key, hash }) => [key, hash]))
    const differing = stored.put.filter(({ key, hash }) => known.get(key) !== hash).map(({ key }) => key)
    const there = new Set(stored.put.map(({ key }) => key))
    return [...differing, ...[...known.keys()].filter((key) => !there.has(key))].toSorted()
  })
}
