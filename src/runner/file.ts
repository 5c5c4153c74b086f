/**
 * Reads the runner's file. Only the runner reads it: it has secrets and decides which programs run.
 *
 * 1. The file belongs to the user of the process, and nobody else can read or write it.
 * 2. Every fault is found before anything listens or runs, and its message names the member and the fix.
 */
import { hash } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { isIP } from 'node:net'
import { basename } from 'node:path'
import { fieldErrorsOf } from '../base/json/fault.ts'
import { pointerTo } from '../base/json/storable.ts'
import { bareHost, isLoopbackHost } from '../base/net/address.ts'
import { CannotStart, type FieldError, Refusal } from '../base/refusal.ts'
import { printable } from '../base/text/visible.ts'
import { readText } from '../import/text/configuration.ts'
import { placeholdersIn } from './command-line.ts'
import { type EntrySpec, RunnerFileSchema } from './file-schema.ts'
import { faultOfPackage } from './pinned.ts'

const FILE_BYTES_MAX = 1024 ** 2
/** Of a file that holds one secret. */
const SECRET_BYTES_MAX = 65_536
/** Characters of a token; shorter ones can be guessed. */
const TOKEN_CHARS_MIN = 32
/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a final NUL. */
const SOCKET_PATH_BYTES_MAX = 103
/** Faults that one message names. */
const FAULTS_SHOWN = 10

/** A token of a caller: its digest, and the entries that it may use. */
export interface RunnerToken {
  /** SHA-256 of the token, 32 bytes. */
  readonly digest: Buffer
  readonly entries: ReadonlySet<string>
}

export type RunnerListen =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'address'
      readonly host: string
      readonly port: number
      readonly tokens: readonly RunnerToken[]
    }

export interface RunnerConfig {
  /** Absolute, without symbolic links. */
  readonly file: string
  readonly listen: RunnerListen
  readonly entries: ReadonlyMap<string, EntrySpec>
}

/** Reads and checks the file. @throws CannotStart that names the file, the member and the fix. */
export function readRunnerFile(path: string): RunnerConfig {
  const text = readPrivate(path, 'The runner file', FILE_BYTES_MAX, 0o077)
  const parsed = RunnerFileSchema.safeParse(valueIn(path, text))
  if (!parsed.success) throw faulty(path, fieldErrorsOf(parsed.error, RunnerFileSchema))
  const { listen, entries } = parsed.data
  const errors: FieldError[] = Object.entries(entries).flatMap(([name, entry]) =>
    faultsOfEntry(entry, pointerTo('/entries', name)),
  )
  const place = 'socket' in listen ? socketOf(listen.socket, errors) : addressOf(listen, entries, errors)
  if (errors.length > 0 || place === null) throw faulty(path, errors)
  return { file: realpathSync(path), listen: place, entries: new Map(Object.entries(entries)) }
}

function valueIn(path: string, text: string): unknown {
  try {
    return readText(text, FILE_BYTES_MAX)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw faulty(path, error.facts.errors ?? [{ pointer: '', reason: error.message }])
  }
}

function faulty(path: string, errors: readonly FieldError[]): CannotStart {
  const shown = errors
    .slice(0, FAULTS_SHOWN)
    .map(({ pointer, reason }) => `\n  ${printable(pointer === '' ? '/' : pointer)}: ${printable(reason)}`)
  const more = errors.length > FAULTS_SHOWN ? `\n  and ${errors.length - FAULTS_SHOWN} more` : ''
  return new CannotStart(`The runner file ${path} is not valid:${shown.join('')}${more}`)
}

