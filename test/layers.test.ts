import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

/** What gateway threads know of snapshots: all but how they are compiled. */
const SERVED = ['fragments', 'snapshot', 'linked', 'find', 'link', 'schema'].map((name) => `snapshot/${name}`)

/**
 * The arrows of ARCHITECTURE.md: which folder may import which. A folder is the longest prefix that stands here.
 * `*` is everything: wiring.
 */
const ARROWS: Record<string, readonly string[]> = {
  base: [],
  model: ['base'],
  vault: ['base', 'model', 'store/ports'],
  access: ['base', 'model', 'store/ports'],
  wire: ['base'],
  'store/ports': ['base', 'model'],
  'store/sqlite': ['base', 'model', 'store/ports', 'store/migrations'],
  'store/migrations': ['base', 'model', 'store/ports'],
  record: ['base', 'model', 'store/ports', 'vault', 'wire'],
  snapshot: ['base', 'model', 'snapshot/linked', 'snapshot/find'],
  'snapshot/schema': ['base', 'model'],
  'snapshot/linked': ['base', 'snapshot/fragments', 'snapshot/find'],
  'snapshot/find': ['base', 'model', 'snapshot/fragments', 'snapshot/linked'],
  'snapshot/link': ['base', 'model', 'vault', ...SERVED],
  'snapshot/compile': ['base', 'model', 'vault', 'store/ports', 'snapshot'],
  gateway: ['base', 'model', ...SERVED, 'vault', 'record', 'wire'],
  nodes: ['base', 'model'],
  import: ['base', 'model'],
  'operations/engine': ['base', 'model', 'store/ports', 'access', 'vault', 'record', 'snapshot'],
  'operations/kinds': ['base', 'model', 'store/ports', 'access', 'snapshot', 'operations'],
  operations: [
    ...['base', 'model', 'store/ports', 'access', 'vault', 'record', 'snapshot', 'nodes', 'import'],
    ...['operations/engine', 'operations/kinds'],
  ],
  surfaces: ['base', 'model', 'access', 'operations', 'import/text', 'mcp/protocol', 'wire/port'],
  'mcp/protocol': ['base'],
  'mcp/consumer': ['base', 'model', ...SERVED, 'gateway', 'record', 'mcp/protocol', 'vault', 'wire'],
  oauth: ['base', 'model', 'store/ports', 'vault', 'access', 'record', 'wire'],
  settings: ['base'],
  version: [],
  threads: ['*'],
  serve: ['*'],
  main: ['*'],
  command: ['*'],
}

const root = resolve(import.meta.dirname, '../src')

function sources(): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** The folder (or single file) of ARROWS that a source file belongs to. */
function folderOf(file: string): string {
  const path = relative(root, file).replaceAll('\\', '/').replace(/\.ts$/, '')
  const fits = Object.keys(ARROWS).filter((name) => path === name || path.startsWith(`${name}/`))
  const longest = fits.sort((a, b) => b.length - a.length)[0]
  assert.ok(
    longest !== undefined,
    `${path} belongs to no folder of the table; add the folder there and to ARCHITECTURE.md`,
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
    for (const match of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
      const target = resolve(dirname(file), match[1]!)
      const to = folderOf(target)
      const path = relative(root, target).replaceAll('\\', '/').replace(/\.ts$/, '')
      if (from !== to && !allows(ARROWS[from]!, to) && !allows(ARROWS[from]!, path))
        wrong.push(`${relative(root, file)} imports ${match[1]}: ${from} may not import ${to}`)
    }
  }
  assert.deepEqual(wrong, [])
})

/** Files that import one another, over any number of steps, imports of types included; by path, largest circle first. */
function circlesAmong(files: readonly string[]): string[][] {
  const imports = new Map(
    files.map((file) => [
      file,
      [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)]
        .map(([, name]) => resolve(dirname(file), name!))
        .filter((target) => files.includes(target)),
    ]),
  )
  // Tarjan: `low` is the earliest file on the stack that is reached from a file
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    low.set(file, order.get(file)!)
    stack.push(file)
    for (const target of imports.get(file)!) {
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!))
    }
    if (low.get(file) === order.get(file)) circles.push(stack.splice(stack.indexOf(file)))
  }
  for (const file of files) if (!order.has(file)) visit(file)
  return circles
    .filter(({ length }) => length > 1)
    .map((circle) => circle.map((file) => relative(root, file)).sort())
    .sort((a, b) => b.length - a.length)
}

test('in operations no import circle has more than two files, imports of types included', () => {
  const files = sources().filter((file) => relative(root, file).startsWith('operations'))
  assert.ok(files.length > 100, 'the sources were found')
  assert.deepEqual(
    circlesAmong(files).filter(({ length }) => length > 2),
    [],
  )
})

test('the engine of the operations imports neither the registry nor a kind or a resource', () => {
  for (const file of sources().filter((one) => relative(root, one).startsWith('operations/engine')))
    assert.doesNotMatch(readFileSync(file, 'utf8'), /'\.\.\/[^.']/, relative(root, file))
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

for (const entry of ['gateway', 'recorder', 'query'])
  test(`a thread loads no schemas, no node:http and nothing that compiles snapshots, for which it would pay at its start: ${entry}`, () => {
    const loaded = new Set([join(root, `threads/${entry}.ts`)])
    const packages = new Set<string>()
    for (const file of loaded)
      for (const [, name] of readFileSync(file, 'utf8').matchAll(/^import (?!type )[^']*'([^']+)'/gm)) {
        if (name!.startsWith('.')) loaded.add(resolve(dirname(file), name!))
        else packages.add(name!)
      }
    assert.ok(packages.has('node:worker_threads') && loaded.size > 10, 'the imports were found')
    for (const name of ['zod', 'node:http', 'node:https', 'kysely', 'hono'])
      assert.ok(!packages.has(name), `${name} is loaded`)
    for (const file of loaded)
      assert.ok(!file.startsWith(join(root, 'snapshot/compile/')), `${relative(root, file)} is loaded`)
  })
