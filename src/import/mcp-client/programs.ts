/**
 * Converts a server that an MCP client starts as a program to an entry of the runner's file.
 *
 * 1. A value that may be a secret is in no entry and in no note: it is read from a file, or the server is left out.
 * 2. Text that the client would fill in is in no entry.
 */
import { isPlain, listedTexts, type Plain, scalarText } from '../../base/json/storable.ts'
import { maskText } from '../../base/text/mask.ts'
import { PLACEHOLDER, PROGRAM_HOME, PROGRAM_PATH, secretFileOf, VARIABLE_NAME } from '../runner-entry.ts'

export interface Program {
  /** A member of `entries` in the runner's file. */
  readonly entry: Plain
  /** Sentences about what must be done, as the end of one about the server. */
  readonly notes: readonly string[]
  /** Nothing is left out, and nothing is missing but values of secrets. */
  readonly isExact: boolean
}

const ARGUMENTS_MAX = 100
/** With the two that are always there, as many as the runner takes. */
const ENV_MAX = 98
const TEXT_MAX = 4096
/** A program that is looked up in the directories of `PATH`. */
const BARE = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}$/
/** Programs that download a package, which must have an exact version. */
const PACKAGE_RUNNERS = /^(npx|bunx|pnpx|uvx|pipx)$/
const PINNED = /[^@=](@|==)\d+\.\d+/
/** `--api-key`, whose value is the next argument, and `--api-key=value`. */
const SECRET_FLAG = /^-{1,2}[\w-]*(token|secret|passw|api-?key|auth|credential|cookie)[\w-]*(=|$)/i
const KEY_SHAPED = /^(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_+=-]{24,}$/

/** The entry, or why there is none, as the end of a sentence about the server. @param name of the entry */
export function programOf(server: Plain, name: string): Program | string {
  const { command } = server
  if (typeof command !== 'string' || command === '') return 'it has neither a URL nor a command'
  const shell = shellIn(command, listedTexts(server['args']))
  if (shell !== null)
    return `${shell} is a shell, which runs any text: give the program that it starts as command, and the rest as args`
  if (/^[A-Za-z]:[\\/]/.test(command))
    return 'its command is a path of Windows: give the path of the program on the machine of the runner'
  const program = command.startsWith('/') ? command : BARE.test(command) ? `/usr/bin/${command}` : null
  if (program === null || isUnfit(program) || program.length > TEXT_MAX)
    return 'its command is neither the name of a program nor an absolute path'
  const given = server['args'] ?? []
  if (!Array.isArray(given) || given.length > ARGUMENTS_MAX)
    return 'its args are no list of texts, or too many'
  const args = listedTexts(given)
  if (args.length !== given.length) return 'its args are no list of texts'
  for (const [index, arg] of args.entries()) {
    const place = `argument ${index + 1}`
    if (isUnfit(arg) || arg.length > TEXT_MAX)
      return `${place} contains a placeholder, or a character that no argument may have: write the value out`
    if (isSecretArgument(arg, args[index - 1] ?? ''))
      return `${place} may be a secret, and all programs of the machine can read arguments: pass it in an environment variable`
  }
  const notes: string[] = []
  const base = program.slice(program.lastIndexOf('/') + 1)
  const isPackage = PACKAGE_RUNNERS.test(base)
  const isPinned = !isPackage || args.some((arg) => PINNED.test(arg))
  if (!command.startsWith('/')) notes.push(`check that the program is at ${program}`)
  if (!isPinned)
    notes.push(
      `${base} starts the newest version: write an exact version, such as name@1.2.3. The runner requires it`,
    )
  const env = environmentOf(server['env'], name, notes)
  if (typeof env === 'string') return env
  const { cwd } = server
  const hasDirectory = typeof cwd === 'string' && cwd.startsWith('/') && !isUnfit(cwd)
  if (cwd !== undefined && !hasDirectory) notes.push('its cwd is left out: it is no absolute path')
  // The runner passes on nothing of its own environment
  const preset = { PATH: PROGRAM_PATH, HOME: PROGRAM_HOME }
  return {
    entry: { program, args, env: { ...preset, ...env }, ...(hasDirectory ? { cwd } : {}) },
    notes,
    isExact: isPinned && (cwd === undefined || hasDirectory),
  }
}

/** The shell that a command line would be given to; null where there is none. `sh FILE` is a program like any other. */
function shellIn(command: string, args: readonly string[]): string | null {
  const base = (/[^\\/]*$/.exec(command)?.[0] ?? '').toLowerCase().replace(/\.exe$/, '')
  if (/^(cmd|powershell|pwsh)$/.test(base)) return base
  const isShell = /^(sh|bash|dash|zsh|ksh|fish|busybox)$/.test(base)
  return isShell && (args.length === 0 || args.some((arg) => /^-[a-z]*c[a-z]*$/.test(arg))) ? base : null
}

