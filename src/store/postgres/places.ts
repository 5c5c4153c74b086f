/**
 * The places of PostgreSQL: configuration with audit, and request records, are tables of one database. Threads load this module while
 * they wait for their data, so it loads what opens connections only when that is used.
 */
import { type DatabaseAddress, shownDatabase } from '../../base/net/database-url.ts'
import { CannotStart } from '../../base/refusal.ts'
import type { ConfigPlace, RecordsPlace, StorePlace } from '../ports/places.ts'
import type { TransferFile } from '../ports/transfer.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { toStoreError } from './fault.ts'

const looking = () => import('./look.ts')
const transferring = () => import('./transfer.ts')

/** Makes a new file with the tables of a version of the schema. */
type MakeFile = (file: string, schemaVersion: number) => Promise<TransferFile>

/**
 * Configuration and audit in a database.
 * @param makeFile for a copy, which is a file of another engine
 */
export function configPlace(address: DatabaseAddress, makeFile: MakeFile): ConfigPlace {
  const shown = shownDatabase(address)
  return {
    ...placeOf(address),
    rewritten: null,
    schema: async () => (await looking()).schemaOf(address, 'config'),
    open: async (environment) => (await import('./config.ts')).openConfigStore(address, environment),
    openLater: async (environment, fault, reached) =>
      (await import('./config.ts')).openConfigStore(address, environment, {
        later: { fault, reached },
      }),
    faultOf(error) {
      const known = toStoreError(error instanceof CannotStart ? error.cause : error, shown)
      return known instanceof StoreUnavailable ? known : null
    },
    accessFault: () => null,
    copyTo: async (file, progress) => (await transferring()).copyDatabase(address, file, makeFile, progress),
    facts: async () => (await looking()).factsOf(address),
  }
}

/** Request records in a database. */
export function recordsPlace(address: DatabaseAddress): RecordsPlace {
  return {
    ...placeOf(address),
    damageOfAll: async () => null,
    schema: async () => (await looking()).schemaOf(address, 'records'),
    // The data directory has no part in it
    open: async (_readOnly, node) => (await import('./records.ts')).openRecordStore(address, node),
    openReader: async () => (await import('./record-reader.ts')).openRecordReader(address),
    copyTo: async () => {},
  }
}

function placeOf(address: DatabaseAddress): StorePlace {
  return {
    file: shownDatabase(address),
    files: [],
    isOnServer: true,
    isThere: () => true,
    damage: async () => null,
  }
}
