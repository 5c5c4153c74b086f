import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { circlesIn, type Imports } from './support/import-circles.ts'
import { LAYERS } from './support/layers.ts'

const root = resolve(import.meta.dirname, '../src')

function sources(): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Relative imports of a source file, types included, as absolute paths. */
function importsOf(file: string): string[] {
  const matches = readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)
  return [...matches].map((match) => resolve(dirname(file), match[1]!))
}

/** Path below `src`, with slashes and without its ending. */
function nameOf(file: string): string {
  return relative(root, file).replaceAll('\\', '/').replace(/\.ts$/, '')
}

/** The layer that a source file belongs to. */
function folderOf(file: string): string {
  const path = nameOf(file)
  const fits = Object.keys(LAYERS).filter((name) => path === name || path.startsWith(`${name}/`))
  const longest = fits.sort((a, b) => b.length - a.length)[0]
  assert.ok(
    longest !== undefined,
    `${path} belongs to no layer; add its folder to test/support/layers.ts, and print it with npm run golden`,
  )
  return longest
}

function allows(arrows: readonly string[], target: string): boolean {
  return arrows.includes('*') || arrows.some((arrow) => target === arrow || target.startsWith(`${arrow}/`))
}

test('every import follows an arrow of the architecture', () => {
  const files = sources()
  assert.ok(files.length > 20, 'the sources were found')
  const wrong: string[] = []
  for (const file of files) {
    const from = folderOf(file)
    for (const target of importsOf(file)) {
      const to = folderOf(target)
      if (from !== to && !allows(LAYERS[from]!.may, to) && !allows(LAYERS[from]!.may, nameOf(target)))
        wrong.push(`${nameOf(file)} imports ${nameOf(target)}: ${from} may not import ${to}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('at most two files import each other in a circle, types included', () => {
  const files = sources()
  const known = new Set(files.map(nameOf))
  const imports: Imports = new Map(
    files.map((file) => [
      nameOf(file),
      importsOf(file)
        .map(nameOf)
        .filter((name) => known.has(name)),
    ]),
  )
  const circles = circlesIn(imports)
  assert.deepEqual(
    circles.map(({ files: { length }, shortest }) => `${length} files, at least ${shortest.join(' -> ')}`),
    [],
    'move what these files share to a file that imports none of them',
  )
})

test('a circle of three files is found, also where it consists of pairs, and two files are none', () => {
  const found = (imports: Record<string, string[]>): unknown => circlesIn(new Map(Object.entries(imports)))
  assert.deepEqual(found({ a: ['b'], b: ['a', 'c'], c: [] }), [])
  assert.deepEqual(found({ a: ['b'], b: ['c'], c: ['d'], d: [] }), [])
  const ring = { a: ['b'], b: ['a', 'c'], c: ['d', 'e'], d: ['a', 'e'], e: ['c', 'd', 'f'], f: [] }
  assert.deepEqual(found(ring), [{ files: ['a', 'b', 'c', 'd', 'e'], shortest: ['c', 'd', 'e', 'c'] }])
  const pairs = { a: ['b'], b: ['a', 'c'], c: ['b'] }
  assert.deepEqual(found(pairs), [{ files: ['a', 'b', 'c'], shortest: ['a', 'b', 'c', 'b', 'a'] }])
})

test('the engine of the operations imports neither the registry nor a kind or a resource', () => {
  for (const file of sources().filter((one) => relative(root, one).startsWith('operations/engine')))
    assert.doesNotMatch(readFileSync(file, 'utf8'), /'\.\.\/[^.']/, relative(root, file))
})

test('wiring holds no rule: it refuses nothing, and nothing in it is worth a test beside it', () => {
  const wiring = Object.keys(LAYERS).filter((name) => LAYERS[name]!.may.includes('*'))
  const isWiring = (file: string): boolean =>
    wiring.some((name) => nameOf(file) === name || nameOf(file).startsWith(`${name}/`))
  for (const file of sources().filter(isWiring))
    assert.doesNotMatch(
      readFileSync(file, 'utf8'),
      /new (CannotStart|Refusal)\(|\brefuse\(/,
      `${nameOf(file)} decides what is refused: that is a rule`,
    )
  const tests = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.test.ts') && isWiring(join(root, name.replace('.test.ts', '.ts'))),
  )
  assert.deepEqual(tests, [], 'what these test is a rule: move it to a folder with arrows')
})

test('one module outside of store/ imports an engine: the place where another engine is put in', () => {
  const importers = sources().filter((file) =>
    importsOf(file).some((target) => /^store\/(sqlite|migrations|sql)\//.test(nameOf(target))),
  )
  assert.deepEqual(
    importers.map(nameOf).filter((name) => !name.startsWith('store/')),
    ['serve/places'],
  )
})

test('nothing outside of store/ speaks SQL or imports a database', () => {
  for (const file of sources()) {
    const path = relative(root, file)
    const text = readFileSync(file, 'utf8')
    if (path.startsWith('store/')) continue
    assert.doesNotMatch(text, /from '(kysely|node:sqlite|pg)'/, `${path} imports a database library`)
    assert.doesNotMatch(
      text,
      /\b(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s\w+\sSET|DELETE FROM)\b/,
      `${path} holds SQL`,
    )
  }
})

/** Files and packages that an entry loads at its start, which is without what it imports while it runs. */
function loadedBy(entry: string): { readonly loaded: Set<string>; readonly packages: Set<string> } {
  const loaded = new Set([join(root, `${entry}.ts`)])
  const packages = new Set<string>()
  for (const file of loaded)
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/^import (?!type )[^']*'([^']+)'/gm)) {
      if (name!.startsWith('.')) loaded.add(resolve(dirname(file), name!))
      else packages.add(name!)
    }
  return { loaded, packages }
}

for (const entry of ['command', 'surfaces/cli/program', 'surfaces/cli/process-commands'])
  test(`the command line answers without an instance before it loads a schema or an operation: ${entry}`, () => {
    const { loaded, packages } = loadedBy(entry)
    assert.ok(loaded.size > 3, 'the imports were found')
    for (const name of ['zod', 'pino', 'kysely', 'node:sqlite', 'node:http'])
      assert.ok(!packages.has(name), `${name} is loaded`)
    assert.deepEqual(operationsIn(loaded), [])
  })

for (const entry of ['context', 'completion', 'login', 'token'])
  test(`a command that needs no operation loads none: postern ${entry}`, () => {
    const { loaded, packages } = loadedBy(`surfaces/cli/${entry}`)
    assert.ok(packages.has('commander'), 'the imports were found')
    assert.deepEqual(operationsIn(loaded), [])
  })

/** Modules with operations, or with the schema of one. */
function operationsIn(loaded: ReadonlySet<string>): string[] {
  const others = ['operations/engine/write-options']
  return [...loaded]
    .map(nameOf)
    .filter((name) => /^(operations|store)\//.test(name) && !others.includes(name))
}

for (const entry of [
  'threads/gateway',
  'threads/recorder',
  'threads/query',
  'threads/check',
  'nodes/runs',
  'snapshot/find/capabilities',
])
  test(`a thread loads no schemas, no node:http and nothing that compiles snapshots, for which it would pay at its start: ${entry}`, () => {
    const { loaded, packages } = loadedBy(entry)
    const isThread = entry.startsWith('threads/')
    assert.ok(loaded.size > (isThread ? 10 : 3), 'the imports were found')
    if (isThread) assert.ok(packages.has('node:worker_threads'), 'the imports of packages were found')
    for (const file of loaded)
      assert.doesNotMatch(file, /\/nodes\/.*definitions?\.ts$/, 'a definition holds a schema')
    for (const name of ['zod', '@marcbachmann/cel-js', 'node:http', 'node:https', 'kysely', 'hono'])
      assert.ok(!packages.has(name), `${name} is loaded`)
    for (const file of loaded)
      assert.ok(!file.startsWith(join(root, 'snapshot/compile/')), `${relative(root, file)} is loaded`)
  })
