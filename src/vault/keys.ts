/**
 * Derives one key for each purpose from the master key (HKDF). The master key never leaves the main thread: gateway
 * threads get only the keys that open upstream credentials, seal MCP session ids and know imported tokens.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, constants, existsSync, fstatSync, linkSync, openSync, readFileSync } from 'node:fs'
import { decrypt, encrypt } from '../base/crypto/sealing.ts'
import { faultOfAccess, replaceOwnFile, withDraft } from '../base/files.ts'
import { CannotStart } from '../base/refusal.ts'

/** A master key: 32 bytes under an id that ciphertexts name. */
export interface MasterKey {
  readonly id: string
  readonly bytes: Uint8Array
}

/** What was derived from the oldest key and must not change with the keys: fingerprints, and what seals sessions of agents. */
export const LASTING = ['fingerprint', 'mcp-sessions'] as const
export type Lasting = (typeof LASTING)[number]

/** What a key file holds. */
export interface KeyRingFile {
  /** The first seals. */
  readonly keys: readonly MasterKey[]
  /** Empty until a key is added for the first time: until then it is derived from the oldest. */
  readonly lasting: ReadonlyMap<Lasting, Uint8Array>
}

const LINE = /^([a-z0-9-]{1,16})[ :]([A-Za-z0-9+/]{43}=)$/

/**
 * Reads the key ring: one `id base64` line per key, the first seals; lines with an id of {@link LASTING} are no keys. With `make`, a missing file is made with one
 * new key and mode 0600; without it, a missing file is refused, because something is already sealed with it.
 * Throws CannotStart when the file is missing, unreadable, open to others, or malformed.
 */
export function loadKeys(file: string, make: boolean): KeyRingFile {
  if (make) makeFile(file)
  return parse(file, read(file))
}

/** A new key under an id of its own. */
export function makeKey(): MasterKey {
  return { id: `k${randomBytes(4).toString('hex')}`, bytes: randomBytes(32) }
}

/** Puts a key ring in the place of the one in the file, for its owner alone. On disk when it returns. Throws as the system does. */
export function saveKeys(file: string, ring: KeyRingFile): void {
  replaceOwnFile(file, textOf(ring))
}

/** Whole or not at all: a start that is cut off must not leave a key file without a key. */
function makeFile(file: string): void {
  if (existsSync(file)) return
  try {
    withDraft(file, textOf({ keys: [makeKey()], lasting: new Map() }), (draft) => linkSync(draft, file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
    throw new CannotStart(`The key file ${file} cannot be created: ${(error as Error).message}.`, error)
  }
}

function textOf({ keys, lasting }: KeyRingFile): string {
  const lines = [...keys.map(({ id, bytes }) => [id, bytes] as const), ...lasting]
  return lines.map(([id, bytes]) => `${id} ${Buffer.from(bytes).toString('base64')}\n`).join('')
}

function read(file: string): string {
  let descriptor: number
  try {
    descriptor = openSync(file, constants.O_RDONLY)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new CannotStart(
      missing
        ? `The key file ${file} is missing, but secrets are encrypted with it. Restore it, or set POSTERN_KEY_FILE.`
        : `The key file ${file} cannot be read: ${(error as Error).message}.${remedyOf(file)}`,
      error,
    )
  }
  try {
    const found = fstatSync(descriptor)
    const { mode } = found
    if (!found.isFile())
      throw new CannotStart(
        `The key file ${file} is not a file. Move it away and restore the key file, or set POSTERN_KEY_FILE.`,
      )
    if ((mode & 0o077) !== 0 && process.platform !== 'win32')
      throw new CannotStart(
        `The key file ${file} can be read by others (mode ${(mode & 0o777).toString(8)}). Run: chmod 600 ${file}`,
      )
    return readFileSync(descriptor, 'utf8')
  } catch (error) {
    if (error instanceof CannotStart) throw error
    throw new CannotStart(`The key file ${file} cannot be read: ${(error as Error).message}.`, error)
  } finally {
    closeSync(descriptor)
  }
}

/** Mode, owner and remedy as sentences, where the mode or the owner is at fault. */
function remedyOf(file: string): string {
  const fault = faultOfAccess(file, 'read')
  return fault === null ? '' : ` ${fault.found}. ${fault.fix}.`
}

function parse(file: string, text: string): KeyRingFile {
  const keys = new Map<string, Uint8Array>()
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const match = LINE.exec(line.trim())
    if (match === null)
      throw new CannotStart(
        `The key file ${file} is malformed at line ${index + 1}; each line is an id, a space and 32 bytes in base64.`,
      )
    if (keys.has(match[1]!)) throw new CannotStart(`The key file ${file} names the key ${match[1]} twice.`)
    // A copy of its own: a small buffer shares its memory with others, which would all travel to threads with it
    keys.set(match[1]!, new Uint8Array(Buffer.from(match[2]!, 'base64')))
  }
  const lasting = new Map<Lasting, Uint8Array>()
  for (const id of LASTING) {
    const bytes = keys.get(id)
    if (bytes !== undefined) lasting.set(id, bytes)
    keys.delete(id)
  }
  if (keys.size === 0)
    throw new CannotStart(`The key file ${file} contains no key. Restore it, or set POSTERN_KEY_FILE.`)
  return { keys: [...keys].map(([id, bytes]) => ({ id, bytes })), lasting }
}

// Seals and opens texts (AES-256-GCM).

/** Keys of one purpose by their id; the first one seals. */
export type KeyRing = ReadonlyMap<string, Uint8Array>

/**
 * Seals a text with AES-256-GCM: `v1.<key id>.<nonce, ciphertext and tag in base64url>`. Owner and field are
 * authenticated with it, so that a ciphertext moved to another place does not open.
 */
export function seal(ring: KeyRing, text: string, owner: string, field: string): string {
  const [id, key] = ring.entries().next().value!
  return `v1.${id}.${encrypt(key, text, placeOf(owner, field)).toString('base64url')}`
}

/** The text of {@link seal}. Throws when it was changed, moved, or sealed with a key that is not in the ring. */
export function unseal(ring: KeyRing, sealed: string, owner: string, field: string): string {
  const [version, id, encoded, ...rest] = sealed.split('.')
  if (version !== 'v1' || id === undefined || encoded === undefined || rest.length > 0)
    throw new Error('The encrypted text is malformed.')
  const key = ring.get(id)
  if (key === undefined)
    throw new Error(`The text is encrypted with the key ${id}, which is not in the key file.`)
  const bytes = Buffer.from(encoded, 'base64url')
  // Node reads other writings of the same bytes, with other characters between them
  if (bytes.toString('base64url') !== encoded) throw new Error('The encrypted text is malformed.')
  return decrypt(key, bytes, placeOf(owner, field))
}

/** Id of the key that a sealed text names. */
export function keyIdOf(sealed: string): string {
  return sealed.split('.', 2)[1] ?? ''
}

function placeOf(owner: string, field: string): string {
  return `${owner}\n${field}`
}
