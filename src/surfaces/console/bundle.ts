/**
 * The files of the console, as the build has made them. They are read into memory as a whole, and again when the build has
 * replaced them. A path of a request therefore never becomes a path of the file system.
 */
import { hash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
}
/** More than a bundle has, in files and in bytes: a wrong directory is not read to its end. */
const FILES_MAX = 2000
const BYTES_MAX = 64 * 1024 * 1024
/** How often the directory is looked at, milliseconds. */
const LOOK_MS = 1000

type Encoding = 'br' | 'gzip' | 'identity'

interface BundleFile {
  readonly type: string
  /** Without the quotes. */
  readonly etag: string
  readonly bytes: Readonly<Partial<Record<Encoding, Uint8Array>>>
}

interface Bundle {
  /** A file by its path in the bundle, such as `assets/index-a1b2.js`; undefined for any other path. */
  readonly file: (path: string) => BundleFile | undefined
}

export interface BundleSource {
  /** The bundle; null while there is none. */
  read(): Promise<Bundle | null>
}

const SUFFIXES: readonly (readonly [suffix: string, encoding: Encoding])[] = [
  ['.br', 'br'],
  ['.gz', 'gzip'],
]

async function load(directory: string): Promise<Bundle | null> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => null)
  if (names === null) return null
  // Links are no files of the build
  const paths = names.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  if (paths.length > FILES_MAX) throw new Error(`${directory} has more than ${FILES_MAX} files.`)
  const files = new Map<
    string,
    { type: string; etag: string; bytes: Partial<Record<Encoding, Uint8Array>> }
  >()
  let total = 0
  for (const path of paths.sort()) {
    const bytes = await readFile(path)
    total += bytes.length
    if (total > BYTES_MAX) throw new Error(`${directory} has more than ${BYTES_MAX} bytes.`)
    const [suffix, encoding] = SUFFIXES.find(([end]) => path.endsWith(end)) ?? ['', 'identity']
    const plain = relative(directory, suffix === '' ? path : path.slice(0, -suffix.length))
    const name = plain.split(sep).join('/')
    const type = TYPES[extname(name)] ?? 'application/octet-stream'
    const file = files.get(name) ?? { type, etag: '', bytes: {} }
    file.bytes[encoding] = bytes
    if (encoding === 'identity') file.etag = hash('sha256', bytes, 'base64url').slice(0, 27)
    files.set(name, file)
  }
  if (!files.has('index.html')) return null
  return {
    file: (path) => {
      const found = files.get(path)
      return found?.bytes.identity === undefined ? undefined : found
    },
  }
}

/** The bundle in a directory. @param now milliseconds that only grow */
export function createBundle(directory: string, now: () => number): BundleSource {
  let bundle: Promise<Bundle | null> = Promise.resolve(null)
  let known = ''
  let lookedAt = Number.NEGATIVE_INFINITY
  const markOf = ({ mtimeMs, ino }: Stats): string => `${mtimeMs} ${ino}`
  return {
    async read() {
      if (now() - lookedAt < LOOK_MS) return bundle
      lookedAt = now()
      const mark = await stat(join(directory, 'index.html')).then(markOf, () => '')
      if (mark === known) return bundle
      known = mark
      bundle = load(directory)
      return bundle
    },
  }
}

/** The encoding of a file to send: the smallest that the client accepts (RFC 9110 section 12.5.3). */
export function encodingFor(accept: string, file: BundleFile): Encoding {
  const accepted = new Map(
    accept
      .toLowerCase()
      .split(',')
      .map((part) => {
        const [name = '', ...parameters] = part.split(';').map((text) => text.trim())
        const quality = parameters.find((text) => text.startsWith('q='))
        return [name, quality === undefined ? 1 : Number(quality.slice(2))] as const
      }),
  )
  for (const encoding of ['br', 'gzip'] as const)
    if (file.bytes[encoding] !== undefined && (accepted.get(encoding) ?? 0) > 0) return encoding
  return 'identity'
}
