/**
 * A server that an entry of a registry offers as a package to start, as an entry of the runner's file. It runs one exact version.
 * The entry decides about the arguments of its own program, never about those of what starts it.
 */
import { isPlain, type Plain } from '../../base/json/plain.ts'
import { PLACEHOLDER, PROGRAM_HOME, PROGRAM_PATH, secretFileOf, VARIABLE_NAME } from '../runner-entry.ts'
import { filled, type GivenValues } from './inputs.ts'

export interface Program {
  /** A member of `entries` in the runner's file. */
  readonly entry: Plain
  /** Sentences about what must be done or is not taken over. */
  readonly notes: readonly string[]
}

/** How the packages of one registry are started. */
interface Starter {
  readonly program: string
  readonly registries: readonly string[]
  /** Arguments before those of the package; null for what is no exact version. */
  arguments(identifier: string, version: string, env: readonly string[]): readonly string[] | null
}

const ARGUMENTS_MAX = 60
const ENV_MAX = 50
/** Variables that decide which programs and libraries are loaded. */
const OF_THE_MACHINE =
  /^(PATH|HOME|IFS|SHELL|ENV|BASH_ENV|LD_.*|DYLD_.*|NODE_OPTIONS|NODE_PATH|PYTHON(PATH|HOME|STARTUP)|(npm|NPM)_.*|(UV|PIP|DOCKER)_.*|POSTERN_.*)$/
