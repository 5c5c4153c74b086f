/**
 * `npm pack` runs this file first: it makes what a package has beside the docs, in `dist/release` and `ui/dist`. The package needs no other
 * one: all are in its bundle, or, as the drivers of databases, in the package. The same sources give the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import '../ui/build/build.ts'
import { RELEASE } from '../src/base/bundle.ts'
import { commitOf } from '../src/version.ts'
import { PACKAGES } from '../ui/build/config.ts'
import { writeBundle } from './bundle.ts'
import { writeClient } from './client.ts'
import { manual } from './manual.ts'
import { billOf, LICENCES, licencesOf } from './packages.ts'

const top = resolve(import.meta.dirname, '..')
const release = join(top, RELEASE)

interface Locked {
  readonly integrity?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(top, path), 'utf8')) as T
}

/** Folders of the packages that go along, with those that they need. */
function bundledWith({ packages }: Lock, names: readonly string[]): string[] {
  const folders = new Set<string>()
  const add = (name: string, from: string): void => {
    // As Node looks for it: in the folders above
    let at = from
    while (at !== '' && packages[`${at}/node_modules/${name}`] === undefined)
      at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : ''
    const folder = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (folders.has(folder)) return
    folders.add(folder)
    const { dependencies, optionalDependencies } = packages[folder] ?? {}
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) add(needed, folder)
  }
  for (const name of names) add(name, '')
  return [...folders].map((folder) => join(top, folder))
}

const commit = commitOf(top)
const about = readJson<{
  name: string
  version: string
  description: string
  license: string
  bundleDependencies: string[]
}>('package.json')
const lock = readJson<Lock>('package-lock.json')
const { packages } = await writeBundle(top, { dir: release, fresh: release, commit })
const ofConsole = readJson<string[]>(join('ui/dist', PACKAGES)).map((folder) => join(top, folder))
const all = [...new Set([...packages, ...ofConsole, ...bundledWith(lock, about.bundleDependencies)])].sort()
writeClient(top, join(release, 'client'))
writeFileSync(join(release, LICENCES), licencesOf(all))
const bill = billOf(
  { ...about, time: commit?.time ?? null },
  all,
  (folder) => lock.packages[relative(top, folder)],
)
writeFileSync(join(release, 'sbom.cdx.json'), bill)
writeFileSync(join(release, 'postern.1'), await manual(about.version, commit?.time ?? null))
