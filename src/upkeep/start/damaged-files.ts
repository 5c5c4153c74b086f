import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CannotStart } from '../../base/cannot-start.ts'
import { faultOfDatabase, faultOfKeys, faultOfRecords, otherThanFile } from '../../store/sqlite/judge-file.ts'
import { RESTORE_PART, REWRITTEN } from '../data-files.ts'

type Log = (level: 'info' | 'warn' | 'error', message: string) => void

/** A database and the files that SQLite keeps beside it. */
const SUFFIXES = ['', '-wal', '-shm']

/**
 * Looks at the files of a data directory that can be made anew, before they are opened. Damage in them must not keep
 * traffic from being served: what can be lost is removed, records are put aside, and the log names the file and what to do.
 * Throws CannotStart where a restore was cut off and there is nothing to serve.
 */
export function clearDamagedFiles(data: string, keyFile: string, log: Log): void {
  refuseHalfRestore(data, keyFile, log)
  for (const name of MADE_ANEW) putAsideOther(join(data, name), log)
  takeRewritten(data, log)
  const serving = join(data, 'serving.db')
  const servingFault = faultOfDatabase(serving)
  if (servingFault !== null) {
    discard(serving)
    log('warn', `${serving} is damaged (${servingFault}) and was removed: it is made anew from config.db`)
  }
  const keys = join(data, 'idempotency.db')
  const keysFault = faultOfKeys(keys)
  if (keysFault !== null) {
    discard(keys)
    log(
      'warn',
      `${keys} is damaged (${keysFault}) and was removed: a new one begins. A request that is repeated under an idempotency key of before reaches its upstream again`,
    )
  }
  const records = join(data, 'records.db')
  const recordsFault = faultOfRecords(records)
  if (recordsFault !== null) {
    const aside = asideOf(records)
    for (const suffix of SUFFIXES)
      if (existsSync(records + suffix)) renameSync(records + suffix, aside + suffix)
    log(
      'error',
      `${records} is damaged (${recordsFault}) and is now ${aside}: new records begin, and quotas count from zero. Restore records.db from a backup that has it, or delete the damaged file`,
    )
  }
}

/** Made anew by a start that does not find them, and by SQLite. */
const MADE_ANEW = [
  ...['serving.db', 'idempotency.db', 'records.db'].flatMap((name) =>
    SUFFIXES.map((suffix) => name + suffix),
  ),
  'config.db-wal',
  'config.db-shm',
  'lock.db-journal',
  'audit.mark',
]

/** Renames what has the name of a file and is none, such as a directory. It may hold what somebody needs. */
function putAsideOther(path: string, log: Log): void {
  const kind = otherThanFile(path)
  if (kind === null) return
  const aside = asideOf(path)
  renameSync(path, aside)
  log(
    'error',
    `${path} is ${kind}, not a file. It is now ${aside}: delete it, or move what is in it elsewhere`,
  )
}

/** @return the new name of something that is put aside */
function asideOf(path: string): string {
  return `${path}.damaged-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`
}

/**
 * A process that was killed while it wrote config.db again leaves the copy. A whole one takes its place; the start then compares it
 * with the mark and with serving.db like any other.
 */
function takeRewritten(data: string, log: Log): void {
  const file = join(data, 'config.db')
  const copy = join(data, REWRITTEN)
  if (otherThanFile(copy) !== null || !existsSync(copy)) return
  if (existsSync(file)) {
    rmSync(copy)
    log(
      'warn',
      `${copy} was left by a process that was killed while it wrote config.db again, and was removed`,
    )
  } else if (statSync(copy).size > 0 && faultOfDatabase(copy) === null) {
    // SQLite would read the log of the file that is gone as the log of this one
    discard(file)
    renameSync(copy, file)
    log('warn', `${file} was gone: the whole copy ${copy} is used, which a killed process had written`)
  } else log('error', `${copy} is an incomplete copy of config.db, left by a killed process. Delete it`)
}

function discard(file: string): void {
  for (const suffix of SUFFIXES) rmSync(file + suffix, { force: true })
}

/** A restore moves its files into place one by one. */
function refuseHalfRestore(data: string, keyFile: string, log: Log): void {
  const part = join(data, RESTORE_PART)
  if (!existsSync(part)) return
  if (!existsSync(join(data, 'config.db')) || !existsSync(keyFile))
    throw new CannotStart(
      `A restore into ${data} was cut off: ${part} is left of it. Run postern restore again, with --force if it asks for that; to begin anew, empty ${data}.`,
    )
  log('warn', `${part} is left of a restore that was cut off; delete it`)
}
