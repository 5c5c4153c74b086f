/** The files of a data directory, by the names that a start, a restore and the doctor use. */
import { join } from 'node:path'
import type {
  ConfigPlace,
  KeyStore,
  LastGoodStore,
  LockPlace,
  RecordsPlace,
  ServedPlace,
  StorePlaces,
  UpgradedPlace,
} from '../store/ports/places.ts'

/** Folder in an empty data directory where a restore is prepared. */
export const RESTORE_PART = 'restore.part'

/** Configuration and audit, where they are in a file. */
export const CONFIG_FILE = 'config.db'

/** The places of one data directory. */
export interface DataFiles {
  readonly lock: LockPlace
  readonly config: ConfigPlace
  readonly lastGood: ServedPlace<LastGoodStore>
  readonly keys: ServedPlace<KeyStore> & UpgradedPlace
  readonly records: RecordsPlace
}

/** @param data path of the data directory, or of one with copies of its files */
export function filesIn(data: string, places: StorePlaces): DataFiles {
  return {
    lock: places.lock(data),
    config: places.config(join(data, CONFIG_FILE)),
    lastGood: places.lastGood(join(data, 'serving.db')),
    keys: places.keys(join(data, 'idempotency.db')),
    records: places.records(join(data, 'records.db')),
  }
}
