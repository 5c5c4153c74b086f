/** Archives of a backup: tar files (POSIX ustar). */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, type ReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** An archive is a tar file (POSIX ustar) of plain files without folders, so that any tar can look into it. */
const BLOCK = 512
/** A size has eleven octal digits. */
const SIZE_MAX = 0o77777777777
/** The few files there are; a header more is no archive of ours. */
const ENTRIES_MAX = 16
const NAME = /^[a-z][a-z.]{0,60}$/

/** What is read is no whole archive. The message says what is wrong with it. */
export class Damaged extends Error {
  override readonly name = 'Damaged'
}

/** A file in an archive: where its bytes begin, and how many there are. */
export interface Entry {
  readonly name: string
  readonly at: number
  readonly bytes: number
}

/** What becomes a file of an archive: a text, or a file that is copied. */
export interface Source {
  readonly name: string
  readonly from: { readonly text: string } | { readonly file: string; readonly bytes: number }
}

/** Writes an archive, for its owner alone. On disk when it resolves. Throws for a file of more than 8 GiB. */
export async function writeArchive(file: string, sources: readonly Source[], seconds: number): Promise<void> {
  await pipeline(pieces(sources, seconds), createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }))
}

async function* pieces(sources: readonly Source[], seconds: number): AsyncGenerator<Buffer> {
  for (const { name, from } of sources) {
    const text = 'text' in from ? Buffer.from(from.text) : null
    const bytes = 'text' in from ? text!.length : from.bytes
    if (bytes > SIZE_MAX) throw new RangeError(`${name} is larger than the 8 GiB that a tar file holds`)
    yield header(name, bytes, seconds)
    let written = 0
    const stream = 'text' in from ? [text!] : (createReadStream(from.file) as AsyncIterable<Buffer>)
    for await (const piece of stream) {
      written += piece.length
      yield piece
    }
    if (written !== bytes) throw new Error(`${name} changed while it was read`)
    yield Buffer.alloc((BLOCK - (bytes % BLOCK)) % BLOCK)
  }
  yield Buffer.alloc(2 * BLOCK)
}

function header(name: string, bytes: number, seconds: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`
  block.write(name, 0)
  block.write(octal(0o600, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(bytes, 11), 124)
  block.write(octal(seconds, 11), 136)
  block.write('0', 156)
  block.write('ustar\u000000', 257)
  block.write(`${octal(checksumOf(block), 6)} `, 148)
  return block
}

/** The sum of all bytes, those of the sum itself as blanks. */
function checksumOf(block: Buffer): number {
  let sum = 0
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : block[at]!
  return sum
}

/** Finds the files of an archive. Throws a {@link Damaged} for anything else. */
export async function listArchive(handle: FileHandle): Promise<ReadonlyMap<string, Entry>> {
  const { size } = await handle.stat()
  const entries = new Map<string, Entry>()
  let at = 0
  for (;;) {
    const block = await readExactly(handle, at, BLOCK)
    if (block.every((byte) => byte === 0)) return entries
    const entry = entryOf(block, at + BLOCK)
    if (entries.has(entry.name) || entries.size === ENTRIES_MAX)
      throw new Damaged('it contains a file that is not part of a backup')
    at = entry.at + Math.ceil(entry.bytes / BLOCK) * BLOCK
    if (at > size) throw new Damaged('it is incomplete')
    entries.set(entry.name, entry)
  }
}

function entryOf(block: Buffer, at: number): Entry {
  const text = (from: number, length: number): string => {
    const field = block.toString('latin1', from, from + length)
    const end = field.indexOf('\0')
    return end === -1 ? field : field.slice(0, end)
  }
  const octal = (from: number, length: number): number => {
    const digits = text(from, length).trim()
    return /^[0-7]{1,11}$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
  }
  const name = text(0, 100)
  const bytes = octal(124, 12)
  const isOurs = text(257, 6) === 'ustar' && text(156, 1) === '0' && NAME.test(name) && text(345, 155) === ''
  if (!isOurs || octal(148, 8) !== checksumOf(block) || Number.isNaN(bytes))
    throw new Damaged('it is not a backup of Postern, or a header in it is damaged')
  return { name, at, bytes }
}

/** The bytes of a small file of an archive. */
export async function readEntry(handle: FileHandle, { at, bytes }: Entry, bytesMax: number): Promise<Buffer> {
  if (bytes > bytesMax) throw new Damaged('it contains a file that is not part of a backup')
  return readExactly(handle, at, bytes)
}

/** Copies a file out of an archive, for its owner alone, and gives the SHA-256 of what was copied. */
export async function extractEntry(archive: string, { at, bytes }: Entry, to: string): Promise<string> {
  const hash = createHash('sha256')
  if (bytes === 0) await (await open(to, 'wx', 0o600)).close()
  else
    await pipeline(
      createReadStream(archive, { start: at, end: at + bytes - 1 }),
      async function* (stream: ReadStream) {
        for await (const piece of stream as AsyncIterable<Buffer>) {
          hash.update(piece)
          yield piece
        }
      },
      createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true }),
    )
  return hash.digest('hex')
}

async function readExactly(handle: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes)
  let read = 0
  while (read < bytes) {
    const { bytesRead } = await handle.read(buffer, read, bytes - read, at + read)
    if (bytesRead === 0) throw new Damaged('it is incomplete')
    read += bytesRead
  }
  return buffer
}
