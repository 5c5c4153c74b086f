/** The package of `npm pack`, installed as on a machine without a network. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { eventually } from '../support/eventually.ts'
import { IS_LONG } from '../support/long.ts'
import { temporaryDirectory } from './process.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
let home = ''
let archive = ''
/** Where a person stands. */
let elsewhere = ''
let env: Record<string, string> = {}
const installed = (path: string): string => join(home, 'prefix/lib/node_modules/postern', path)
const postern = (...args: string[]) => run(join(home, 'prefix/bin/postern'), args, { cwd: elsewhere, env })

/** @returns the path of the archive */
async function pack(to: string): Promise<string> {
  await mkdir(to)
  await run('npm', ['pack', '--pack-destination', to], { cwd: ROOT, env, maxBuffer: 2 ** 26 })
  return join(to, 'postern-0.1.0.tgz')
}

before(async () => {
  home = await realpath(await temporaryDirectory())
  elsewhere = join(home, 'elsewhere')
  await mkdir(elsewhere)
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`
  env = { PATH: path, HOME: home, NO_COLOR: '1', npm_config_update_notifier: 'false' }
  archive = await pack(join(home, 'first'))
  const global = ['--global', '--prefix', join(home, 'prefix')]
  await run('npm', ['install', '--offline', '--ignore-scripts', ...global, archive], { cwd: elsewhere, env })
})
after(() => rm(home, { recursive: true, force: true }))

test('two packages of the same sources have the same bytes', {
  skip: IS_LONG ? false : 'in the long form',
}, async () => {
  const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
  assert.equal(digest(await pack(join(home, 'second'))), digest(archive))
})

test('no file of a package has a path of the checkout', () => {
  const files = globSync('**/*', { cwd: installed('.'), withFileTypes: true }).filter((file) => file.isFile())
  assert.ok(files.length > 500)
  for (const { parentPath, name } of files)
    assert.ok(!readFileSync(join(parentPath, name)).includes(ROOT), name)
})

test('a package has no sources, tests or build tools, and names what it was made of', async () => {
  for (const path of ['docs/cli.md', 'examples/orders/openapi.yaml', 'LICENSE', 'README.md'])
    assert.ok(existsSync(installed(path)), path)
  for (const path of ['src', 'test', 'build', 'bench', 'node_modules/zod', 'node_modules/vite'])
    assert.ok(!existsSync(installed(path)), path)
  const { stdout } = await postern('version', '-o', 'json')
  const { version, build, commit } = JSON.parse(stdout)
  assert.deepEqual([version, build], ['0.1.0', 'package'])
  assert.match(commit, /^[0-9a-f]{40}$/)
  assert.equal((await postern('--version')).stdout, '0.1.0\n')
})

test('the command of a package runs in any folder: paths are those of the person, and the console is there', async (t) => {
  const flags = ['--data', 'my-data', '--listen', '127.0.0.1:0', '--control-listen', '127.0.0.1:0']
  const child = spawn(join(home, 'prefix/bin/postern'), ['up', ...flags], { cwd: elsewhere, env })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      output += piece.toString()
    })
  await eventually(() => {
    assert.equal(child.exitCode, null, output)
    return output.includes('No administrator exists yet')
  })
  assert.ok(existsSync(join(elsewhere, 'my-data/config.db')))
  const control = /^ {2}control {2}(\S+)$/m.exec(output)![1]!
  const page = await fetch(`${control}/console/`)
  assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
  const issued = await postern('token', '--role', 'viewer', '--ttl', '1h', '--data', 'my-data', '-o', 'json')
  assert.match(JSON.parse(issued.stdout).token, /^pst_at_/)
  await usesClient(control, JSON.parse(issued.stdout).token)
  const ended = new Promise((done) => child.on('close', done))
  child.kill('SIGTERM')
  assert.equal(await ended, 0, output)
})

/** A program of somebody else: it calls management by the client of the package, and its types are checked. */
async function usesClient(url: string, token: string): Promise<void> {
  const project = join(home, 'project')
  await mkdir(join(project, 'node_modules'), { recursive: true })
  await symlink(installed('.'), join(project, 'node_modules/postern'))
  const program = `import { createClient, ProblemError } from 'postern/client'
const client = createClient({ url: process.argv[2]!, token: process.argv[3]! })
const { body } = await client.call('collections.list', { limit: 3 })
const count: number = body.items.length
const refused = await client.call('policies.create', { name: 'Gold' }).catch((error: unknown) => error)
console.log(count, refused instanceof ProblemError && refused.problem.code)
// @ts-expect-error the client knows what an operation takes
client.call('collections.list', { limit: 'three' }).catch(() => {})
`
  await writeFile(join(project, 'program.mts'), program)
  const options = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  }
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: ['program.mts'] }),
  )
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project])
  const { stdout } = await run(process.execPath, ['program.mts', url, token], { cwd: project, env })
  assert.equal(stdout, '0 permission_denied\n')
}

test('the demo of a package ends with 0', async () => {
  const { stdout } = await postern('demo', '--exit')
  assert.match(stdout, /Every step came out as expected/)
})

test('a package has a manual page and completes commands', async (t) => {
  const { stdout } = await postern('completion', 'bash')
  assert.match(stdout, /complete -o default -F _postern postern/)
  const page = join(home, 'prefix/share/man/man1/postern.1')
  const text = readFileSync(page, 'utf8')
  for (const name of ['collections', 'completion', 'demo', 'up', 'version'])
    assert.ok(text.includes(`\n.B ${name}\n`), name)
  for (const flag of ['control\\-listen', 'data'])
    assert.ok(text.includes(`\n.B \\-\\-${flag} <value>\n`), flag)
  const shown = await run('groff', ['-man', '-Tutf8', '-ww', page], { maxBuffer: 2 ** 26 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      return null
    },
  )
  if (shown === null) t.diagnostic('groff is not here: the page was not set')
  else assert.equal(shown.stderr, '')
})

test('the bill of materials names each package in a package with its licence and the digest of its archive', () => {
  const bill = JSON.parse(readFileSync(installed('dist/release/sbom.cdx.json'), 'utf8'))
  assert.deepEqual([bill.bomFormat, bill.specVersion], ['CycloneDX', '1.6'])
  assert.match(
    bill.serialNumber,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  const licences = readFileSync(installed('dist/release/licences.txt'), 'utf8')
  const named = new Set<string>()
  for (const { name, version, licenses, hashes, purl } of bill.components) {
    named.add(name)
    assert.match(hashes?.[0]?.content ?? '', /^[0-9a-f]{128}$/, name)
    assert.equal(purl, `pkg:npm/${name.replace('@', '%40')}@${version}`)
    const licence = licenses[0].license?.id ?? licenses[0].expression
    assert.match(
      licence,
      /^(?:MIT|ISC|BSD-[23]-Clause|Apache-2\.0|MPL-2\.0|0BSD|BlueOak-1\.0\.0|MIT-0)$/,
      name,
    )
    assert.ok(licences.includes(`${name} ${version} (${licence})\n\n`), name)
  }
  // Of the program, of the console, and those that lie beside them, with what they need
  for (const name of [
    'zod',
    'oidc-provider',
    'react',
    '@tanstack/react-router',
    'tailwindcss',
    'pg',
    'pg-protocol',
    'mysql2',
    'iconv-lite',
  ])
    assert.ok(named.has(name), name)
  const beside = globSync('node_modules/{*,@*/*}/package.json', { cwd: installed('.') })
  assert.ok(beside.length > 15)
  for (const path of beside)
    assert.ok(named.has(JSON.parse(readFileSync(installed(path), 'utf8')).name), path)
})
