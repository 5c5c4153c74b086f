/** Where the program is, and which of its two forms runs: the sources or the bundle (`bundle.ts`). */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ENTRIES, type Entry, findBundle } from './bundle.ts'

/** What the build puts into a bundle. */
export interface Built {
  /** Digest of the sources of the compiler of snapshots. */
  readonly compiler: string
  /** What a package was made of; null in a checkout. */
  readonly commit: Commit | null
}

/** A state of the sources. */
export interface Commit {
  readonly id: string
  /** RFC 3339. */
  readonly time: string
  /** Files differed from it. */
  readonly isChanged: boolean
}

declare const BUILT_BUNDLE: Built
/** Null if the sources run. */
export const BUILT: Built | null = typeof BUILT_BUNDLE === 'undefined' ? null : BUILT_BUNDLE

/** The folder with `package.json`, `docs` and `ui`. This module is two folders below it, in a bundle too. */
export const PROGRAM = resolve(import.meta.dirname, '../..')

/** A package has no sources. */
export const IS_PACKAGE: boolean = !existsSync(join(PROGRAM, 'src'))

/** Has the sources run, though a bundle is up to date. It is no setting of an instance. */
const WANTS_SOURCES = 'RUN_SOURCES'

/** The folder of the bundle that is up to date; null for none, undefined where nobody has asked. */
let found: string | null | undefined

/**
 * The file to run for a program or a thread. A bundle starts threads from itself. Sources start them from a bundle that is up to date,
 * and else from sources: both are the same code, so they understand each other.
 */
export function entryUrl(entry: Entry): URL {
  return BUILT === null ? currentUrl(entry) : pathToFileURL(join(import.meta.dirname, `${entry}.js`))
}

/** The file of a bundle that is up to date, else of the sources, whichever of the two asks. */
export function currentUrl(entry: Entry): URL {
  if (found === undefined) found = process.env[WANTS_SOURCES] === 'true' ? null : findBundle(PROGRAM)
  return pathToFileURL(found === null ? join(PROGRAM, 'src', ENTRIES[entry]) : join(found, `${entry}.js`))
}
