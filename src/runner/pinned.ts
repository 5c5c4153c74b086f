/**
 * Programs that download and run a package. Without an exact version they run whatever was published last, so that
 * somebody who takes over the package takes over this machine. The file is refused instead.
 */
import { basename } from 'node:path'
import { placeholdersIn } from './command-line.ts'

/** How a package runner names its package, and what an exact version looks like. */
interface PackageRunner {
  readonly name: string
  /** Words after the program that make it one, such as `tool run`. */
  readonly words: readonly string[]
  readonly registry: 'npm' | 'pypi'
  /** Flags whose value is a package; the first argument that is no flag is then a command of it. */
  readonly packageFlags: readonly string[]
  /** Flags whose value is a further package. */
  readonly furtherFlags: readonly string[]
  /** The first argument that is no flag is a command or a file, and no package. */
  readonly isLocal?: true
}

const npm = (name: string, words: readonly string[], packageFlags: readonly string[]): PackageRunner => ({
  ...{ name, words, registry: 'npm', packageFlags, furtherFlags: [] },
})

const pypi = (name: string, words: readonly string[], packageFlags: readonly string[]): PackageRunner => ({
  ...{ name, words, registry: 'pypi', packageFlags, furtherFlags: ['--with', '-w', '--preinstall'] },
})

const RUNNERS: readonly PackageRunner[] = [
  npm('npx', [], ['-p', '--package']),
  npm('npm', ['exec'], ['-p', '--package']),
  npm('npm', ['x'], ['-p', '--package']),
  npm('bunx', [], ['-p', '--package']),
  npm('bun', ['x'], ['-p', '--package']),
  npm('pnpx', [], ['--package']),
  npm('pnpm', ['dlx'], ['--package']),
  npm('yarn', ['dlx'], ['-p', '--package']),
  pypi('uvx', [], ['--from']),
  pypi('uv', ['tool', 'run'], ['--from']),
  pypi('uv', ['x'], ['--from']),
  { ...pypi('uv', ['run'], []), isLocal: true },
  pypi('pipx', ['run'], ['--spec']),
  npm('deno', ['x'], []),
  npm('dx', [], []),
  npm('dnx', [], []),
  npm('dotnet', ['dnx'], []),
  npm('dotnet', ['tool', 'exec'], []),
]

/** Programs under another name. */
const ALIASES: Readonly<Record<string, string>> = {
  'npx-cli.js': 'npx',
  'npm-cli.js': 'npm',
  'pnpm.cjs': 'pnpm',
  'yarn.js': 'yarn',
}

