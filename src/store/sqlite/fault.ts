import { type StoreFault, StoreUnavailable } from '../ports/unavailable.ts'

/** Primary result codes of SQLite after which the file cannot be used for now. Any other code is a fault of the program. */
const FAULTS: Readonly<Record<number, StoreFault>> = {
  5: 'locked',
  6: 'locked',
  8: 'read_only',
  10: 'io_error',
  11: 'damaged',
  13: 'disk_full',
  14: 'cannot_open',
  26: 'damaged',
}

/** READONLY_DBMOVED: the path names another file, or none. */
const MOVED = 1032
/** IOERR_SHMSIZE, IOERR_SHMMAP: the shared-memory file of the write-ahead log cannot grow. */
const NO_ROOM = new Set([4874, 5386])

/** What SQLite threw, as {@link StoreUnavailable} where it means the file, and as it came otherwise. */
export function toStoreError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error
  const code = Number(error.errcode)
  const fault = code === MOVED ? 'replaced' : NO_ROOM.has(code) ? 'disk_full' : FAULTS[code & 0xff]
  if (fault === undefined) return error
  return new StoreUnavailable(fault, `${file}: ${error.message} (SQLite ${code})`, error)
}

/** Does something with a file; what it throws is as {@link toStoreError} says. */
export function guarded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw toStoreError(error, file)
  }
}

/** The fault that lasts after a use has failed; null where another process merely held the file, or it was another error. */
export function toLastingFault(error: unknown): StoreUnavailable | null {
  return error instanceof StoreUnavailable && error.fault !== 'locked' ? error : null
}
