import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { circlesIn, type Imports } from './support/import-circles.ts'

/** What gateway threads know of snapshots: all but how they are compiled. */
const SERVED = [
  'fragments',
  'plan',
  'sent-delta',
  'packed-fragments',
  'snapshot',
  'linked',
  'find',
  'link',
  'schema',
  'offer',
].map((name) => `snapshot/${name}`)

/**
 * The arrows of ARCHITECTURE.md: which folder may import which. A folder is the longest prefix that stands here.
 * `*` is everything: wiring.
 */
const ARROWS: Record<string, readonly string[]> = {
  base: [],
  // Names of what detectors find are part of what administrators write
  model: ['base', 'detectors/settings', 'guardrails/names'],
  vault: ['base', 'model', 'store/ports'],
  access: ['base', 'model', 'store/ports'],
  wire: ['base'],
  'shared-state/ports': ['base'],
  'shared-state/memory': ['base', 'shared-state/ports'],
  'store/ports': ['base', 'model'],
  'store/sql': ['base', 'model', 'store/ports'],
  'store/sqlite': ['base', 'model', 'store/ports', 'store/sql', 'store/migrations'],
  'store/migrations': ['base', 'model', 'store/ports', 'store/sql'],
  record: ['base', 'model', 'store/ports', 'vault', 'wire'],
  snapshot: ['base', 'model', 'detectors/settings', 'guardrails/names', 'snapshot/linked', 'snapshot/find'],
  'snapshot/schema': ['base', 'model'],
  'snapshot/offer': ['base', 'model', 'snapshot/schema'],
  'snapshot/linked': [
    ...[
      'base',
      'guardrails/rule',
      'guardrails/names',
      'snapshot/fragments',
      'snapshot/plan',
      'snapshot/find',
    ],
  ],
  'snapshot/find': [...['base', 'model', 'guardrails', 'snapshot/fragments', 'snapshot/linked']],
  'snapshot/link': [
    ...['base', 'model', 'vault', 'guardrails/rule', 'guardrails/names', ...SERVED],
    'snapshot/earlier-form',
  ],
  'snapshot/compile': [
    ...[
      'base',
      'model',
      'vault',
      'store/ports',
      'snapshot',
      'nodes',
      'detectors/settings',
      'guardrails/names',
    ],
  ],
  gateway: [
    ...['base', 'model', 'shared-state/ports', ...SERVED, 'vault', 'record', 'wire'],
    ...['nodes/run', 'nodes/runs', 'sandbox/port', 'services/port', 'guardrails'],
  ],
  detectors: ['base'],
  guardrails: ['base', 'detectors'],
  sandbox: [],
  services: ['base'],
  nodes: ['base', 'model', 'snapshot/schema', 'detectors', 'services/port'],
  import: ['base', 'model'],
  'operations/engine': [
    ...['base', 'model', 'store/ports', 'shared-state/ports', 'access', 'vault', 'record', 'snapshot'],
    'guardrails/names',
  ],
  'operations/kinds': [
    ...['base', 'model', 'store/ports', 'access', 'snapshot', 'operations', 'guardrails/names'],
  ],
  operations: [
    ...['base', 'model', 'store/ports', 'access', 'vault', 'record', 'snapshot', 'nodes', 'import'],
    ...['guardrails', 'operations/engine', 'operations/kinds'],
  ],
  surfaces: [
    ...['base', 'model', 'shared-state/ports', 'access', 'operations', 'import/text'],
    ...['mcp/protocol', 'wire/port'],
  ],
  'mcp/protocol': ['base', 'shared-state/ports'],
  'mcp/consumer': [
    ...['base', 'model', 'shared-state/ports', ...SERVED, 'gateway', 'record', 'mcp/protocol', 'mcp/http'],
    ...['mcp/endpoints', 'vault', 'wire'],
  ],
  'mcp/endpoints': ['base', 'model', 'snapshot/fragments', 'gateway', 'mcp/protocol'],
  'mcp/http': ['base', 'shared-state/ports', 'gateway', 'record', 'mcp/protocol', 'wire'],
  'mcp/origin': ['base', 'model', 'mcp/protocol'],
  'mcp/virtual': [
    ...['base', 'model', 'shared-state/ports', 'snapshot/find', 'snapshot/linked', 'snapshot/schema'],
    ...['gateway', 'wire', 'guardrails', 'mcp/protocol', 'mcp/http', 'mcp/endpoints', 'mcp/origin'],
  ],
  oauth: ['base', 'model', 'store/ports', 'shared-state/ports', 'vault', 'access', 'record', 'wire'],
  runner: ['base', 'model/members', 'import/text', 'mcp/protocol', 'version'],
  settings: ['base', 'import/text'],
  version: ['base'],
  // What all threads say to each other and share
  'fleet/shared': [
    ...['base', 'model', 'store/ports', 'shared-state/ports', 'shared-state/memory/shared-cells'],
    ...['snapshot/fragments', 'snapshot/sent-delta', 'gateway', 'record', 'wire/port', 'settings/values'],
  ],
  'fleet/gateway': [
    ...['base', 'model', 'shared-state/ports', 'snapshot/find', 'snapshot/fragments', 'snapshot/sent-delta'],
    'snapshot/packed-fragments',
    ...['gateway', 'record', 'wire', 'fleet/shared'],
  ],
  'fleet/main': [
    ...['base', 'model', 'store/ports', 'shared-state/ports', 'snapshot/fragments', 'snapshot/sent-delta'],
    ...['snapshot/packed-fragments', 'gateway', 'record', 'wire/port', 'settings', 'fleet/shared'],
  ],
  control: [
    ...[
      'base',
      'model',
      'store/ports',
      'shared-state/ports',
      'access',
      'vault',
      'record',
      'wire',
      'settings',
      'snapshot',
    ],
    ...['operations', 'oauth', 'surfaces', 'version', 'fleet/shared', 'gateway/forward/try-credential'],
  ],
  upkeep: ['store/ports'],
  'upkeep/kept': [
    'base',
    'store/ports',
    'snapshot/fragments',
    'snapshot/sent-delta',
    'snapshot/packed-fragments',
    'gateway/identify',
    'gateway/idempotency',
    'gateway/kept-answer',
  ],
  'upkeep/start': [
    ...[
      'base',
      'store/ports',
      'vault',
      'record',
      'settings',
      'snapshot/packed-fragments',
      'operations/engine/fragments',
    ],
    ...['upkeep/data-files', 'upkeep/kept'],
  ],
  'upkeep/backup': [
    ...['base', 'store/ports', 'vault', 'record', 'surfaces/cli/ports', 'version'],
    ...['upkeep/data-files', 'upkeep/key-place'],
  ],
  'upkeep/doctor': [
    ...['base', 'model', 'store/ports', 'vault', 'record', 'settings', 'snapshot/compile'],
    ...['oauth/sign-in', 'operations/engine/fragments', 'surfaces/cli', 'control/identity-provider'],
    ...['access', 'oauth/federation', 'operations/access/origin-access'],
    ...['upkeep/data-files', 'upkeep/key-place'],
  ],
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

/** Relative imports of a source file, types included, as absolute paths. */
function importsOf(file: string): string[] {
  const matches = readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)
  return [...matches].map((match) => resolve(dirname(file), match[1]!))
}

