import { contentHash } from '../../base/canonical.ts'
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
import { type Fragment, type FragmentKey, keyOf, type SnapshotDelta } from '../../snapshot/fragments.ts'
import type { ConfigReader, ConfigStore } from '../../store/ports/config.ts'
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
  for (const served of all.values()) put.push(...(await compileOrClose(reader, served)))
  return put
}

async function ownerOf(reader: ConfigReader, id: string): Promise<Resource | undefined> {
  for (const type of SEALED_TYPES) {
    const found = await reader.byId(type, id)
    if (found !== undefined) return found
  }
  return undefined
}

/** The delta of fragments that changed. */
export function toDelta(
  revision: number,
  full: boolean,
  put: readonly Fragment[],
  drop: readonly FragmentKey[],
): SnapshotDelta {
  const unique = new Map(put.map((fragment) => [keyOf(fragment), fragment]))
  return {
    revision,
    full,
    put: [...unique].map(([key, fragment]) => ({ key, hash: contentHash(fragment), fragment })),
    drop: drop.filter((key) => !unique.has(key)),
  }
}

/**
 * The whole configuration for a thread that starts. `done` runs before any later change can be published, so that
 * a thread that is registered there misses none.
 */
export function fullDelta(store: ConfigStore, done?: (delta: SnapshotDelta) => void): Promise<SnapshotDelta> {
  return store.still(async (reader) => {
    const put: Fragment[] = []
    const held = await readWhole(reader)
    for (const type of SERVED_TYPES)
      for (const { id } of await held.all(type)) put.push(...(await compileOrClose(held, { type, id })))
    return toDelta(await reader.revision(), true, put, [])
  }, done)
}
