/**
 * Entries of an MCP registry as documents. A third party has written each entry: its URLs count as discovered, the origin
 * that is made of it is switched off, and its virtual MCP is a draft. Pure.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { slugOf } from '../../model/members.ts'
import type { Converted, MadeDocument } from '../converted.ts'
import { createUnused, toName } from '../names.ts'
import { PLACEHOLDER, PROGRAM_HOME, PROGRAM_PATH, secretFileOf, VARIABLE_NAME } from '../runner-entry.ts'
import { filled, type GivenValues } from './inputs.ts'
import { type Proof, type RegistryEntry, type Remote, remoteOf, type UrlFault } from './remotes.ts'

const ENTRIES_MAX = 1000
/** Remotes and packages of one entry that are looked at. */
const CHOICES_MAX = 20
const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'
const NOTE_MAX = 500
const DESCRIPTION_MAX = 500

/**
 * Documents of what can be reached: of each entry the first remote that is usable, Streamable HTTP before SSE, else the first package.
 * Refuses with document_invalid what is too much.
 */
export function fromRegistry(
  entries: readonly RegistryEntry[],
  values: GivenValues,
  urlFault: UrlFault,
): Converted {
  if (entries.length > ENTRIES_MAX)
    throw refuse('document_invalid', {
      detail: `More than ${ENTRIES_MAX} entries at once. Convert them in pieces.`,
      errors: [{ pointer: '', reason: `more than ${ENTRIES_MAX} entries` }],
    })
  const making = new Making(values, urlFault)
  for (const entry of entries) making.entry(entry)
  return making.done()
}

class Making {
  readonly #values: GivenValues
  readonly #urlFault: UrlFault
  readonly #documents: MadeDocument[] = []
  readonly #runner: Record<string, Plain> = {}
  readonly #notes = new Set<string>()
  #isExact = true
  readonly #slugs = createUnused()

  constructor(values: GivenValues, urlFault: UrlFault) {
    this.#values = values
    this.#urlFault = urlFault
  }

  done(): Converted {
    return {
      documents: this.#documents,
      notes: [...this.#notes],
      exact: this.#isExact,
      runner: this.#runner,
    }
  }

  /** Something that is good to know of what is carried over. */
  #tell(sentence: string): void {
    this.#notes.add(sentence.slice(0, NOTE_MAX).toWellFormed())
  }

