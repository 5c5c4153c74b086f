import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { CannotStart } from '../base/cannot-start.ts'

/** A master key: 32 bytes under an id that ciphertexts name. */
export interface MasterKey {
  readonly id: string
  readonly bytes: Uint8Array
}

const LINE = /^([a-z0-9-]{1,16})[ :]([A-Za-z0-9+/]{43}=)$/

/**
 * Reads the key ring: one `id base64` line per key, the first seals. With `make`, a missing file is made with one
 * new key and mode 0600; without it, a missing file is refused, because something is already sealed with it.
 * Throws CannotStart when the file is missing, unreadable, open to others, or malformed.
 */
export function loadKeys(file: string, make: boolean): readonly MasterKey[] {
  if (make) makeFile(file)
  return parse(file, read(file))
}

/** Whole or not at all: a start that is cut off must not leave a key file without a key. */
function makeFile(file: string): void {
  if (existsSync(file)) return
  const key = `k${randomBytes(4).toString('hex')} ${randomBytes(32).toString('base64')}\n`
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(draft, key, { mode: 0o600, flag: 'wx', flush: true })
    try {
      linkSync(draft, file)
    } finally {
      rmSync(draft)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw new CannotStart(`The key file ${file} cannot be made: ${(error as Error).message}.`, error)
  }
}

function read(file: string): string {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new CannotStart(
      missing
        ? `The key file ${file} is missing, and secrets are sealed with it; restore it, or set POSTERN_KEY_FILE.`
        : `The key file ${file} cannot be read: ${(error as Error).message}.`,
      error,
    )
  }
  try {
    const { mode } = fstatSync(descriptor)
    if ((mode & 0o077) !== 0 && process.platform !== 'win32')
      throw new CannotStart(
        `The key file ${file} can be read by others (mode ${(mode & 0o777).toString(8)}); run chmod 600 on it.`,
      )
    return readFileSync(descriptor, 'utf8')
  } catch (error) {
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`The key file ${file} cannot be read: ${(error as Error).message}.`, error)
  } finally {
    closeSync(descriptor)
  }
}

function parse(file: string, text: string): MasterKey[] {
  const keys: MasterKey[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const match = LINE.exec(line.trim())
    if (match === null)
      throw new CannotStart(
        `The key file ${file} is malformed at line ${index + 1}; each line is an id, a space and 32 bytes in base64.`,
      )
    if (keys.some((key) => key.id === match[1]))
      throw new CannotStart(`The key file ${file} names the key ${match[1]} twice.`)
    keys.push({ id: match[1]!, bytes: Buffer.from(match[2]!, 'base64') })
  }
  if (keys.length === 0) throw new CannotStart(`The key file ${file} holds no key.`)
  return keys
}