function environmentOf(given: unknown, name: string, notes: string[]): Plain | string {
  const entries = isPlain(given) ? Object.entries(given) : []
  if (entries.length > ENV_MAX) return `it has more than ${ENV_MAX} environment variables`
  const env = new Map<string, unknown>()
  for (const [variable, value] of entries) {
    if (!VARIABLE_NAME.test(variable) || variable.startsWith('POSTERN_'))
      return 'a variable of its environment has a name that no variable may have'
    const text = scalarText(value)
    const preset = /^\$\{(?:env:)?[A-Za-z0-9_]+:-([^${}]*)\}$/.exec(text ?? '')?.[1]
    if (preset !== undefined && !isTelling(variable, preset)) {
      env.set(variable, preset)
      notes.push(`its variable ${variable} has the value that the file presets`)
      continue
    }
    if (text === undefined || text.length > TEXT_MAX || /\0/.test(text) || !text.isWellFormed())
      return `its variable ${variable} is not text`
    if (isTelling(variable, text) || maskText(text) !== text) {
      const file = secretFileOf(name, variable)
      env.set(variable, { file })
      notes.push(`the runner reads the variable ${variable} from ${file}: write its value there`)
    } else env.set(variable, text)
  }
  return Object.fromEntries(env)
}

/** Control characters, halves of characters, and what a client or the runner would fill in. */
function isUnfit(text: string): boolean {
  return /\p{Cc}/u.test(text) || !text.isWellFormed() || text.includes('${') || PLACEHOLDER.test(text)
}

/** @param before the argument before it */
function isSecretArgument(arg: string, before: string): boolean {
  const isValue = SECRET_FLAG.test(before) && !before.includes('=') && !arg.startsWith('-')
  const isAssigned = SECRET_FLAG.test(arg) && arg.includes('=')
  const [, , value = arg] = /^(-{1,2}[\w-]+=)?(.*)$/s.exec(arg) ?? []
  return (
    isValue || isAssigned || KEY_SHAPED.test(value) || maskText(`${before} ${arg}`) !== `${before} ${arg}`
  )
}

/** Where the value of a header or parameter is read. */
interface SecretName {
  /** Name of an environment variable, as the default settings of the gateway let it be read. */
  readonly env: string
  /** What stands before the secret, such as `Bearer `. */
  readonly prefix: string
  /** What the variable must hold, in words; never the value. */
  readonly expected: string
}

/** @param slug of the server. @param value as it stands in the configuration. */
export type SecretNames = (slug: string, value: string) => SecretName

/** The start of the names that may be read by default. */
const START = 'SECRET_'
const SCHEME = /^(bearer|basic|token|apikey|api-key|key) +/i
/** `${NAME}`, `${env:NAME}`, `${input:name}`, `${NAME:-preset}`. */
const REFERENCE = /^\$\{(?:(env|input):)?([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})(?::-[^}]*)?\}$/
const TELLING_NAME = /auth|cookie|credential|jwt|key|passw|(?:^|[-_])pat(?:$|[-_])|secret|session|sign|token/i
/** Of one piece and as long as keys are. */
const KEY_LIKE = /^(?=[^ ]*[0-9])(?=[^ ]*[A-Za-z])[!-~]{16,}$/

/** True for a header whose value may prove who calls. When in doubt it is. */
export function isTelling(name: string, value: string): boolean {
  return TELLING_NAME.test(name) || /\$\{/.test(value) || SCHEME.test(value) || KEY_LIKE.test(value)
}

/** Names variables for secrets: one for each reference of the configuration and for each server with a literal. */
export function createSecretNames(): SecretNames {
  /** What each variable stands for. */
  const meanings = new Map<string, string>()
  const unused = (wanted: string, meaning: string): string => {
    let env = wanted
    for (let count = 2; (meanings.get(env) ?? meaning) !== meaning; count++) env = `${wanted}_${count}`
    meanings.set(env, meaning)
    return env
  }
  return (slug, value) => {
    const scheme = SCHEME.exec(value)?.[0] ?? ''
    const prefix = scheme.replace(/ +$/, ' ')
    const [, kind = 'env', name] = REFERENCE.exec(value.slice(scheme.length)) ?? []
    if (name === undefined)
      return {
        env: unused(START + slug.toUpperCase().replaceAll('-', '_'), `server ${slug}`),
        prefix,
        expected: `the ${prefix === '' ? 'value' : `text after ${prefix.trim()}`} in the file`,
      }
    const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_')
    const env = kind === 'input' ? plain.toUpperCase() : plain
    return {
      env: unused(env.startsWith(START) ? env : START + env, `${kind} ${name}`),
      prefix,
      expected:
        kind === 'input' ? `the value that the MCP client asks for as "${name}"` : `the value of ${name}`,
    }
  }
}
