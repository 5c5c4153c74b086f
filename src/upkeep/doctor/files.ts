/** Checks the files of the data directory beside the store. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { faultOfAccess, otherThanFile } from '../../base/files.ts'
import { AUDIT_MARK } from '../../record/audit-mark-place.ts'
import type { RecordsPlace, StorePlace } from '../../store/ports/places.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'
import { type DataFiles, RESTORE_PART } from '../data-files.ts'

/** A larger file is not read as a whole. */
const WHOLE_BYTES_MAX = 256 * 1024 * 1024

interface Judged {
  readonly place: StorePlace
  readonly damage: () => Promise<string | null>
  readonly fix: string
}

function judgedOf({ lastGood, records, keys, lock }: DataFiles): readonly Judged[] {
  return [
    {
      place: lastGood,
      damage: () => lastGood.damage(),
      fix: 'The next start makes it anew from config.db. Where config.db is damaged too, restore a backup with postern restore.',
    },
    {
      place: records,
      damage: () => damageOfRecords(records),
      fix: 'Stop, move it away or delete it, and start: new records begin. Or restore a backup that has the records.',
    },
    {
      place: keys,
      damage: () => keys.damage(),
      fix: 'The next start removes it and begins a new one. Requests that are repeated reach their upstream again.',
    },
    {
      place: lock,
      damage: () => lock.damage(),
      fix: 'The next start empties it: it holds nothing. You can delete it.',
    },
  ]
}

async function damageOfRecords(records: RecordsPlace): Promise<string | null> {
  const damage = await records.damage()
  if (damage !== null || statSync(records.file).size > WHOLE_BYTES_MAX) return damage
  return records.damageOfAll()
}

/** What is damaged or left over in the data directory, beside the store. */
export async function findFiles(data: string, files: DataFiles): Promise<Finding[]> {
  if (!existsSync(data)) return []
  const findings: Finding[] = []
  const judged = judgedOf(files)
  for (const { place, damage, fix } of judged) {
    const { file } = place
    const found = existsSync(file) && otherThanFile(file) === null ? await damage() : null
    if (found !== null)
      findings.push({ check: basename(file), state: 'warn', found: `${file} is damaged: ${found}`, fix })
  }
  findings.push(...others(data, files), ...rewritten(files), ...withoutAccess(data, files))
  const part = join(data, RESTORE_PART)
  if (existsSync(part)) {
    const isServed = existsSync(files.config.file)
    findings.push({
      check: RESTORE_PART,
      state: isServed ? 'warn' : 'fail',
      found: `${part} is left of a restore that was cut off`,
      fix: isServed
        ? 'Delete it; if the start is refused, run postern restore again.'
        : 'Run postern restore again.',
    })
  }
  for (const name of readdirSync(data))
    if (/^[a-z]+\.(db|mark)(-[a-z]+)?\.damaged-\d+T\d+Z$/.test(name))
      findings.push({
        check: name,
        state: 'warn',
        found: `${join(data, name)} was put aside by a start because it was damaged, or not a file`,
        fix: 'Keep it elsewhere if you need what is in it, then delete it.',
      })
  return findings
}

/** What has the name of one of our files, and is none. */
function others(data: string, { config, lastGood, records, keys, lock }: DataFiles): Finding[] {
  const paths = [lastGood, records, keys, lock, config].map(({ file }) => file)
  return [...paths, join(data, AUDIT_MARK)].flatMap((file): Finding[] => {
    const kind = otherThanFile(file)
    if (kind === null) return []
    const check = basename(file)
    const isNeeded = file === config.file || file === lock.file
    const state = isNeeded ? 'fail' : 'warn'
    const fix =
      file === config.file
        ? 'Move it away, and restore a backup with postern restore.'
        : file === lock.file
          ? 'Delete it while no instance runs.'
          : 'The next start renames it and makes the file anew.'
    return [{ check, state, found: `${file} is ${kind}, not a file`, fix }]
  })
}

/** Files with what the engine keeps beside them, and what a start does without the right to write them. */
function effectsWithoutAccess(
  data: string,
  { config, lastGood, records, keys, lock }: DataFiles,
): readonly (readonly [files: readonly string[], effect: string])[] {
  return [
    [config.files, 'A start serves serving.db, and nothing can be changed.'],
    [lastGood.files, 'A start makes it anew from config.db.'],
    [records.files, 'A start keeps no records, and drops and counts them when memory is full.'],
    [keys.files, 'A start keeps idempotency keys in memory only.'],
    [lock.files, 'A start sets its mode, or serves serving.db where it belongs to another user.'],
    [[join(data, AUDIT_MARK)], 'A start replaces it where its directory can be written.'],
  ]
}

/** Files that this user cannot write. Those in a directory that cannot be written are not looked at: that is one fault. */
function withoutAccess(data: string, files: DataFiles): Finding[] {
  if (faultOfAccess(data, 'write') !== null) return []
  return effectsWithoutAccess(data, files).flatMap(([paths, effect]): Finding[] => {
    const fault = paths.map((path) => faultOfAccess(path, 'write')).find((found) => found !== null)
    if (fault === undefined) return []
    const check = basename(paths[0]!)
    const state = paths === files.config.files ? 'fail' : 'warn'
    return [{ check, state, found: `${fault.found}. ${effect}`, fix: `${fault.fix}. Then start again.` }]
  })
}

/** A copy of config.db that a killed process has left. */
function rewritten({ config }: DataFiles): Finding[] {
  const copy = config.rewritten.file
  if (!existsSync(copy)) return []
  const isThere = existsSync(config.file)
  const fix = isThere
    ? 'The next start removes it.'
    : 'The next start uses it if it is whole. Otherwise restore a backup with postern restore, then delete it.'
  const found = `${copy} was left by a process that was killed while it wrote config.db again`
  return [{ check: basename(copy), state: isThere ? 'warn' : 'fail', found, fix }]
}