const FLAG = /^--?[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

const NPM = /^(@[a-z0-9][\w.-]{0,99}\/)?[a-z0-9][\w.-]{0,99}$/i
const NPM_VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]{1,64})?$/
const PYPI = /^[a-z0-9][\w.-]{0,99}$/i
const PYPI_VERSION = /^\d+(\.\d+)*((a|b|rc|\.?post|\.?dev)\d+)?$/
const IMAGE = /^[a-z0-9][a-z0-9._/:-]{0,199}$/
const TAG = /:(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const DIGEST = /^(.*)@(sha256:[0-9a-f]{64})$/

const STARTERS: Readonly<Record<string, Starter>> = {
  npm: {
    program: '/usr/bin/npx',
    registries: ['https://registry.npmjs.org'],
    arguments: (identifier, version) =>
      NPM.test(identifier) && NPM_VERSION.test(version) ? ['-y', `${identifier}@${version}`] : null,
  },
  pypi: {
    program: '/usr/bin/uvx',
    registries: ['https://pypi.org', 'https://pypi.org/simple'],
    arguments: (identifier, version) =>
      PYPI.test(identifier) && PYPI_VERSION.test(version) ? [`${identifier}==${version}`] : null,
  },
  oci: {
    program: '/usr/bin/docker',
    registries: ['https://docker.io', 'https://ghcr.io', 'https://quay.io', 'https://mcr.microsoft.com'],
    arguments(identifier, version, env) {
      const [, image = identifier, digest] = DIGEST.exec(identifier) ?? []
      const tagged = digest !== undefined || TAG.test(image) || version === '' ? image : `${image}:${version}`
      if (!IMAGE.test(image) || (digest === undefined && !TAG.test(tagged))) return null
      const name = digest === undefined ? tagged : `${image}@${digest}`
      return ['run', '--rm', '-i', ...env.flatMap((one) => ['-e', one]), name]
    },
  },
}

/**
 * The entry of the runner's file, or why there is none, as the end of a sentence about the package.
 * @param name of the entry, which its secret files are named by
 */
export function programOf(given: unknown, name: string, values: GivenValues): Program | string {
  if (!isPlain(given)) return 'is no object'
  const { registryType, registryBaseUrl, identifier, version, transport } = given
  const type = isPlain(transport) ? transport['type'] : undefined
  if (type !== 'stdio') return 'serves HTTP itself: start it, and create an origin with its URL'
  const starter =
    typeof registryType === 'string' && Object.hasOwn(STARTERS, registryType) ? STARTERS[registryType]! : null
  if (starter === null || typeof identifier !== 'string')
    return 'is of a registry that is not known (known: npm, pypi and oci)'
  const isUsual =
    registryBaseUrl === undefined ||
    (typeof registryBaseUrl === 'string' && starter.registries.includes(registryBaseUrl.replace(/\/$/, '')))
  if (!isUsual) return 'is not of the usual registry of its kind'
  const notes: string[] = []
  const env = environmentOf(given, name, values, notes)
  if (typeof env === 'string') return env
  const first = starter.arguments(identifier, typeof version === 'string' ? version : '', Object.keys(env))
  if (first === null) return 'has no exact version, so that anything could be run in its name'
  const own = argumentsOf(given['packageArguments'], values, notes)
  if (typeof own === 'string') return own
  if (registryType === 'oci' && !first.at(-1)!.includes('@'))
    notes.push('its image is named by a tag, which can be moved: name it by digest')
  const further = given['runtimeArguments']
  if (Array.isArray(further) && further.length > 0)
    notes.push(
      `arguments for ${starter.program} are left out, because they could give the server access to the machine`,
    )
  notes.push(`check that the program is at ${starter.program}, and that the directory ${PROGRAM_HOME} exists`)
  return {
    entry: {
      program: starter.program,
      args: [...first, ...own],
      env: { PATH: PROGRAM_PATH, HOME: PROGRAM_HOME, ...env },
    },
    notes,
  }
}

function environmentOf(
  { environmentVariables }: Plain,
  entry: string,
  values: GivenValues,
  notes: string[],
): Plain | string {
  const listed = Array.isArray(environmentVariables) ? (environmentVariables as readonly unknown[]) : []
  if (listed.length > ENV_MAX) return `has more than ${ENV_MAX} environment variables`
  const env = new Map<string, unknown>()
  for (const one of listed) {
    const name = isPlain(one) ? one['name'] : undefined
    if (!isPlain(one) || typeof name !== 'string' || !VARIABLE_NAME.test(name))
      return 'has an environment variable without a name'
    if (OF_THE_MACHINE.test(name)) {
      notes.push(`variable ${name} is left out, because it decides which program is run`)
      continue
    }
    const value = filled(name, one, values)
    if (value.kind === 'fault') return value.reason
    if (value.kind === 'text') env.set(name, value.text)
    if (value.kind === 'secret' && value.prefix !== '') return `has a secret within the variable ${name}`
    if (value.kind === 'secret' && (one['isRequired'] === true || value.name !== name)) {
      const file = secretFileOf(entry, name)
      env.set(name, { file })
      notes.push(`the runner reads the variable ${name} from ${file}: write the secret there`)
    } else if (value.kind === 'secret') notes.push(`variable ${name} is optional, and left out`)
  }
  return Object.fromEntries(env)
}

function argumentsOf(given: unknown, values: GivenValues, notes: string[]): readonly string[] | string {
  const listed = Array.isArray(given) ? (given as readonly unknown[]) : []
  if (listed.length > ARGUMENTS_MAX) return `has more than ${ARGUMENTS_MAX} arguments`
  const made: string[] = []
  for (const one of listed) {
    if (!isPlain(one)) return 'has an argument that is no object'
    const { type, name, valueHint } = one
    const isNamed = type === 'named'
    if (isNamed && (typeof name !== 'string' || !FLAG.test(name))) return 'has a flag without a name'
    const own = isNamed ? String(name) : typeof valueHint === 'string' ? valueHint : 'an argument'
    const called = own.replace(/^-+/, '')
    const value = filled(called, one, values)
    if (value.kind === 'fault') return value.reason
    if (value.kind === 'secret') {
      if (one['isRequired'] === true)
        return `needs the secret ${called} as an argument, which all programs can read`
      notes.push(`argument ${called} is optional, and left out`)
      continue
    }
    if (value.kind === 'text' && PLACEHOLDER.test(value.text))
      return `has an argument with braces, which the runner would read as a parameter: ${called}`
    if (value.kind === 'absent') notes.push(`argument ${called} is optional, and left out`)
    if (value.kind === 'absent' || (isNamed && one['format'] === 'boolean' && value.text === 'false'))
      continue
    if (isNamed) made.push(own)
    if (isNamed && one['format'] === 'boolean') continue
    made.push(value.text)
  }
  return made
}
