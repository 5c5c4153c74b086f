import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { faultOfAccess } from '../../base/file-access.ts'
import type { Settings } from '../../settings.ts'
import { faultOfDatabase, faultOfKeys, faultOfRecords, otherThanFile } from '../../store/sqlite/judge-file.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'
import { RESTORE_PART, REWRITTEN } from '../data-files.ts'

/** A larger file is not read as a whole. */
const WHOLE_BYTES_MAX = 256 * 1024 * 1024

interface Judged {
  readonly fault: (file: string) => string | null
  readonly fix: string
}

const FILES: Readonly<Record<string, Judged>> = {
  'serving.db': {
    fault: faultOfDatabase,
    fix: 'The next start makes it anew from config.db. Where config.db is damaged too, restore a backup with postern restore.',
  },
  'records.db': {
    fault: (file) =>
      faultOfRecords(file) ?? (statSync(file).size > WHOLE_BYTES_MAX ? null : faultOfDatabase(file)),
    fix: 'Stop, move it away or delete it, and start: new records begin. Or restore a backup that has the records.',
  },
  'idempotency.db': {
    fault: faultOfKeys,
    fix: 'The next start removes it and begins a new one. Requests that are repeated reach their upstream again.',
  },
  'lock.db': {
    fault: faultOfDatabase,
    fix: 'The next start empties it: it holds nothing. You can delete it.',
  },
}

/** What is damaged or left over in the data directory, beside the store. */
export function findFiles({ data }: Settings): Finding[] {
  if (!existsSync(data)) return []
  const findings: Finding[] = []
  for (const [check, { fault, fix }] of Object.entries(FILES)) {
    const file = join(data, check)
    const found = existsSync(file) && otherThanFile(file) === null ? fault(file) : null
    if (found !== null) findings.push({ check, state: 'warn', found: `${file} is damaged: ${found}`, fix })
  }
  findings.push(...others(data), ...rewritten(data), ...withoutAccess(data))
  const part = join(data, RESTORE_PART)
  if (existsSync(part)) {
    const isServed = existsSync(join(data, 'config.db'))
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
function others(data: string): Finding[] {
  return [...Object.keys(FILES), 'config.db', 'audit.mark'].flatMap((check): Finding[] => {
    const file = join(data, check)
    const kind = otherThanFile(file)
    if (kind === null) return []
    const isNeeded = check === 'config.db' || check === 'lock.db'
    const state = isNeeded ? 'fail' : 'warn'
    const fix =
      check === 'config.db'
        ? 'Move it away, and restore a backup with postern restore.'
        : check === 'lock.db'
          ? 'Delete it while no instance runs.'
          : 'The next start renames it and makes the file anew.'
    return [{ check, state, found: `${file} is ${kind}, not a file`, fix }]
  })
}

/** What a start does without the right to write a file. */
const WITHOUT_ACCESS: Readonly<Record<string, string>> = {
  'config.db': 'A start serves serving.db, and nothing can be changed.',
  'serving.db': 'A start makes it anew from config.db.',
  'records.db': 'A start keeps no records, and drops and counts them when memory is full.',
  'idempotency.db': 'A start keeps idempotency keys in memory only.',
  'lock.db': 'A start sets its mode, or serves serving.db where it belongs to another user.',
  'audit.mark': 'A start replaces it where its directory can be written.',
}

/** Files that this user cannot write. Those in a directory that cannot be written are not looked at: that is one fault. */
function withoutAccess(data: string): Finding[] {
  if (faultOfAccess(data, 'write') !== null) return []
  return Object.entries(WITHOUT_ACCESS).flatMap(([check, effect]): Finding[] => {
    const fault = ['', '-wal', '-shm']
      .map((suffix) => faultOfAccess(join(data, check + suffix), 'write'))
      .find((found) => found !== null)
    if (fault === undefined) return []
    const state = check === 'config.db' ? 'fail' : 'warn'
    return [{ check, state, found: `${fault.found}. ${effect}`, fix: `${fault.fix}. Then start again.` }]
  })
}

/** A copy of config.db that a killed process has left. */
function rewritten(data: string): Finding[] {
  const copy = join(data, REWRITTEN)
  if (!existsSync(copy)) return []
  const isThere = existsSync(join(data, 'config.db'))
  const fix = isThere
    ? 'The next start removes it.'
    : 'The next start uses it if it is whole. Otherwise restore a backup with postern restore, then delete it.'
  const found = `${copy} was left by a process that was killed while it wrote config.db again`
  return [{ check: REWRITTEN, state: isThere ? 'warn' : 'fail', found, fix }]
}
