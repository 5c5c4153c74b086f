import { DatabaseSync } from 'node:sqlite'

/** Primary result codes IOERR, FULL and CANTOPEN: the disk has no room for the shared memory of the write-ahead log. */
const NO_ROOM = new Set([10, 13, 14])

/**
 * Opens a file in WAL mode that no other connection uses. SQLite makes a file of shared memory for it, which a full disk
 * refuses; then the connection keeps the file to itself, and needs none.
 */
export function openAlone(file: string, timeoutMs: number): DatabaseSync {
  const shared = new DatabaseSync(file, { timeout: timeoutMs })
  try {
    return read(shared)
  } catch (error) {
    shared.close()
    if (!NO_ROOM.has(Number((error as { errcode?: unknown }).errcode) & 0xff)) throw error
  }
  const alone = new DatabaseSync(file, { timeout: timeoutMs })
  try {
    alone.exec('pragma locking_mode = exclusive')
    return read(alone)
  } catch (error) {
    alone.close()
    throw error
  }
}

function read(database: DatabaseSync): DatabaseSync {
  database.prepare('select count(*) from sqlite_schema').get()
  return database
}
