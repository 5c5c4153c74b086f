/** Copies the files of a data directory that cannot be written, so that they can be served. */
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { AccessFault } from '../../base/files.ts'
import { CannotStart } from '../../base/refusal.ts'
import type { DataFiles } from '../data-files.ts'

/** Where a start opens the files that it can serve from. */
export interface ReadingPlace {
  /** The data directory, or a directory with copies of these files. */
  readonly path: string
  /** Why the data directory may not be written; null when it may. */
  readonly readOnly: AccessFault | null
}

export interface ReadingParts {
  /** What the data directory holds. */
  readonly files: Pick<DataFiles, 'lastGood' | 'keys'>
  readonly log: (level: 'error', message: string) => void
  /** The copies are removed with these. */
  readonly parts: AsyncDisposableStack
}

/**
 * Copies the files that a start serves from out of a data directory that cannot be written. SQLite can read a write-ahead log there
 * only with files that it makes beside it; without the log, what was revoked last would be served again. A file is copied with its
 * log or not at all. The copies are in a new directory of mode 0700 beside the temporary files, and are removed with the process.
 * Throws {@link CannotStart} where that directory cannot be made.
 */
export function copyForReading({ files, log, parts }: ReadingParts, readOnly: AccessFault): ReadingPlace {
  const path = makePrivate(readOnly)
  parts.defer(() => rmSync(path, { recursive: true, force: true }))
  const into = (file: string): string => join(path, basename(file))
  for (const { file, toRead } of [files.lastGood, files.keys])
    try {
      for (const one of toRead) copyIn(one, into(one))
    } catch (error) {
      for (const one of toRead) rmSync(into(one), { force: true })
      log('error', `${file} cannot be copied: ${(error as Error).message}`)
    }
  return { path, readOnly }
}

function copyIn(from: string, to: string): void {
  if (!existsSync(from)) return
  copyFileSync(from, to)
  chmodSync(to, 0o600)
}

function makePrivate({ found, fix }: AccessFault): string {
  try {
    return mkdtempSync(join(tmpdir(), 'postern-'))
  } catch (error) {
    throw new CannotStart(
      `${found}. ${fix}. To serve without that, Postern needs a directory for temporary files: ${(error as Error).message}. Set TMPDIR to one that can be written.`,
      error,
    )
  }
}
