/**
 * Where the configuration of a data directory is. After a move to a database, `moved.json` says where it went: the file `config.db` is
 * old from then on, and nothing may continue with it. The file lies beside the data, so that a copy of the directory has it too.
 */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type AccessFault, replaceOwnFile } from '../base/files.ts'
import { CannotStart } from '../base/refusal.ts'
import type { StorePlaces } from '../store/ports/places.ts'
import { CONFIG_FILE, filesIn } from './data-files.ts'

/** Name of the file in the data directory. */
const MOVED = 'moved.json'

/** What the file says. */
export interface Moved {
  /** `moving` while it is not known whether the database has committed. */
  readonly state: 'moving' | 'moved'
  /** The URL of the database, without the password. */
  readonly to: string
  /** RFC 3339. */
  readonly at: string
}

/** Null where nothing was moved. Throws {@link CannotStart} for a file that is damaged. */
export function readMoved(data: string): Moved | null {
  const file = join(data, MOVED)
  if (!existsSync(file)) return null
  try {
    const { state, to, at } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    if ((state === 'moving' || state === 'moved') && typeof to === 'string' && typeof at === 'string')
      return { state, to, at }
  } catch {
    // Told of below
  }
  throw new CannotStart(
    `${file} cannot be read. It says where the configuration was moved. If a database has the configuration, set POSTERN_DATABASE_URL to this database, move config.db to another directory, and delete ${MOVED}. If no database has it, delete ${MOVED}.`,
  )
}

/** On disk when it returns. @param moved null says that nothing was moved */
export function writeMoved(data: string, moved: Moved | null): void {
  const file = join(data, MOVED)
  if (moved === null) rmSync(file, { force: true })
  else replaceOwnFile(file, `${JSON.stringify(moved)}\n`)
}

/**
 * Why the configuration of a data directory is not where the settings have it; null where it is. Looked at by all that opens or copies
 * the configuration.
 */
export function faultOfHome(data: string, places: StorePlaces): AccessFault | null {
  const { config } = filesIn(data, places)
  const { isOnServer } = config
  const moved = readMoved(data)
  if (moved?.state === 'moving')
    return {
      found: `The move of ${data} to ${moved.to} was interrupted, and it is not known whether it was complete`,
      fix: 'Run postern migrate again: it finishes the move or starts over',
    }
  if (moved !== null && !isOnServer)
    return {
      found: `The configuration of ${data} was moved to ${moved.to} at ${moved.at}, and is not in the data directory any more`,
      fix: 'Set POSTERN_DATABASE_URL to this database. To go back to files, run postern backup with this setting, and restore the archive to a new directory with postern restore',
    }
  if (moved === null && isOnServer && hasConfigFile(data))
    return {
      found: `POSTERN_DATABASE_URL is set, but the configuration of ${data} is in its file config.db and was not moved to the database`,
      fix: 'Move it with postern migrate, or name another data directory with --data',
    }
  return null
}

/** As {@link faultOfHome}. Throws {@link CannotStart} where there is one. */
export function demandHome(data: string, places: StorePlaces): void {
  const fault = faultOfHome(data, places)
  if (fault !== null) throw new CannotStart(`${fault.found}. ${fault.fix}.`)
}

/** Whether an instance has used a directory. With a database on a server, it has other files than `config.db`. */
export function isDataDirectory(data: string, places: StorePlaces): boolean {
  const { config, lastGood, lock } = filesIn(data, places)
  if (!config.isOnServer) return config.isThere() || existsSync(join(data, MOVED))
  return lastGood.isThere() || lock.isThere() || hasConfigFile(data)
}

function hasConfigFile(data: string): boolean {
  return (statSync(join(data, CONFIG_FILE), { throwIfNoEntry: false })?.size ?? 0) > 0
}
