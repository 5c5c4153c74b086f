/** The files of the console, as its build has left them. All are read into memory at first use. */
import { hash } from 'node:crypto'
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** All files together, with their compressed variants, bytes. */
const BUNDLE_BYTES_MAX = 64 * 1024 * 1024

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
  webp: 'image/webp',
  woff2: 'font/woff2',
}
const VARIANTS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

interface BundleAnswer {
  readonly status: 200 | 304
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | null
}

export interface Bundle {
  /** False before the console was built. */
  readonly isBuilt: () => boolean
  /** A file by its name below `assets/`, or `index.html`; null for another name. */
  answer(name: string, accepts: string, known: string): BundleAnswer | null
}

/** @param folder of `index.html` and `assets` */
export function createBundle(folder: string): Bundle {
  let files: ReadonlyMap<string, Buffer> = new Map()
  let readAt: number | null = null

  function current(): ReadonlyMap<string, Buffer> {
    const changed = statSync(join(folder, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? null
    if (changed !== readAt) {
      files = changed === null ? new Map() : readFiles(folder)
      readAt = changed
    }
    return files
  }

  return {
    isBuilt: () => current().has('index.html'),
    answer(name, accepts, known) {
      const found = current()
      const plain = found.get(name)
      if (plain === undefined || /\.(?:br|gz)$/.test(name)) return null
      const variant = VARIANTS.find(([coding, end]) => takes(accepts, coding) && found.has(name + end))
      const body = variant === undefined ? plain : found.get(name + variant[1])!
      const etag = `"${hash('sha256', body, 'base64url').slice(0, 27)}"`
      const headers: Record<string, string> = {
        'content-type': TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
        'cache-control': name === 'index.html' ? 'no-cache' : 'public, max-age=31536000, immutable',
        vary: 'accept-encoding',
        etag,
      }
      if (known.split(',').some((one) => one.trim().replace(/^W\//, '') === etag))
        return { status: 304, headers, body: null }
      const coding: Record<string, string> = variant === undefined ? {} : { 'content-encoding': variant[0] }
      return { status: 200, headers: { ...headers, ...coding, 'content-length': String(body.length) }, body }
    },
  }
}

/** `index.html` and what is in `assets`: regular files alone, so that no link leads out of the folder. */
function readFiles(folder: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  let bytes = 0
  const take = (below: string, { name }: Dirent): void => {
    const content = readFileSync(join(folder, below, name))
    bytes += content.length
    if (bytes > BUNDLE_BYTES_MAX)
      throw new Error(`The console in ${folder} has more than ${BUNDLE_BYTES_MAX} bytes.`)
    files.set(below + name, content)
  }
  const filesOf = (path: string): Dirent[] =>
    readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isFile())
  for (const entry of filesOf(folder)) if (/^index\.html(\.br|\.gz)?$/.test(entry.name)) take('', entry)
  if (statSync(join(folder, 'assets'), { throwIfNoEntry: false })?.isDirectory() === true)
    for (const entry of filesOf(join(folder, 'assets'))) take('assets/', entry)
  return files
}

/** Whether a coding is accepted by name (RFC 9110 section 12.5.3). */
function takes(accepts: string, coding: string): boolean {
  return accepts
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim()))
    .some(([name, ...weights]) => name === coding && !weights.some((weight) => /^q=0(\.0*)?$/.test(weight)))
}