/** Rules over several members of an entry, and what the machine says of its program. */
function faultsOfEntry(entry: EntrySpec, pointer: string): FieldError[] {
  const errors: FieldError[] = []
  const used = new Set<string>()
  entry.args.forEach((arg, i) => {
    for (const name of placeholdersIn(arg)) {
      used.add(name)
      if (!Object.hasOwn(entry.parameters, name))
        errors.push({
          pointer: pointerTo(pointer, 'args', i),
          reason: `uses {${name}}, which parameters does not declare`,
        })
    }
  })
  for (const name of Object.keys(entry.parameters))
    if (!used.has(name))
      errors.push({
        pointer: pointerTo(pointer, 'parameters', name),
        reason: `is not used; write {${name}} in args`,
      })
  const program = faultOfProgram(entry.program)
  if (program !== null) errors.push({ pointer: `${pointer}/program`, reason: program })
  const args = faultOfPackage(entry.program, entry.args) ?? faultOfCode(entry.program, entry.args)
  if (args !== null) errors.push({ pointer: `${pointer}/args`, reason: args })
  if (statSync(entry.cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
    errors.push({ pointer: `${pointer}/cwd`, reason: 'is no directory' })
  for (const [name, value] of Object.entries(entry.env))
    if (typeof value !== 'string') {
      const fault = faultOf(() => readSecretFile(value.file))
      if (fault !== null) errors.push({ pointer: pointerTo(pointer, 'env', name, 'file'), reason: fault })
    }
  return errors
}

function faultOfProgram(program: string): string | null {
  const found = statSync(program, { throwIfNoEntry: false })
  if (found === undefined) return 'does not exist'
  if (!found.isFile()) return 'is no file'
  if ((found.mode & 0o002) !== 0) return `can be replaced by any user; run: chmod o-w ${program}`
  try {
    accessSync(program, constants.X_OK)
    return null
  } catch {
    return 'cannot be executed by this user'
  }
}

function socketOf(path: string, errors: FieldError[]): RunnerListen {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    errors.push({ pointer: '/listen/socket', reason: `must have at most ${SOCKET_PATH_BYTES_MAX} bytes` })
  return { kind: 'socket', path }
}

interface GivenAddress {
  readonly address: string
  readonly allow_remote: boolean
  readonly tokens: readonly {
    readonly token_sha256?: string | undefined
    readonly token_file?: string | undefined
    readonly entries: readonly string[]
  }[]
}

function addressOf(
  { address, allow_remote, tokens }: GivenAddress,
  entries: Readonly<Record<string, EntrySpec>>,
  errors: FieldError[],
): RunnerListen | null {
  const [, hostText, portText] = /^(\[[0-9a-fA-F:.]+\]|[^:]+):(\d{1,5})$/.exec(address) ?? []
  const host = hostText === undefined ? '' : bareHost(hostText)
  const port = Number(portText)
  if (hostText === undefined || (isIP(host) === 0 && host !== 'localhost') || port > 65_535) {
    errors.push({
      pointer: '/listen/address',
      reason: 'must be an IP address and a port, such as 127.0.0.1:7800',
    })
    return null
  }
  if (!allow_remote && !isLoopbackHost(hostText))
    errors.push({
      pointer: '/listen/address',
      reason:
        'is not a loopback address, and tokens would cross the network in plain text; use 127.0.0.1, or set allow_remote: true where a TLS proxy or a private network protects it',
    })
  const read = tokens.flatMap((token, i) => {
    const pointer = pointerTo('/listen/tokens', i)
    token.entries.forEach((name, j) => {
      if (!Object.hasOwn(entries, name))
        errors.push({ pointer: pointerTo(pointer, 'entries', j), reason: 'no entry has this name' })
    })
    const digest = digestOf(token, pointer, errors)
    return digest === null ? [] : [{ digest, entries: new Set(token.entries) }]
  })
  const digests = read.map(({ digest }) => digest.toString('hex'))
  if (new Set(digests).size < digests.length)
    errors.push({ pointer: '/listen/tokens', reason: 'has the same token twice; list its entries together' })
  return { kind: 'address', host, port, tokens: read }
}

function digestOf(
  token: GivenAddress['tokens'][number],
  pointer: string,
  errors: FieldError[],
): Buffer | null {
  if (token.token_sha256 !== undefined) return Buffer.from(token.token_sha256, 'hex')
  try {
    const text = readSecretFile(token.token_file!)
    if (text.length >= TOKEN_CHARS_MIN && /^[!-~]+$/.test(text)) return hash('sha256', text, 'buffer')
    errors.push({
      pointer: `${pointer}/token_file`,
      reason: `must hold a token of at least ${TOKEN_CHARS_MIN} visible ASCII characters; make one with: openssl rand -hex 32`,
    })
  } catch (error) {
    errors.push({ pointer: `${pointer}/token_file`, reason: (error as Error).message })
  }
  return null
}

/** The text of a file that holds one secret, without a final line break. @throws CannotStart */
export function readSecretFile(path: string): string {
  // A mounted secret may belong to root and to a group of this process
  const text = readPrivate(path, 'The secret file', SECRET_BYTES_MAX, 0o007)
  if (text.includes('\0')) throw new CannotStart(`The secret file ${path} contains U+0000.`)
  return text.replace(/\r?\n$/, '')
}

function faultOf(work: () => unknown): string | null {
  try {
    work()
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** @param closed bits of the mode that must not be set. 0o077: the file must also belong to this user. */
function readPrivate(path: string, what: string, bytesMax: number, closed: number): string {
  let file: number
  try {
    // A pipe would wait for somebody to write
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw new CannotStart(`${what} ${path} cannot be read: ${(error as Error).message}`, error)
  }
  try {
    const found = fstatSync(file)
    if (!found.isFile()) throw new CannotStart(`${what} ${path} is no file.`)
    const own = process.getuid?.() ?? found.uid
    if (closed === 0o077 && found.uid !== own)
      throw new CannotStart(
        `${what} ${path} belongs to uid ${found.uid}, and this process runs as uid ${own}. Run as root: chown ${own} ${path}`,
      )
    if ((found.mode & closed) !== 0) {
      const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
      throw new CannotStart(
        `${what} ${path} is open to other users (mode ${mode}). Run: chmod ${closed === 0o077 ? '600' : 'o='} ${path}`,
      )
    }
    if (found.size > bytesMax) throw new CannotStart(`${what} ${path} is larger than ${bytesMax} bytes.`)
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

// Refuses command lines in which the value of a parameter would be read as code, or as several words: whoever sets such a
// value could run anything. In doubt a command line is refused.

/** Programs that run text given after a flag. Their names may end with a version. */
const INTERPRETERS =
  /^(?:sh|bash|dash|ash|zsh|ksh|fish|csh|tcsh|busybox|node|nodejs|bun|deno|tsx|ts-node|python|pypy|perl|ruby|php|lua|luajit|tclsh|osascript|pwsh|powershell|Rscript|R|julia|elixir|groovy|su|runuser|script|flock)[\d.]*$/
/** Programs of which the first argument that is no flag is code. */
const FILTERS = /^(?:awk|gawk|mawk|nawk|sed|gsed|jq)$/
/** Programs that make one command of all their arguments. */
const JOINING = /^(?:ssh|watch|parallel|eval)$/

/** Flags that the code follows. */
const CODE_FLAG =
  /^(?:-[A-Za-z]*[cepErR]|--?(?:eval|print|command|import|require|loader|experimental-loader)|eval)$/i
/** Flags that may have the code in the same argument. */
const CODE_IN_FLAG = /^(?:-[A-Za-z]|--?(?:eval|print|command|import|require|loader|experimental-loader)=)/i
/** `env -S` splits one argument into words. */
const SPLIT_FLAG = /^(?:-[A-Za-z]*S|--split-string)/

/** What is wrong with a command line in which a caller's value would be read as code; null otherwise. */
export function faultOfCode(program: string, args: readonly string[]): string | null {
  const words = [program, ...args]
  const split = splitByEnv(words)
  if (split)
    return 'the value of a parameter would be split into words by env -S; write each word as an argument of its own'
  const at = words.findIndex((word) => isRunner(basename(word)))
  if (at === -1) return null
  const name = basename(words[at]!)
  if (!isCode(name, words.slice(at + 1))) return null
  return `the value of a parameter would be run as code of ${name}; give it as an argument of its own after the code`
}

function isRunner(name: string): boolean {
  return INTERPRETERS.test(name) || FILTERS.test(name) || JOINING.test(name)
}

function hasPlaceholder(word: string | undefined): boolean {
  return word !== undefined && placeholdersIn(word).length > 0
}

function splitByEnv(words: readonly string[]): boolean {
  const env = words.findIndex((word) => basename(word) === 'env')
  if (env === -1) return false
  return words.some(
    (word, at) =>
      at > env && SPLIT_FLAG.test(word) && (hasPlaceholder(word) || hasPlaceholder(words[at + 1])),
  )
}

/** @param args after the name of the program */
function isCode(name: string, args: readonly string[]): boolean {
  if (JOINING.test(name)) return args.some(hasPlaceholder)
  // Flags may have values, so that the first words of a filter may be any of these
  if (FILTERS.test(name)) {
    const code = args.findIndex((arg) => !arg.startsWith('-'))
    if (hasPlaceholder(args[code])) return true
  }
  let isBeforeScript = true
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    // Code that follows a flag is no flag, and further code may follow
    if (CODE_FLAG.test(arg)) {
      if (hasPlaceholder(args[at + 1])) return true
      at++
    } else if (!arg.startsWith('-')) isBeforeScript = false
    else if (isBeforeScript && CODE_IN_FLAG.test(arg) && hasPlaceholder(arg)) return true
    // A program that another one runs
    if (!arg.startsWith('-') && isRunner(basename(arg)) && isCode(basename(arg), args.slice(at + 1)))
      return true
  }
  return false
}
