/** What comes from elsewhere: each package exactly, unchanged, old enough to have been looked at, and without a script of its own. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { IS_LONG } from './support/long.ts'

const TOP = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(TOP, path), 'utf8')

interface Locked {
  readonly version: string
  readonly integrity?: string
  readonly inBundle?: boolean
  readonly link?: boolean
  readonly license?: string
  readonly hasInstallScript?: boolean
  readonly resolved?: string
}

const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
/** Without the checkout itself. */
const foreign = Object.entries(packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && link !== true,
)

/** Days between the release of a version and its use here, so that a stolen account is found out first. */
const COOLDOWN_DAYS = 7

/** Licences of packages; for those with a choice, one of these is chosen. */
const LICENCES = ['MIT', 'MIT-0', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'MPL-2.0']
/** Tools of development under other permissive licences. None of them is in the package. */
const OTHERS: Readonly<Record<string, string>> = {
  '@modelcontextprotocol/server-everything': 'SEE LICENSE IN LICENSE',
  '@modelcontextprotocol/server-filesystem': 'SEE LICENSE IN LICENSE',
  '@modelcontextprotocol/server-memory': 'SEE LICENSE IN LICENSE',
  glob: 'BlueOak-1.0.0',
  'graceful-fs': 'BlueOak-1.0.0',
  isbot: 'Unlicense',
  'lru-cache': 'BlueOak-1.0.0',
  minimatch: 'BlueOak-1.0.0',
  minipass: 'BlueOak-1.0.0',
  pako: '(MIT AND Zlib)',
  'path-scurry': 'BlueOak-1.0.0',
}

const nameOf = (path: string): string =>
  path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

test('each package is named by one exact version, and locked with a digest', () => {
  for (const manifest of ['package.json', 'build/node/package.json']) {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read(manifest))
    for (const [name, version] of Object.entries({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    }))
      assert.match(String(version), /^\d+\.\d+\.\d+(-[\w.]+)?$/, `${manifest}: ${name}`)
  }
  assert.ok(foreign.length > 300, `${foreign.length} packages`)
  // What comes inside of the archive of another package has the digest of that
  for (const [path, { integrity, inBundle }] of foreign)
    assert.ok(inBundle === true || /^sha512-/.test(integrity ?? ''), path)
})

test('no package runs a script when it is installed, or comes from a place that the lock file names', () => {
  assert.deepEqual(
    foreign.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path),
    [],
  )
  assert.deepEqual(
    foreign.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  )
})

test('each package has a licence that allows its use', () => {
  const allowed = ({ license = '' }: Locked): boolean =>
    license
      .replaceAll(/[()]/g, '')
      .split(' OR ')
      .some((one) => LICENCES.includes(one))
  const others = foreign.filter(([, locked]) => !allowed(locked))
  assert.deepEqual(Object.fromEntries(others.map(([path, { license }]) => [nameOf(path), license])), OTHERS)
})

test('npm takes no version that is younger than the cooldown', () => {
  assert.match(read('.npmrc'), new RegExp(`^min-release-age=${COOLDOWN_DAYS}$`, 'm'))
})

test('what the manifests name was released before the cooldown began', async (t) => {
  if (!IS_LONG) return t.skip('the long form asks the registry')
  const changed = execFileSync('git', ['log', '-1', '--format=%cI', '--', 'package-lock.json'], {
    cwd: TOP,
    encoding: 'utf8',
  })
  const latest = Date.parse(changed.trim()) - COOLDOWN_DAYS * 86_400_000
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, object>
  const tooYoung: string[] = []
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    const { stdout } = await promisify(execFile)('npm', ['view', name, 'time', '--json'], {
      cwd: TOP,
      maxBuffer: 2 ** 26,
    })
    const released = (JSON.parse(stdout) as Record<string, string>)[version as string]
    assert.ok(released !== undefined, `${name} ${version} was never released`)
    if (Date.parse(released) > latest) tooYoung.push(`${name} ${version}: ${released}`)
  }
  assert.deepEqual(tooYoung, [])
})
