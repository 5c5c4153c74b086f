/**
 * Makes the bundle of the program (`src/base/bundle.ts`): a file for each entry, and parts that entries share or load later.
 * Packages are in it; only `mysql2`, which an administrator may install, and files of WebAssembly stay outside.
 */
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import { type OutputChunk, type Plugin, type RolldownOutput, rolldown } from 'rolldown'
import { COMPLETION, ENTRIES, type Entry, nextSlot, useBundle } from '../src/base/bundle.ts'
import type { Built, Commit } from '../src/base/program.ts'
import { compilerDigest } from '../src/upkeep/start/configuration.ts'
import { completionPlaces } from './manual.ts'
import { LICENCES, licencesOf, packagesOf } from './packages.ts'

/** Its package reads it beside its own file. */
const WASM = '@jitl/quickjs-ng-wasmfile-release-sync/wasm'
/** The second is what `pg` looks for and does without. */
const OUTSIDE = [/^mysql2(?:\/|$)/, 'pg-native']
/** What decides how a bundle is made, beside the sources in it. */
const MADE_BY = [
  'package.json',
  'package-lock.json',
  'build/bundle.ts',
  'build/packages.ts',
  'build/manual.ts',
]
/**
 * Entries that share parts. The parts of a gateway thread are one file, which it reads faster, and without what only other threads need
 * of a module. The others share much with each other, and little with it.
 */
const OF_MAIN: readonly Entry[] = ['command', 'main', 'serve', 'apart', 'demo']
const OF_GATEWAY: readonly Entry[] = ['gateway']
const GROUPS: readonly (readonly Entry[])[] = [
  OF_MAIN,
  OF_GATEWAY,
  (Object.keys(ENTRIES) as Entry[]).filter(
    (entry) => !OF_MAIN.includes(entry) && !OF_GATEWAY.includes(entry),
  ),
]

/**
 * Makes a bundle and puts it into use.
 * @param program the folder with `src` and `node_modules`
 * @returns the folder of the bundle
 */
export async function makeBundle(program: string): Promise<string> {
  // A source may have been written in this millisecond
  const begunMs = Date.now() + 1
  const slot = nextSlot(program)
  const dir = join(program, slot)
  // Another build may be writing to the same folder. Not by mkdtemp, whose folders only their owner may read: another account may run it
  const fresh = `${dir}-${process.pid}`
  const { sources, packages } = await writeBundle(program, { dir, fresh, commit: null })
  writeFileSync(join(fresh, LICENCES), licencesOf(packages))
  rmSync(dir, { recursive: true, force: true })
  renameSync(fresh, dir)
  useBundle(program, slot, [...MADE_BY, ...sources.map((path) => relative(program, path))], begunMs)
  return dir
}

interface Place {
  /** Where the bundle is to run. */
  readonly dir: string
  /** The folder that it is written to, which is emptied before. */
  readonly fresh: string
  readonly commit: Commit | null
}

/** Writes the files of a bundle. @returns the files, and the folders of the packages, that it was made of */
export async function writeBundle(
  program: string,
  { dir, fresh, commit }: Place,
): Promise<{ readonly sources: readonly string[]; readonly packages: readonly string[] }> {
  const built: Built = { compiler: compilerDigest(join(program, 'src')), commit }
  const groups = await Promise.all(GROUPS.map((entries) => filesOf(program, dir, entries, built)))
  const modules = [...new Set(groups.flat().flatMap((file) => (file.type === 'chunk' ? file.moduleIds : [])))]
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true })
  for (const file of groups.flat())
    writeFileSync(join(fresh, file.fileName), file.type === 'chunk' ? oneByte(file.code) : file.source)
  writeFileSync(join(fresh, COMPLETION), JSON.stringify(await completionPlaces()))
  const wasm = createRequire(join(program, 'package.json')).resolve(WASM)
  copyFileSync(wasm, join(fresh, 'emscripten-module.wasm'))
  const own = ['src', 'examples'].map((folder) => join(program, folder, '/'))
  return {
    sources: modules.filter((id) => own.some((folder) => id.startsWith(folder))),
    packages: packagesOf(modules),
  }
}

async function filesOf(
  program: string,
  dir: string,
  entries: readonly Entry[],
  built: Built,
): Promise<RolldownOutput['output'][number][]> {
  await using build = await rolldown({
    cwd: program,
    input: Object.fromEntries(entries.map((entry) => [entry, join(program, 'src', ENTRIES[entry])])),
    platform: 'node',
    // It takes calls such as decodeURIComponent for calls that do nothing, and leaves out a check that is there to throw
    treeshake: false,
    external: OUTSIDE,
    plugins: [adapted(program)],
    transform: { define: { BUILT_BUNDLE: JSON.stringify(built) } },
    // `depd` calls it for functions that warn
    checks: { eval: false },
  })
  const { output } = await build.generate({
    // Maps name sources from there
    dir,
    format: 'esm',
    // All in one folder: modules of `src` find their files from there
    entryFileNames: '[name].js',
    chunkFileNames: `${entries[0]}-[name].js`,
    sourcemap: true,
    sourcemapExcludeSources: true,
    // Lines stay: an uncaught error prints the whole of one
    comments: false,
    // As treeshake; by default it removes what seems dead
    minify: false,
  })
  assertThatNoneWaits(output.filter((file) => file.type === 'chunk'))
  return output
}

/** Escapes what is beyond ASCII: one character beyond Latin-1 makes V8 keep two bytes for each of a file. */
function oneByte(code: string): string {
  if (/String\.raw`[^`]*[^\0-\x7f]/.test(code))
    throw new Error('a raw template would change: escape its characters')
  return code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Sources that need another form in a bundle. */
function adapted(program: string): Plugin {
  const entries = new Set(Object.values(ENTRIES).map((path) => join(program, 'src', path)))
  const lines = join(program, 'src/base/source-lines.ts')
  const REQUIRE = 'createRequire(import.meta.url)('
  return {
    name: 'postern-adapted',
    transform: {
      filter: { id: /\/(?:src|examples)\/.*\.ts$/ },
      handler(code, id) {
        // On its first line, so that traces name the right ones
        if (entries.has(id)) return { code: `import ${JSON.stringify(lines)};${code}`, map: null }
        // A package that is loaded when it is first needed, without waiting
        return code.includes(REQUIRE) ? { code: code.replaceAll(REQUIRE, 'require('), map: null } : null
      },
    },
  }
}

/**
 * An entry waits at its top level for parts that it loads later. A part that imports the entry would wait for it, and neither would go on.
 * @throws for such a part
 */
function assertThatNoneWaits(chunks: readonly OutputChunk[]): void {
  const entries = new Set(
    chunks.filter(({ isEntry, name }) => isEntry && name !== 'serve').map(({ fileName }) => fileName),
  )
  for (const { fileName, imports } of chunks)
    for (const name of imports)
      if (entries.has(name))
        throw new Error(`${fileName} imports the entry ${name}, which may be waiting for it`)
}
