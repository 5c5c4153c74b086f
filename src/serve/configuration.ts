import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CannotStart } from '../base/cannot-start.ts'
import { fullDelta } from '../operations/fragments.ts'
import type { Settings } from '../settings.ts'
import type { SnapshotDelta } from '../snapshot/fragments.ts'
import type { ConfigStore } from '../store/ports/config.ts'
import { type StoreFault, StoreUnavailable } from '../store/ports/unavailable.ts'
import { openConfigStore } from '../store/sqlite/config.ts'
import { isDamage } from '../store/sqlite/damage.ts'
import { toStoreError } from '../store/sqlite/fault.ts'
import { openVault, openVaultAlone } from '../vault/open.ts'
import { CANARY } from '../vault/reseal.ts'
import type { Vault } from '../vault/vault.ts'
import type { LastGoodSnapshot } from './last-good.ts'

/** What a start has to serve, and what it can be changed in. */
export interface Configuration {
  readonly vault: Vault
  readonly first: SnapshotDelta
  /** Null while the store is gone or damaged: the last known configuration is served and cannot be changed. */
  readonly store: ConfigStore | null
  /** Why there is no store, as a sentence; null when there is one. */
  readonly fault: string | null
}

/**
 * Opens the store of a data directory. When it is gone, empty or damaged and a last known configuration was kept, that is
 * what is served: callers notice nothing, and revocations that have answered hold. Throws CannotStart as the store
 * and the vault do; a store from a newer version, or with another key, is no damage.
 */
export async function openConfiguration(
  { data, environment }: Pick<Settings, 'data' | 'environment'>,
  keyFile: string,
  lastGood: LastGoodSnapshot,
): Promise<Configuration> {
  const file = join(data, 'config.db')
  const kept = lastGood.load()
  const isKept = kept !== null && kept.revision > 0
  if (isKept && !existsSync(file)) return withoutStore(keyFile, kept, `${file} is gone`)
  let store: ConfigStore | null = null
  try {
    store = openConfigStore(file, environment)
    // As a file is that was cut off: SQLite takes it for a new one
    if (isKept && (await store.read.meta(CANARY)) === undefined) {
      await store.close()
      return withoutStore(keyFile, kept, `${file} is empty`)
    }
    const vault = await openVault(store, keyFile)
    const first = await fullDelta(store)
    lastGood.keep(first)
    return { vault, first, store, fault: null }
  } catch (error) {
    await store?.close().catch(() => {})
    if (kept === null) throw error
    if (isDamage(error)) return withoutStore(keyFile, kept, `${file} is damaged`)
    const known = toStoreError(error instanceof CannotStart ? error.cause : error, file)
    if (!(known instanceof StoreUnavailable) || !PASSING.has(known.fault)) throw error
    return withoutStore(
      keyFile,
      kept,
      `${file} cannot be opened (${known.fault}: ${known.facts.inner})`,
      'Mend the disk, or make room on it, and start again.',
    )
  }
}

/** The disk is at fault and not the file: what is in the file is whole. */
const PASSING: ReadonlySet<StoreFault> = new Set(['disk_full', 'io_error', 'read_only'])

const RESTORE =
  'Restore a backup of it and start again; to begin anew, delete serving.db and what is left of config.db.'

function withoutStore(
  keyFile: string,
  first: SnapshotDelta,
  what: string,
  remedy: string = RESTORE,
): Configuration {
  return {
    vault: openVaultAlone(keyFile),
    first,
    store: null,
    fault: `${what}: the last known configuration (revision ${first.revision}) is served and cannot be changed. ${remedy}`,
  }
}
