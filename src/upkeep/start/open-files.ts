/** The limit of open files. */
import { readFileSync } from 'node:fs'

/** A lower limit leads to a warning: each call in progress needs two sockets, one to the caller and one to the upstream. */
const OPEN_FILES_MIN = 4096

/** How many files and sockets this process can have open at once; Infinity for no limit, null where the system has no /proc. */
function openFilesMax(): number | null {
  try {
    return readOpenFiles(readFileSync('/proc/self/limits', 'latin1'))
  } catch {
    return null
  }
}

/** The soft limit in the text of `/proc/<pid>/limits`, see proc(5); null when the text has no such line. */
export function readOpenFiles(limits: string): number | null {
  const [, soft] = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits) ?? []
  if (soft === undefined) return null
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

/** Logs the limit of open files, as a warning if it is low. Node raises the soft limit to the hard limit when it starts. */
export function logOpenFiles(
  log: (level: 'info' | 'warn', message: string) => void,
  max: number | null = openFilesMax(),
): void {
  if (max === null) return
  if (max >= OPEN_FILES_MIN) log('info', `limit of open files: ${max}`)
  else
    log(
      'warn',
      `limit of open files: ${max}. Each call needs two, so connections fail beyond about ${Math.floor(max / 2)} concurrent calls. Raise the limit to ${OPEN_FILES_MIN} or more (ulimit -n, or LimitNOFILE= of systemd)`,
    )
}
