import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CannotStart } from '../base/cannot-start.ts'
import { faultOfDatabase, faultOfKeys, faultOfRecords } from '../store/sqlite/judge-file.ts'
import { RESTORE_PART } from './backup/place.ts'

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
    const aside = `${records}.damaged-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`
    for (const suffix of SUFFIXES)
      if (existsSync(records + suffix)) renameSync(records + suffix, aside + suffix)
    log(
      'error',
      `${records} is damaged (${recordsFault}) and is now ${aside}: new records begin, and quotas count from zero. Restore records.db from a backup that has it, or delete the damaged file`,
    )
  }
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
