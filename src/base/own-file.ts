import { randomBytes } from 'node:crypto'
import { closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

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
