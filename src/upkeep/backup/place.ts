/** Prepares the files of a restore, and moves them into the data directory. */

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { CONTROL_SOCKET, LOCAL_SOCKET, SOCKETS_FILE } from '../../base/net/address.ts'
import { CannotStart } from '../../base/refusal.ts'
import { AUDIT_MARK } from '../../record/audit-mark.ts'
import { NODE_FILE } from '../../store/ports/places.ts'
import { RESTORE_PART } from '../data-files.ts'

/** What is of no worth in a data directory. */
const LEFT_OVER = [RESTORE_PART, CONTROL_SOCKET, LOCAL_SOCKET, SOCKETS_FILE, NODE_FILE]
export const RECORDS = 'records.db'

export const CONFIG = 'config.db'

export const KEY = 'vault.key'

/** Without its key a start is refused, so that a restore that is cut off is never served: the key comes last. */
const ORDER = [RECORDS, AUDIT_MARK, CONFIG, KEY]

/** Where the files of a restore are prepared, and how they come to be the data directory. */
export interface Place {
  readonly draft: string
  /** Puts what was prepared in place. @returns where the data directory of before is now; null when it was empty. */
  commit(): string | null
  /** Leaves everything as it was. */
  discard(): void
}

/**
 * A place for a data directory that this process has locked. One that holds something is given aside as a whole
 * by `commit`, which only `isForced` allows. @param locks files of the lock, which are worth nothing either
 */
export function openPlace(data: string, locks: readonly string[], isForced: boolean): Place {
  const leftOver = new Set([...LEFT_OVER, ...locks.map((file) => basename(file))])
  if (readdirSync(data).every((name) => leftOver.has(name))) return emptyPlace(data)
  if (!isForced)
    throw new CannotStart(
      `${data} is not empty; choose another directory, or add --force, which moves its content to a directory beside it.`,
    )
  return fullPlace(data)
}

/** Such a directory may be the root of a volume, whose place nothing can take: files are moved in one by one. */
function emptyPlace(data: string): Place {
  const draft = join(data, RESTORE_PART)
  const discard = (): void => rmSync(draft, { recursive: true, force: true })
  discard()
  mkdirSync(draft, { mode: 0o700 })
  return {
    draft,
    discard,
    commit() {
      for (const name of ORDER)
        if (existsSync(join(draft, name))) renameSync(join(draft, name), join(data, name))
      syncDirectory(data)
      discard()
      return null
    },
  }
}

/** One with something in it is given aside as it is, and the other takes its name. */
function fullPlace(data: string): Place {
  const whole = resolve(data)
  const draft = mkdtempSync(`${whole}.restore-`)
  return {
    draft,
    discard: () => rmSync(draft, { recursive: true, force: true }),
    commit() {
      const before = `${whole}.before-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`
      try {
        renameSync(whole, before)
      } catch (error) {
        throw new CannotStart(
          `${data} cannot be moved aside (${(error as Error).message}); empty it, and restore without --force.`,
          error,
        )
      }
      renameSync(draft, whole)
      syncDirectoryOf(whole)
      return before
    },
  }
}

/** Has the system write down which files a directory holds. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The same for the directory that a file is in. */
export function syncDirectoryOf(file: string): void {
  syncDirectory(dirname(file))
}

// The manifest of an archive: what it contains, with hashes.

/** First file of an archive: what it is, and the hashes of the others. */
export const MANIFEST = 'manifest.json'
export const MANIFEST_BYTES_MAX = 64 * 1024

const File = z.strictObject({
  name: z.enum([CONFIG, RECORDS, KEY]),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
type File = z.output<typeof File>

export const Manifest = z.object({
  format: z.literal('postern-backup'),
  /** Of this list of members; another one is refused. */
  format_version: z.literal(1),
  created_at: z.iso.datetime(),
  /** Of the program that made it. */
  version: z.string(),
  schema_version: z.int(),
  /** The oldest schema version whose program may open the store; backups of earlier versions do not say. */
  compatible_from: z.int().optional(),
  /** Of the configuration. */
  revision: z.int(),
  /** Number of the last entry of the audit trail; 0 without one. */
  audit_seq: z.int(),
  /** Id of the key that seals its secrets. */
  key_id: z.string(),
  files: z.array(File).min(1),
})
export type Manifest = z.output<typeof Manifest>

/** A file as the manifest names it. */
export async function describeFile(name: File['name'], path: string): Promise<File> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) hash.update(piece)
  return { name, bytes: statSync(path).size, sha256: hash.digest('hex') }
}
