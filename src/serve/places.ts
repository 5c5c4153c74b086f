/**
 * The database engines that keep the data of instances. No other module names an engine, and no other module outside of
 * `store` imports one.
 */
import { dirname } from 'node:path'
import type { DatabaseAddress } from '../base/net/database-url.ts'
import type { StorePlaces } from '../store/ports/places.ts'
import { configPlace } from '../store/postgres/places.ts'
import { sqlitePlaces } from '../store/sqlite/places.ts'

/** Files of the data directory. */
export const PLACES: StorePlaces = sqlitePlaces

/** Where an instance keeps its data. @param database null for files alone */
export function placesOf(database: DatabaseAddress | null): StorePlaces {
  return database === null ? PLACES : { ...PLACES, config: (file) => configPlace(database, dirname(file)) }
}

/** Waits for the lock of a file and holds it until the answer is called; for the context file of the command line. */
export async function lockFile(file: string): Promise<() => void> {
  const { lockFile: lock } = await import('../store/sqlite/directory-lock.ts')
  return lock(file)
}

/** As `convertDevelopmentStores`. It goes away after 0.1.0. */
export async function convertStores(
  ...files: Parameters<typeof import('../store/sqlite/converter.ts').convertDevelopmentStores>
): Promise<void> {
  const { convertDevelopmentStores } = await import('../store/sqlite/converter.ts')
  convertDevelopmentStores(...files)
}