/** Programs that run a program named in their arguments. */
const WRAPPERS = new Set([
  ...['env', 'node', 'nodejs', 'bun', 'setpriv', 'nice', 'ionice', 'timeout', 'nohup', 'stdbuf', 'setsid'],
  ...['unshare', 'prlimit', 'taskset', 'sudo', 'doas', 'systemd-run', 'bwrap', 'firejail', 'busybox'],
  ...['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'fish'],
  ...[
    'dumb-init',
    'tini',
    'catatonit',
    'gosu',
    'su-exec',
    'su',
    'runuser',
    'chroot',
    'time',
    'strace',
    'script',
  ],
  ...[
    'flock',
    'xargs',
    'corepack',
    'mise',
    'volta',
    'asdf',
    'uv',
    'pipx',
    'npx',
    'npm',
    'bunx',
    'pnpm',
    'uvx',
  ],
])
/** With a version in their names; `-m` runs a program that is a package. */
const PYTHON = /^(?:python|pypy)[\d.]*$/

/** `name@1.2.3`, also with a scope and a pre-release: neither a tag, nor a range, nor an address. */
const NPM_PINNED = /^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*@\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/i
/** `name==1.2.3` or `name@1.2.3`, also with extras. */
/** Code that Deno loads from a registry or a server. */
const REMOTE = /^(?:npm|jsr|https?):/i
const REMOTE_PINNED =
  /^(?:(?:npm|jsr):\/?(?:@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*|https:\/\/[^\s?#]*)@v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\/\S*)?$/i
/** A package of Go with a version: a release or the hash of a commit. */
const GO_PACKAGE = /^[\w.-]+(?:\/[\w.~-]+)+@/
const GO_PINNED = /@(?:v\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?|[0-9a-f]{12,40})$/

const PYPI_PINNED = /^[a-z0-9][\w.-]*(\[[\w,.-]+\])?(==|@)\d+(\.\d+)*((a|b|rc|\.?post|\.?dev)\d+)?$/i

/** What is wrong with a command line that runs a package without an exact version, with the fix; null otherwise. */
export function faultOfPackage(program: string, args: readonly string[]): string | null {
  const name = nameOf(program)
  const fault = faultOfCall(name, args)
  if (fault !== null || !(WRAPPERS.has(name) || PYTHON.test(name))) return fault
  // `sh -c` and `env -S` take several words in one argument, and a shell ends words at these characters too
  const words = args.flatMap((arg) => arg.split(/[\s;&|()`"']+/)).filter((word) => word !== '')
  for (let at = 0; at < words.length; at++) {
    const inner = faultOfCall(nameOf(words[at]!), words.slice(at + 1))
    if (inner !== null) return inner
  }
  return null
}

function nameOf(program: string): string {
  // A package runner may itself be a package with a version
  const name = basename(program).replace(/@[\w.-]+$/, '')
  return Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name
}

function faultOfCall(name: string, args: readonly string[]): string | null {
  if (name === 'deno') {
    const loose = args.find((arg) => REMOTE.test(arg) && (!REMOTE_PINNED.test(arg) || hasParameter(arg)))
    if (loose !== undefined) return looseFault('deno', loose, 'npm:package@1.2.3')
  }
  if (name === 'go' && args.includes('run')) {
    const loose = args.find((arg) => GO_PACKAGE.test(arg) && (!GO_PINNED.test(arg) || hasParameter(arg)))
    if (loose !== undefined) return looseFault('go run', loose, 'example.com/program@v1.2.3')
  }
  for (const runner of RUNNERS) {
    const own = runner.name === name ? argumentsOf(runner, args) : null
    if (own !== null) return faultOfPackages(runner, packagesOf(runner, own))
  }
  return null
}

/** The arguments after the words that make the program a package runner; null where it is none. */
function argumentsOf({ words }: PackageRunner, args: readonly string[]): readonly string[] | null {
  if (words.length === 0) return args
  const at = args.indexOf(words[0]!)
  if (at === -1 || words.some((word, i) => args[at + i] !== word)) return null
  const isFlag = (i: number): boolean => args[i]?.startsWith('-') === true
  // Flags, and values of flags, may stand before
  const isFirst = args.slice(0, at).every((_, i) => isFlag(i) || isFlag(i - 1))
  return isFirst ? args.slice(at + words.length) : null
}

function faultOfPackages(runner: PackageRunner, packages: readonly string[]): string | null {
  const command = [runner.name, ...runner.words].join(' ')
  const example = runner.registry === 'npm' ? 'package@1.2.3' : 'package==1.2.3'
  if (packages.length === 0 && runner.isLocal !== true)
    return `${command} needs a package with an exact version, such as ${example}`
  const pinned = runner.registry === 'npm' ? NPM_PINNED : PYPI_PINNED
  const loose = packages.find((one) => !pinned.test(one) || hasParameter(one))
  return loose === undefined ? null : looseFault(command, loose, example)
}

function looseFault(command: string, loose: string, example: string): string {
  return `${command} would run any published version of "${loose.slice(0, 100)}"; write an exact version, such as ${example}, or install the package and name its program. Write flags with values as --flag=value`
}

function hasParameter(text: string): boolean {
  return placeholdersIn(text).length > 0
}

/** Packages that a command line names. A flag that is not known counts as a switch, so that nothing is passed over. */
function packagesOf(runner: PackageRunner, args: readonly string[]): string[] {
  const further: string[] = []
  const named: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    const [flag, ...rest] = arg.split('=')
    const isPackage = runner.packageFlags.includes(flag!)
    if (isPackage || runner.furtherFlags.includes(flag!)) {
      const value = rest.length > 0 ? rest.join('=') : (args[++at] ?? '')
      ;(isPackage ? named : further).push(value)
    } else if (!arg.startsWith('-')) {
      const isNamed = named.length > 0 || (runner.isLocal === true && !REMOTE.test(arg))
      return [...named, ...(isNamed ? [] : [arg]), ...further]
    }
  }
  return [...named, ...further]
}
