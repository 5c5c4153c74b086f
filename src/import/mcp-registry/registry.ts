/**
 * Entries of an MCP registry as documents. A third party has written each entry: its URLs count as discovered, the origin
 * that is made of it is switched off, and its virtual MCP is a draft. Pure.
 */
import { isPlain, type Plain } from '../../base/json/plain.ts'
import { refuse } from '../../base/refusal.ts'
import { slugOf } from '../../model/members.ts'
import type { Converted, MadeDocument } from '../converted.ts'
import { createUnused, toName } from '../names.ts'
import type { RegistryEntry } from './entries.ts'
import type { GivenValues } from './inputs.ts'
import { programOf } from './packages.ts'
import { type Proof, type Remote, remoteOf, type UrlFault } from './remotes.ts'

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
      this.#note(`server ${label} has another schema than that of 2025-12-11, by which it is read`)
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
