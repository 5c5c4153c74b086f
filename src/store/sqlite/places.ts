/**
 * The places of SQLite: each kind of data is a file with its side files. The recorder and query threads load this module
 * while they wait for their data, so it loads the parts of the main thread only when they are used.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CannotStart } from '../../base/refusal.ts'
import type { ConfigPlace, ServedPlace, StorePlace, StorePlaces } from '../ports/places.ts'
import { StoreUnavailable } from '../ports/unavailable.ts'
import { faultOfStoreAccess, toStoreError } from './fault.ts'
import { openLastingRecordStore } from './lasting-records.ts'
import { openRecordReader } from './record-reader.ts'
import { outdatedOf, rewrittenOf } from './watched-file.ts'

const copying = () => import('./copy.ts')
const judging = () => import('./judge-file.ts')
const locking = () => import('./directory-lock.ts')

export const sqlitePlaces: StorePlaces = {
  knownSchemas: async () => (await copying()).SCHEMA_VERSIONS,
  lock(directory) {
    const file = join(directory, 'lock.db')
    return {
      ...placeOf(file),
      files: [file, `${file}-journal`],
      take: async (setBy) => (await locking()).lockDirectory(directory, setBy),
      takeForStart: async () => (await locking()).lockForStart(directory),
    }
  },
  config: configPlace,
  configCopy: configPlace,
  lastGood: (file) => ({
    ...placeOf(file),
    toRead: [...readWith(file), outdatedOf(file)],
    open: async () => (await import('./last-good.ts')).openLastGood(file),
  }),
  keys: (file) => ({
    ...placeOf(file),
    toRead: readWith(file),
    damage: async () => (await judging()).faultOfKeys(file),
    schema: async () => (await judging()).schemaOf(file, 'keys'),
    open: async () => (await import('./idempotency-keys.ts')).openKeyStore(file),
  }),
  records: (file) => ({
    ...placeOf(file),
    damage: async () => (await judging()).faultOfRecords(file),
    schema: async () => (await judging()).schemaOf(file, 'records'),
    damageOfAll: async () => (await judging()).faultOfDatabase(file),
    open: async (readOnly) => openLastingRecordStore(file, readOnly),
    openReader: async () => openRecordReader(file),
    copyTo: async (to, progress) => (await copying()).copyStore(file, to, progress),
  }),
}

function configPlace(file: string): ConfigPlace {
  return {
    ...placeOf(file),
    rewritten: placeOf(rewrittenOf(file)),
    schema: async () => (await judging()).schemaOf(file, 'config'),
    open: async (environment) => (await import('./config.ts')).openConfigStore(file, environment),
    openLater: null,
    faultOf(error) {
      const known = toStoreError(error instanceof CannotStart ? error.cause : error, file)
      return known instanceof StoreUnavailable ? known : null
    },
    accessFault: () => faultOfStoreAccess(file),
    copyTo: async (to, progress) => (await copying()).copyStore(file, to, progress),
    facts: async () => (await copying()).readStoreFacts(file),
  }
}

function placeOf(file: string): StorePlace {
  return {
    file,
    isOnServer: false,
    isThere: () => existsSync(file),
    files: [file, `${file}-wal`, `${file}-shm`],
    damage: async () => (await judging()).faultOfDatabase(file),
  }
}

/** The write-ahead log holds the last changes. */
function readWith(file: string): ServedPlace<unknown>['toRead'] {
  return [file, `${file}-wal`]
}
