/**
 * The bundle of the program in `dist`: all modules of a thread in a few files, without types. `npm run build` makes it
 * (`build/bundle.ts`). It is used only while each source that it was made of is as it was; otherwise the sources run.
 *
 * A build writes to a folder that the last one did not: what runs may load a module later. A package (`npm pack`) has one bundle,
 * and no sources.
 */
import { hash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What is started by name, by its source below `src`. */
export const ENTRIES = {
  main: 'main.ts',
  command: 'command.ts',
  serve: 'serve.ts',
  gateway: 'threads/gateway.ts',
  recorder: 'threads/recorder.ts',
  query: 'threads/query.ts',
  leases: 'threads/leases.ts',
  check: 'threads/check.ts',
  code: 'threads/code.ts',
  services: 'threads/services.ts',
  apart: 'threads/apart.ts',
  sinks: 'threads/sinks.ts',
  demo: '../examples/demo/demo.ts',
} as const
export type Entry = keyof typeof ENTRIES

/** Folders of bundles below the program. They are as deep as `src/base`. */
const SLOTS = ['dist/a', 'dist/b'] as const
const MANIFEST = 'dist/bundle.json'
/** The file in a bundle with every command, for `postern completion`: it is read faster than the commands are built. */
export const COMPLETION = 'completion.json'
/** The folder of the bundle of a package. */
export const RELEASE = 'dist/release'

/** A file that a bundle was made of. */
interface Source {
  /** Below the program. */
  readonly path: string
  readonly size: number
  readonly mtimeMs: number
  /** SHA-256 of its content. */
  readonly digest: string
}

interface Manifest {
  readonly slot: string
  /** Of the bundle, with their sizes: one that was removed or cut off since cannot run. */
  readonly files: readonly (readonly [name: string, size: number])[]
  readonly sources: readonly Source[]
}

function sourceOf(program: string, path: string): Source | null {
  const file = join(program, path)
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) return null
  return { path, size: found.size, mtimeMs: found.mtimeMs, digest: digestOf(file) }
}

function digestOf(file: string): string {
  return hash('sha256', readFileSync(file), 'base64url')
}

/** A file with the same size and time is taken as unchanged, and read only if it has another time. */
function isAsItWas(program: string, { path, size, mtimeMs, digest }: Source): boolean {
  const file = join(program, path)
  const found = statSync(file, { throwIfNoEntry: false })
  return found?.size === size && (found.mtimeMs === mtimeMs || digestOf(file) === digest)
}

/** Null where there is none that can be used, as after a loss of power. */
function readManifest(program: string): Manifest | null {
  try {
    // Written by this module, as a whole
    const manifest = JSON.parse(readFileSync(join(program, MANIFEST), 'utf8')) as Partial<Manifest> | null
    const { slot, files, sources } = manifest ?? {}
    if (slot === undefined || files === undefined || sources === undefined) return null
    return { slot, files, sources }
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** -1 without the file, and where this account may not look for it. */
function sizeOf(file: string): number {
  try {
    return statSync(file, { throwIfNoEntry: false })?.size ?? -1
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return -1
    throw error
  }
}

/** The folder of the bundle that is up to date with its sources; null if there is none. */
export function findBundle(program: string): string | null {
  if (!existsSync(join(program, 'src'))) return join(program, RELEASE)
  const manifest = readManifest(program)
  if (manifest === null) return null
  const dir = join(program, manifest.slot)
  const isWhole = manifest.files.every(([name, size]) => sizeOf(join(dir, name)) >= size)
  return isWhole && manifest.sources.every((source) => isAsItWas(program, source)) ? dir : null
}

/** The folder for the next bundle, below the program. */
export function nextSlot(program: string): string {
  const last = readManifest(program)?.slot
  return SLOTS.find((slot) => slot !== last)!
}

/**
 * From now on the bundle in this folder is used.
 * @param paths of all files that it was made of, below the program
 * @param begunMs since 1970. A file that has changed since may have been read before: then the bundle is not used.
 */
export function useBundle(program: string, slot: string, paths: readonly string[], begunMs: number): void {
  const sources = paths.map((path) => sourceOf(program, path)).filter((source) => source !== null)
  if (sources.some(({ mtimeMs }) => mtimeMs >= begunMs)) return
  const dir = join(program, slot)
  const files = readdirSync(dir).map((name) => [name, sizeOf(join(dir, name))] as const)
  const manifest: Manifest = { slot, files, sources }
  const fresh = join(program, `${MANIFEST}-${process.pid}`)
  writeFileSync(fresh, JSON.stringify(manifest))
  renameSync(fresh, join(program, MANIFEST))
}
