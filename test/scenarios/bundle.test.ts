/** The bundle of a program of its own: a copy of this checkout, as a fresh one that was built. */
import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { realpath, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { makeBundle } from '../../build/bundle.ts'
import { LICENCES } from '../../build/packages.ts'
import { COMPLETION, ENTRIES } from '../../src/base/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { ownPort } from '../support/ports.ts'
import { WEBHOOK_SECRET } from '../support/sink-receivers.ts'
import { answer, flow } from './flows.ts'
import { runPostern, startUp, temporaryDirectory } from './process.ts'
import { call, created, publishOrders, type Reply } from './server.ts'
import { startUpstream } from './upstream.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** Ends the program unless a text that it is given is UTF-8 in percent escapes. */
const CHECK = `
function demandUtf8(text: string): void {
  try {
    decodeURIComponent(text)
  } catch {
    process.exit(77)
  }
}
demandUtf8(process.env['BUNDLE_PROBE'] ?? '')
`
let program = ''
let bundle = ''

before(async () => {
  program = await realpath(await temporaryDirectory())
  const copied = (path: string): boolean => !path.endsWith('.test.ts')
  for (const path of [
    'src',
    'build/bundle.ts',
    'build/manual.ts',
    'build/packages.ts',
    'examples',
    'package.json',
    'package-lock.json',
    'postern.js',
  ])
    cpSync(join(ROOT, path), join(program, path), { recursive: true, filter: copied })
  // A check that is there to throw, whose result nobody uses
  const version = join(program, 'src/version.ts')
  writeFileSync(version, `${readFileSync(version, 'utf8')}${CHECK}`)
  symlinkSync(join(ROOT, 'node_modules'), join(program, 'node_modules'))
  bundle = await makeBundle(program)
})
after(() => rm(program, { recursive: true, force: true }))

/** Has each entry of a bundle say that it runs. */
function mark(folder: string): void {
  for (const entry of Object.keys(ENTRIES)) {
    const file = join(folder, `${entry}.js`)
    const says = `process.getBuiltinModule('fs').writeSync(2, 'bundled ${entry}\\n');`
    writeFileSync(file, says + readFileSync(file, 'utf8'))
  }
}

/** Entries that have said so. */
function marksIn(output: string): string[] {
  return [...new Set([...output.matchAll(/^bundled (\w+)$/gm)].map(([, entry]) => entry!))].sort()
}

test('a bundle needs neither sources nor packages, and each of its threads does its work', async (t) => {
  const alone = await temporaryDirectory()
  const slot = join(alone, 'dist/a')
  mkdirSync(join(alone, 'dist'))
  cpSync(bundle, slot, { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(alone, 'package.json'))
  mark(slot)
  const main = join(slot, 'command.js')
  await using upstream = await startUpstream()
  const closed = await ownPort()
  const flags = ['--valkey-url', `redis://127.0.0.1:${closed}`]
  const up = await startUp(join(alone, 'data'), flags, {}, false, undefined, main)
  t.after(() => up.child.kill('SIGKILL'))
  const issued = await runPostern(
    ['token', '--role', 'admin', '--ttl', '1h', '--data', join(alone, 'data')],
    {},
    main,
  )
  const admin = /pst_at_\S+/.exec(issued.stdout)![0]
  const manage = (method: string, path: string, body?: unknown): Promise<Reply> =>
    call(method, `${up.controlUrl}/management/v1${path}`, { token: admin, body })
  const token = await publishOrders({ manage }, upstream.url)
  // Gateway and recorder
  assert.equal((await call('GET', `${up.gatewayUrl}/orders/v1/orders/7`, { token })).status, 200)
  await eventually(async () => (await manage('GET', '/records?limit=1')).json.items.length === 1)
  // Leases, with the client of Valkey
  await eventually(() => /redis:\/\/.* cannot be used: .*ECONNREFUSED/.test(up.output()), up.output)
  // Code and services
  const workflow = flow(
    [
      { id: 'sum', type: 'code_node', config: { language: 'typescript', code: '(): number => 40 + 2' } },
      {
        id: 'redis',
        type: 'redis_node',
        config: { host: '127.0.0.1', port: closed, tls: false, command: 'GET' },
        inputs: { key: 'a' },
        on_error: 'handle',
      },
      answer('ok', {}),
      answer('bad', { body: { sum: '{{ $.sum.value }}', kind: '{{ $.redis.error.kind }}' } }),
    ],
    ['http sum', 'sum redis', 'redis default ok', 'redis error bad'],
  )
  await created(
    manage('POST', '/proxies', {
      collection: 'orders',
      name: 'Flow',
      methods: ['GET'],
      path: '/v1/flow',
      status: 'published',
      workflow,
    }),
  )
  const ran = await call('GET', `${up.gatewayUrl}/orders/v1/flow`, { token })
  assert.deepEqual(ran.json, { sum: 42, kind: 'connect' })
  // Apart
  const description = 'long '.repeat(4000)
  const document = { openapi: '3.1.0', info: { title: 'T', version: '1', description }, paths: {} }
  await created(
    manage('POST', '/collections/import', {
      document: JSON.stringify(document),
      name: 'Long',
      slug: 'long',
      base_path: '/long',
      upstream: upstream.url,
    }),
  )
  // Sinks
  const destination = { type: 'webhook', url: `http://127.0.0.1:${closed}` }
  const auth = { type: 'webhook_signature', secret: WEBHOOK_SECRET }
  await created(manage('POST', '/sinks', { name: 'SIEM', streams: ['audit'], destination, auth }))
  // The command was started by itself, and the demo is a command of its own
  const apart: readonly string[] = ['main', 'demo']
  const expected = Object.keys(ENTRIES).filter((name) => !apart.includes(name))
  await eventually(
    () => marksIn(up.output()).length === expected.length,
    () => `of ${expected} ran ${marksIn(up.output())}`,
  )
  up.child.kill('SIGTERM')
  assert.equal((await up.ended).code, 0)
  await rm(alone, { recursive: true })
})

test('stack traces of a bundle name sources and their lines', async () => {
  for (const entry of ['gateway', 'recorder', 'query', 'check', 'code', 'services', 'apart'] as const) {
    const path = join(program, 'src', ENTRIES[entry])
    const line = readFileSync(path, 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('runs as a worker thread only'))
    const { code, stderr } = await runPostern([], {}, join(bundle, `${entry}.js`))
    assert.equal(code, 1)
    assert.ok(stderr.includes(`at file://${path}:${line + 1}:`), stderr)
  }
})

test('the program runs the bundle while it is up to date, and the sources when one has changed or the environment asks for them', async () => {
  mark(bundle)
  const main = join(program, 'postern.js')
  const version = async (env: Record<string, string> = {}): Promise<readonly string[]> => {
    const { code, stdout, stderr } = await runPostern(['--version'], { RUN_SOURCES: 'false', ...env }, main)
    assert.deepEqual([code, stdout], [0, '0.1.0\n'])
    return marksIn(stderr)
  }
  assert.deepEqual(await version(), ['command', 'main'])
  assert.deepEqual(await version({ RUN_SOURCES: 'true' }), [])
  const source = join(program, 'src/version.ts')
  const text = readFileSync(source, 'utf8')
  writeFileSync(source, `${text}// Another source\n`)
  assert.deepEqual(await version(), ['main'], 'which finds that it is not up to date')
  writeFileSync(source, text)
  assert.deepEqual(await version(), ['command', 'main'])
})

test('a bundle keeps a call that is there to throw and whose result nobody uses', async () => {
  const run = (probe: string) =>
    runPostern(['--version'], { BUNDLE_PROBE: probe }, join(bundle, 'command.js'))
  assert.equal((await run('%c3%a4')).code, 0)
  assert.equal((await run('%c0%ae')).code, 77)
})

test('a bundle has the mode of other folders, and the sources run if one of its files is missing', async () => {
  const main = join(program, 'postern.js')
  assert.equal(statSync(bundle).mode & 0o777, 0o777 & ~process.umask())
  const part = join(bundle, 'main.js')
  const text = readFileSync(part)
  rmSync(part)
  const { code, stdout } = await runPostern(['--version'], { RUN_SOURCES: 'false' }, main)
  assert.deepEqual([code, stdout], [0, '0.1.0\n'])
  writeFileSync(part, text)
})

test('a bundle has the commands for completion in a file, and prints the script from it', async () => {
  const places = JSON.parse(readFileSync(join(bundle, COMPLETION), 'utf8')) as { path: string[] }[]
  const policies = places.find(({ path }) => path.join(' ') === 'policies create')
  assert.ok(policies !== undefined)
  policies.path = ['policies', 'only-in-the-file']
  writeFileSync(join(bundle, COMPLETION), JSON.stringify(places))
  const { stdout } = await runPostern(['completion', 'bash'], {}, join(program, 'postern.js'))
  assert.match(stdout, /^ {2}'policies only-in-the-file'\) /m)
})

test('the licences of all packages in a bundle are beside it', () => {
  const named = readFileSync(join(bundle, LICENCES), 'utf8')
  const packages = new Set<string>()
  for (const name of readdirSync(bundle).filter((file) => file.endsWith('.map'))) {
    const { sources } = JSON.parse(readFileSync(join(bundle, name), 'utf8')) as { sources: readonly string[] }
    for (const source of sources) {
      const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(source) ?? []
      if (folder !== undefined) packages.add(resolve(bundle, folder))
    }
  }
  assert.ok(packages.size > 30)
  for (const folder of packages) {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    ) as Record<string, string>
    assert.ok(named.includes(`${name} ${version} (${license})\n\n`), name)
    assert.match(license!, /^(?:MIT|ISC|BSD-[23]-Clause|Apache-2\.0|MPL-2\.0|0BSD|BlueOak-1\.0\.0)$/, name)
  }
})