  /** Something is left out, or must be done by hand. */
  #note(sentence: string): void {
    this.#isExact = false
    this.#tell(sentence)
  }

  entry({ server, status, isLatest }: RegistryEntry): void {
    const { name, title, $schema } = server
    const label = toName([title, name, 'without a name']).toWellFormed()
    if (status === 'deleted' || !isLatest) {
      this.#tell(
        `server ${label} is left out: ${isLatest ? 'it was deleted' : 'a newer version replaces it'}`,
      )
      return
    }
    if (status === 'deprecated') this.#note(`server ${label} is deprecated by its registry`)
    if (typeof $schema === 'string' && $schema !== SCHEMA)
      this.#note(`server ${label} has another version of the schema; it is read as version 2025-12-11`)
    const base = typeof name === 'string' ? slugOf(name.split('/').at(-1)!) : ''
    const slug = this.#slugs(base || slugOf(label) || 'mcp-server')
    const faults: string[] = []
    if (this.#remote(server, label, slug, faults) || this.#package(server, label, slug, faults)) return
    const reason = faults.length === 0 ? 'it has neither a remote nor a package' : faults.join('; ')
    this.#note(`server ${label} is left out: ${reason}`)
  }

  #remote(server: Plain, label: string, slug: string, faults: string[]): boolean {
    const listed = choicesOf(server['remotes'])
    const inOrder = [...listed.filter(isStreamable), ...listed.filter((one) => !isStreamable(one))]
    for (const one of inOrder) {
      const remote = remoteOf(one, this.#values, this.#urlFault)
      if (typeof remote === 'string') {
        faults.push(`its remote ${remote}`)
        continue
      }
      this.#origin(server, label, slug, remote)
      if (listed.length > 1) this.#tell(`server ${label} has further remotes, which are left out`)
      return true
    }
    return false
  }

  #origin(server: Plain, label: string, slug: string, { url, proof, left }: Remote): void {
    for (const sentence of left) this.#note(`server ${label}: ${sentence}`)
    if (proof !== null) this.#credential(label, slug, proof)
    this.#documentsOf(server, label, slug, { url, ...(proof === null ? {} : { credential: slug }) })
  }

  #credential(label: string, slug: string, { in: place, name, prefix, called }: Proof): void {
    const env = `SECRET_${slug.toUpperCase().replaceAll('-', '_')}`
    const key = { env }
    const isBearer = name.toLowerCase() === 'authorization' && /^bearer $/i.test(prefix)
    const auth = isBearer
      ? { type: 'bearer', token: key }
      : { type: 'api_key', key, in: place, name, prefix: prefix.slice(0, 64) }
    this.#documents.push({ kind: 'credential', slug, spec: { name: label, auth } })
    const what =
      prefix === '' && called === name ? `the value of ${name}` : `the value that the entry calls ${called}`
    this.#tell(
      `server ${label}: Postern reads the value for ${name} from the environment variable ${env}. Set it to ${what}`,
    )
  }

  /** Switched off, and a draft, until somebody has looked at them. */
  #documentsOf(server: Plain, label: string, slug: string, way: Plain): void {
    const { description } = server
    const said = typeof description === 'string' ? description.slice(0, DESCRIPTION_MAX).toWellFormed() : ''
    this.#documents.push(
      {
        kind: 'origin',
        slug,
        spec: { name: label, ...(said === '' ? {} : { description: said }), ...way, active: false },
      },
      { kind: 'virtual_mcp', slug, spec: { name: label, members: [{ origin: slug }], status: 'draft' } },
    )
  }

  #package(server: Plain, label: string, slug: string, faults: string[]): boolean {
    for (const one of choicesOf(server['packages'])) {
      const program = programOf(one, slug, this.#values)
      if (typeof program === 'string') {
        faults.push(`its package ${program}`)
        continue
      }
      this.#runner[slug] = program.entry
      for (const sentence of program.notes) this.#note(`server ${label}: ${sentence}`)
      this.#note(`server ${label} is a program: add the entry ${slug} to the file of postern runner`)
      this.#documentsOf(server, label, slug, { kind: 'stdio', entry: slug })
      return true
    }
    return false
  }
}

function choicesOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) ? given.slice(0, CHOICES_MAX) : []
}

function isStreamable(remote: unknown): boolean {
  return isPlain(remote) && remote['type'] === 'streamable-http'
}

// A server that an entry of a registry offers as a package to start, as an entry of the runner's file. It runs one exact version.
// The entry decides about the arguments of its own program, never about those of what starts it.

interface Program {
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
function programOf(given: unknown, name: string, values: GivenValues): Program | string {
  if (!isPlain(given)) return 'is no object'
  const { registryType, registryBaseUrl, identifier, version, transport } = given
  const type = isPlain(transport) ? transport['type'] : undefined
  if (type !== 'stdio') return 'serves HTTP itself: start it yourself, and create an origin with its URL'
  const starter =
    typeof registryType === 'string' && Object.hasOwn(STARTERS, registryType) ? STARTERS[registryType]! : null
  if (starter === null || typeof identifier !== 'string')
    return 'comes from an unknown registry (known: npm, pypi and oci)'
  const isUsual =
    registryBaseUrl === undefined ||
    (typeof registryBaseUrl === 'string' && starter.registries.includes(registryBaseUrl.replace(/\/$/, '')))
  if (!isUsual) return 'does not come from the usual registry of its type'
  const notes: string[] = []
  const env = environmentOf(given, name, values, notes)
  if (typeof env === 'string') return env
  const first = starter.arguments(identifier, typeof version === 'string' ? version : '', Object.keys(env))
  if (first === null) return 'has no exact version, so another program could be run under its name'
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