/** Path below `src`, with slashes and without its ending. */
function nameOf(file: string): string {
  return relative(root, file).replaceAll('\\', '/').replace(/\.ts$/, '')
}

/** The folder (or single file) of ARROWS that a source file belongs to. */
function folderOf(file: string): string {
  const path = nameOf(file)
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
    for (const target of importsOf(file)) {
      const to = folderOf(target)
      if (from !== to && !allows(ARROWS[from]!, to) && !allows(ARROWS[from]!, nameOf(target)))
        wrong.push(`${nameOf(file)} imports ${nameOf(target)}: ${from} may not import ${to}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('the table of folders in ARCHITECTURE.md has a row for each folder with arrows, and no other', () => {
  const page = readFileSync(resolve(root, '../ARCHITECTURE.md'), 'utf8')
  const section = page.slice(page.indexOf('\n## Folders'), page.indexOf('\n## Dependencies'))
  const named = [...section.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell]) => cell!.match(/[\w/-]+/g)!)
  assert.deepEqual(
    named.filter((folder) => folder !== 'wire/node').toSorted(),
    Object.keys(ARROWS).toSorted(),
  )
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
  const wiring = Object.keys(ARROWS).filter((name) => ARROWS[name]!.includes('*'))
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

for (const entry of [
  'threads/gateway',
  'threads/recorder',
  'threads/query',
  'threads/check',
  'nodes/runs',
  'snapshot/find/capabilities',
])
  test(`a thread loads no schemas, no node:http and nothing that compiles snapshots, for which it would pay at its start: ${entry}`, () => {
    const loaded = new Set([join(root, `${entry}.ts`)])
    const packages = new Set<string>()
    for (const file of loaded)
      for (const [, name] of readFileSync(file, 'utf8').matchAll(/^import (?!type )[^']*'([^']+)'/gm)) {
        if (name!.startsWith('.')) loaded.add(resolve(dirname(file), name!))
        else packages.add(name!)
      }
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
