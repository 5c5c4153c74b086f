/** Handles damaged files at a start, so that damage in replaceable files never keeps traffic from being served. */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { otherThanFile } from '../../base/files.ts'
import { CannotStart } from '../../base/refusal.ts'
import { AUDIT_MARK } from '../../record/audit-mark.ts'
import type { ConfigPlace, StorePlace } from '../../store/ports/places.ts'
import { type DataFiles, RESTORE_PART } from '../data-files.ts'

type Log = (level: 'info' | 'warn' | 'error', message: string) => void

/**
 * Looks at the files of a data directory that can be made anew, before they are opened. Damage in them must not keep
 * traffic from being served: what can be lost is removed, records are put aside, and the log names the file and what to do.
 * Throws CannotStart where a restore was cut off and there is nothing to serve.
 */
export async function clearDamagedFiles(
  data: string,
  files: DataFiles,
  keyFile: string,
  log: Log,
): Promise<void> {
  const { config, lastGood, keys, records } = files
  refuseHalfRestore(data, config, keyFile, log)
  for (const file of madeAnew(data, files)) putAsideOther(file, log)
  await takeRewritten(config, log)
  const lastGoodFault = await lastGood.damage()
  // Without config.db it is what shows that this is no new directory: a start begins nothing anew beside it
  if (lastGoodFault !== null && config.isThere()) {
    discard(lastGood)
    log(
      'warn',
      `${lastGood.file} is damaged (${lastGoodFault}) and was removed. It is created again from config.db`,
    )
  }
  const keysFault = await keys.damage()
  if (keysFault !== null) {
    discard(keys)
    log(
      'warn',
      `${keys.file} is damaged (${keysFault}) and was removed. A new file begins. A request that is repeated with an earlier idempotency key reaches its upstream again`,
    )
  }
  const recordsFault = await records.damage()
  if (recordsFault !== null) {
    const aside = asideOf(records.file)
    for (const file of records.files)
      if (existsSync(file)) renameSync(file, aside + file.slice(records.file.length))
    log(
      'error',
      `${records.file} is damaged (${recordsFault}) and is now ${aside}. New records begin, and quotas count from zero. Restore records.db from a backup that has it, or delete the damaged file`,
    )
  }
}

/** Made anew by a start that does not find them, and by the engine. */
function madeAnew(data: string, { lock, config, lastGood, keys, records }: DataFiles): string[] {
  return [
    ...[lastGood, keys, records].flatMap(({ files }) => files),
    ...sideFiles(config),
    ...sideFiles(lock),
    join(data, AUDIT_MARK),
  ]
}

function sideFiles({ file, files }: StorePlace): string[] {
  return files.filter((one) => one !== file)
}

/** Renames what has the name of a file and is none, such as a directory. It may hold what somebody needs. */
function putAsideOther(path: string, log: Log): void {
  const kind = otherThanFile(path)
  if (kind === null) return
  const aside = asideOf(path)
  renameSync(path, aside)
  log('error', `${path} is ${kind}, not a file. It is now ${aside}. Delete it, or move its content elsewhere`)
}

/** @return the new name of something that is put aside */
function asideOf(path: string): string {
  return `${path}.damaged-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`
}

/**
 * A process that was killed while it wrote config.db again leaves the copy. A whole one takes its place; the start then compares it
 * with the mark and with serving.db like any other.
 */
async function takeRewritten({ file, files, rewritten }: ConfigPlace, log: Log): Promise<void> {
  if (rewritten === null) return
  const copy = rewritten.file
  if (otherThanFile(copy) !== null || !existsSync(copy)) return
  if (existsSync(file)) {
    rmSync(copy)
    log('warn', `${copy} was left by a process that was killed while it rewrote config.db, and was removed`)
  } else if (statSync(copy).size > 0 && (await rewritten.damage()) === null) {
    // The log of the file that is gone would be read as the log of this one
    discard({ files })
    renameSync(copy, file)
    log('warn', `${file} was missing. The complete copy ${copy} of a killed process is used instead`)
  } else log('error', `${copy} is an incomplete copy of config.db, left by a killed process. Delete it`)
}

function discard({ files }: Pick<StorePlace, 'files'>): void {
  for (const file of files) rmSync(file, { force: true })
}

/** A restore moves its files into place one by one. */
function refuseHalfRestore(data: string, config: ConfigPlace, keyFile: string, log: Log): void {
  const part = join(data, RESTORE_PART)
  if (!existsSync(part)) return
  if (!config.isThere() || !existsSync(keyFile))
    throw new CannotStart(
      `A restore into ${data} was interrupted: ${part} is left from it. Run postern restore again, with --force if it asks for that; to begin anew, empty ${data}.`,
    )
  log('warn', `${part} is left from an interrupted restore. Delete it`)
}
