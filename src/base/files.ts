/** Files of the data directory and of the CLI: who may read and write them, and how they are written as a whole. */
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** Why this process cannot use a file or directory, and the remedy. Both are without a full stop at the end. */
export interface AccessFault {
  /** Names the path, its mode and owner, and the user of this process. */
  readonly found: string
  readonly fix: string
}

/**
 * Why this process cannot write a path, or cannot read it; null when it can, and where nothing is at the path. The system decides,
 * not the mode: root may write a file of any mode, but not on a read-only file system.
 * @param need `write` includes reading
 */
export function faultOfAccess(path: string, need: 'read' | 'write'): AccessFault | null {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return null
    return faultOf(path, found, need)
  } catch (error) {
    return {
      found: `${path} cannot be reached (${(error as Error).message}; ${ownUser()})`,
      fix: `Give the user that runs Postern access to the directories above ${path}`,
    }
  }
}

/** What lies at a path instead of a file, as the end of a sentence; null for a file, and where nothing is. */
export function otherThanFile(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.isFile()) return null
  return found.isDirectory() ? 'a directory' : 'a pipe, socket or device'
}

function faultOf(path: string, found: Stats, need: 'read' | 'write'): AccessFault | null {
  const enter = found.isDirectory() ? constants.X_OK : 0
  if (!allows(path, constants.R_OK | enter)) return toFault(path, found, 'read')
  if (need === 'read') return null
  try {
    accessSync(path, constants.W_OK | enter)
    return null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') return toFault(path, found, 'written')
    return {
      found: `${path} is on a read-only file system`,
      fix: `Mount the file system of ${path} for writing`,
    }
  }
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

function toFault(path: string, found: Stats, cannot: 'read' | 'written'): AccessFault {
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
  const rights = `chmod u+rw${found.isDirectory() ? 'x' : ''} ${path}`
  const own = process.getuid?.()
  const isOwn = own === undefined || own === found.uid
  return {
    found: `${path} cannot be ${cannot} by this process (mode ${mode}, owner uid ${found.uid}; ${ownUser()})`,
    fix: isOwn ? `Run: ${rights}` : `Run as root: chown ${own} ${path} && ${rights}`,
  }
}

function ownUser(): string {
  return `the process runs as uid ${process.getuid?.() ?? 'unknown'}`
}

/** Puts a text in the place of a file, whole at any moment and for its owner alone. On disk when it returns. */
export function replaceOwnFile(file: string, text: string): void {
  withDraft(file, text, (draft) => renameSync(draft, file))
  const directory = openSync(dirname(file), constants.O_RDONLY)
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** Writes a text beside the file, for its owner alone, and has it put in place; nothing is left beside it. */
export function withDraft(file: string, text: string, place: (draft: string) => void): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true })
    place(draft)
  } finally {
    rmSync(draft, { force: true })
  }
}
