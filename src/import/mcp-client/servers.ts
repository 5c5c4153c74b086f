import type { z } from 'zod'
import { isPlain, listedTexts, type Plain, scalarText } from '../../base/json/storable.ts'
import { isLoopbackHost, isRefusedHost } from '../../base/net/address.ts'
import { refuse } from '../../base/refusal.ts'
import { BasePath } from '../../model/api/collection.ts'
import { InjectedHeader } from '../../model/api/injected-header.ts'
import { PathPattern } from '../../model/api/proxy.ts'
import { HeaderName, slugOf } from '../../model/members.ts'
import type { Converted, MadeDocument } from '../converted.ts'
import { createUnused, toName } from '../names.ts'
import { createSecretNames, isTelling, programOf, type SecretNames } from './programs.ts'

const SERVERS_MAX = 1000
/** Headers that a collection may send. */
const HEADERS_MAX = 50
/** Unknown members that a note names. */
const MEMBERS_TOLD = 10

/** What clients of the protocol say themselves with each request. */
const OF_CALLERS = /^(accept|content-type|last-event-id|mcp-.*)$/i

/** Members that are read, or that say nothing about what is forwarded. */
const MEMBERS = new Set([
  'type',
  'transport',
  'url',
  'serverUrl',
  'httpUrl',
  'headers',
  'command',
  'args',
  'env',
  'cwd',
  'disabled',
  'enabled',
])

/** Members by which clients leave out tools. */
const CHOOSES_TOOLS =
  /^(include|exclude|enabled|disabled|allowed|denied|blocked)[-_]?tools$|^tools?[-_]?(filter|configuration|allowlist)$|^tools$/i

/** Tool calls may take minutes, and a stream of notifications may say nothing for long. */
const ENDPOINT = {
  name: 'MCP endpoint',
  methods: ['GET', 'POST', 'DELETE'],
  path: '/mcp',
  streaming: 'always',
  timeouts: { first_byte: '5m', idle: '1h' },
}
/** Each agent that listens holds a connection. */
const POOL_MAX = 1024

/** What servers become: origins with a virtual MCP each, or collections that pass their messages through. */
export type ServersAs = 'origins' | 'collections'

/**
 * The servers of an MCP client as documents: each that is reached over HTTP becomes an origin and a virtual MCP over it, or where it
 * speaks Streamable HTTP a collection with one proxy, and what proves its caller a credential that is read elsewhere; no literal of it is in the documents or notes. A program becomes
 * an entry of the runner, an origin and a virtual MCP. Servers that cannot be forwarded are noted with the reason. Pure. Refuses with document_invalid what is too much.
 * @param hasRunner an origin over a program can be in use at once @param told notes about the file
 */
export function fromMcpServers(
  servers: Plain,
  as: ServersAs,
  hasRunner = false,
  told: readonly string[] = [],
): Converted {
  const entries = Object.entries(servers)
  if (entries.length > SERVERS_MAX)
    throw refuse('document_invalid', {
      detail: `More than ${SERVERS_MAX} servers at once. Convert them in pieces.`,
      errors: [{ pointer: '', reason: `more than ${SERVERS_MAX} servers` }],
    })
  const making = new Making(as, hasRunner)
  for (const sentence of told) making.tell(sentence)
  for (const [name, server] of entries) making.server(name, server)
  return making.done()
}

/** What proves the caller of a server: its value as it stands in the configuration. */
interface Proof {
  readonly in: 'header' | 'query'
  readonly name: string
  readonly value: string
}

class Making {
  readonly #isOrigin: boolean
  readonly #hasRunner: boolean
  /** Entries of the runner's file. */
  readonly #runner: Record<string, Plain> = {}
  readonly #documents: MadeDocument[] = []
  readonly #notes = new Set<string>()
  #isExact = true
  readonly #slugs = createUnused()
  readonly #secrets: SecretNames = createSecretNames()
  /** Servers to which no credential goes. */
  readonly #unproved: string[] = []

  constructor(as: ServersAs, hasRunner: boolean) {
    this.#isOrigin = as === 'origins'
    this.#hasRunner = hasRunner
  }

  /** Something is left out, closed or different. */
  #note(sentence: string): void {
    this.#isExact = false
    this.tell(sentence)
  }

  /** Something that is good to know of what is carried over. */
  tell(sentence: string): void {
    this.#notes.add(sentence.slice(0, 500).toWellFormed())
  }

  done(): Converted {
    if (this.#unproved.length > 0)
      this.tell(
        `these servers get no credential: ${this.#unproved.join(', ')}. A server that signs people in itself (OAuth) answers 401, because Postern does not pass on the Authorization header of callers`,
      )
    const [documents, runner] = [this.#documents, this.#runner]
    return { documents, runner, notes: [...this.#notes], exact: this.#isExact }
  }

  server(name: string, server: unknown): void {
    const label = toName([name, 'without a name']).toWellFormed()
    const remote = remoteOf(server, this.#isOrigin)
    if (remote === PROGRAM) {
      this.#program(label, server as Plain)
      return
    }
    const place = typeof remote === 'string' ? remote : placeOf(remote.url)
    if (typeof remote === 'string' || typeof place === 'string')
      this.#note(`server ${label} is left out: ${String(place)}`)
    else this.#remote(label, server as Plain, remote, place)
  }

  #remote(label: string, server: Plain, remote: Remote, place: Place): void {
    if (remote.isBridged)
      this.tell(`server ${label} was reached through mcp-remote; its URL is used directly`)
    if (isLoopbackHost(new URL(place.origin).hostname))
      this.tell(`server ${label} has a loopback URL: Postern looks for the server on its own machine`)
    if (place.path.split('/').some((segment) => isTelling('', segment)))
      this.#note(
        `the path of server ${label} may contain a secret, and the ${this.#isOrigin ? 'origin' : 'proxy'} shows the path to everybody who can read it. Use a URL without a secret`,
      )
    this.#noteMembers(label, server)
    const choosesTools = this.#choosesTools(label, server)
    const slug = this.#slugFor(label)
    const { headers, proof } = this.#headersOf(label, remote, place.proof)
    if (proof === null) this.#unproved.push(label)
    else this.#credential(label, slug, proof)
    if (this.#isOrigin) {
      const left = headers.map((header) => header.name)
      if (left.length > 0)
        this.#note(
          `server ${label} becomes a draft, because an origin sends no header except its credential. Left out: ${left.slice(0, MEMBERS_TOLD).join(', ')}`,
        )
      const isDraft = remote.isOff || choosesTools || left.length > 0
      const url = place.origin + place.path
      const made = { url, ...(proof === null ? {} : { credential: slug }) }
      this.#origin(label, slug, made, isDraft, remote.isOff)
      return
    }
    const status = remote.isOff || choosesTools ? 'draft' : 'published'
    this.#documents.push(
      {
        kind: 'collection',
        slug,
        spec: {
          name: label,
          base_path: `/${slug}`,
          upstream: { targets: [{ url: place.origin }], pool_max: POOL_MAX },
          ...(headers.length === 0 ? {} : { headers }),
          ...(proof === null ? {} : { credential: slug }),
          status,
        },
      },
      {
        kind: 'proxy',
        slug: 'mcp',
        spec: { ...ENDPOINT, collection: slug, target_path: place.path, status },
      },
    )
  }

  #choosesTools(label: string, server: Plain): boolean {
    const [first] = Object.keys(server).filter(
      (name) => CHOOSES_TOOLS.test(name) && !isAllTools(server[name]),
    )
    if (first === undefined) return false
    this.#note(
      `server ${label} becomes a draft, because ${first.slice(0, 64)} is not converted. Select its tools with a capability policy`,
    )
    return true
  }

  #slugFor(label: string): string {
    const base = slugOf(label) || 'mcp-server'
    return this.#slugs(BasePath.safeParse(`/${base}`).success ? base : `${base}-server`)
  }

  /** A server that the client starts: an entry of the runner does. */
  #program(label: string, server: Plain): void {
    const slug = this.#slugFor(label)
    const program = programOf(server, slug)
    if (typeof program === 'string') {
      this.#note(`server ${label} is left out: ${program}`)
      return
    }
    this.#noteMembers(label, server)
    const isDraft = this.#choosesTools(label, server)
    const isOff = isSwitchedOff(server)
    this.#runner[slug] = program.entry
    this.#isExact &&= program.isExact
    for (const sentence of program.notes) this.tell(`server ${label}: ${sentence}`)
    this.tell(
      this.#hasRunner
        ? `server ${label} is a program: add the entry ${slug} to the file of postern runner, and restart the runner`
        : `server ${label} is a program: add the entry ${slug} to the file of postern runner, start Postern with POSTERN_RUNNER set, and activate the origin: postern origins toggle ${slug} --active`,
    )
    this.#origin(label, slug, { kind: 'stdio', entry: slug }, isDraft || isOff, isOff || !this.#hasRunner)
  }

  /** @param reached what says where its server is */
  #origin(label: string, slug: string, reached: Plain, isDraft: boolean, isOff: boolean): void {
    this.#documents.push(
      {
        kind: 'origin',
        slug,
        spec: {
          name: label,
          ...reached,
          ...(isOff ? { active: false } : {}),
        },
      },
      {
        kind: 'virtual_mcp',
        slug,
        spec: { name: label, members: [{ origin: slug }], status: isDraft ? 'draft' : 'published' },
      },
    )
  }

  #noteMembers(label: string, server: Plain): void {
    const unknown = Object.keys(server).filter(
      (member) => !MEMBERS.has(member) && !(CHOOSES_TOOLS.test(member) && isAllTools(server[member])),
    )
    if (unknown.length > 0)
      this.#note(
        `server ${label}: these members are not converted: ${unknown.slice(0, MEMBERS_TOLD).join(', ')}`,
      )
  }

  /** What is sent with each call, and of that what proves the caller, which is one thing at most. */
  #headersOf(label: string, { headers: given }: Remote, inQuery: Proof | null) {
    const headers: z.input<typeof InjectedHeader>[] = []
    const proofs: Proof[] = inQuery === null ? [] : [inQuery]
    if (given.length > HEADERS_MAX)
      this.#note(
        `server ${label} has more than ${HEADERS_MAX} headers: only the first ${HEADERS_MAX} are converted`,
      )
    for (const [name, value] of given.slice(0, HEADERS_MAX)) {
      const text = scalarText(value)?.trim()
      // What is no name may be anything, a secret too
      if (!HeaderName.safeParse(name).success)
        this.#note(
          `a header of server ${label} is left out: its name is not valid, or the gateway sets this header`,
        )
      else if (OF_CALLERS.test(name)) this.tell(`header ${name} of server ${label} is left to its callers`)
      else if (text === undefined || text === '')
        this.#note(`header ${name} of server ${label} is left out: its value is not text`)
      else if (/\{\{[^{}]*\}\}/.test(text))
        this.#note(
          `header ${name} of server ${label} is left out: its application fills it in for each person, and Postern does not`,
        )
      else if (isTelling(name, text)) proofs.push({ in: 'header', name, value: text })
      else if (InjectedHeader.safeParse({ name, value: text }).success) headers.push({ name, value: text })
      else this.#note(`header ${name} of server ${label} is left out: its value is not valid`)
    }
    const proof = proofs.find((one) => one.name.toLowerCase() === 'authorization') ?? proofs[0] ?? null
    for (const other of proofs)
      if (other !== proof)
        this.#note(
          `${other.name} of server ${label} is left out: it may be a secret, and a collection sends one credential`,
        )
    return { headers, proof }
  }

  #credential(label: string, slug: string, proof: Proof): void {
    const { env, prefix, expected } = this.#secrets(slug, proof.value)
    const key = { env }
    const isBearer = proof.name.toLowerCase() === 'authorization' && /^bearer $/i.test(prefix)
    const auth = isBearer
      ? { type: 'bearer', token: key }
      : { type: 'api_key', key, in: proof.in, name: proof.name, prefix }
    this.#documents.push({ kind: 'credential', slug, spec: { name: label, auth } })
    this.tell(
      `server ${label}: Postern reads the value for ${proof.name} from the environment variable ${env}. Set it to ${expected}`,
    )
  }
}

/** `["*"]`, as GitHub Copilot names all tools. */
function isAllTools(value: unknown): boolean {
  return Array.isArray(value) && value.length === 1 && value[0] === '*'
}

/** Where calls go. */
interface Place {
  readonly origin: string
  readonly path: string
  /** A query of one parameter. */
  readonly proof: Proof | null
}

/** Where the calls of a server go, or a sentence why none can. */
function placeOf(text: string): Place | string {
  const [address] = text.split('?', 1)
  if (/\$\{/.test(address!)) return 'its URL has a placeholder: give the complete URL'
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return 'it has no http:// or https:// URL'
  if (url.username !== '' || url.password !== '')
    return 'its URL contains a user or a password: put them in a header'
  if (isRefusedHost(url.hostname)) return 'its URL leads to a link-local, metadata or multicast address'
  const query = [...url.searchParams]
  if (query.length > 1) return 'its URL has several query parameters, which cannot be sent with each call'
  const [[name, value] = ['', '']] = query
  if (query.length === 1 && (value === '' || name === '' || name.length > 128))
    return 'its URL has a query that cannot become a credential'
  const path = url.pathname.replace(/%[0-9a-f]{2}/gi, canonical)
  if (!PathPattern.safeParse(path).success || /[*{]/.test(path)) return 'the path of its URL is no plain path'
  return { origin: url.origin, path, proof: query.length === 0 ? null : { in: 'query', name, value } }
}

/** An escape as it stands in canonical paths (RFC 3986 section 6.2.2). */
function canonical(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return /[A-Za-z0-9._~-]/.test(character) ? character : escaped.toUpperCase()
}

/** A server that is reached over HTTP, as a client was told of it. */
interface Remote {
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: unknown])[]
  /** Reached through a program that speaks stdio to the client and HTTP to the server. */
  readonly isBridged: boolean
  readonly isOff: boolean
}

const SSE =
  'it speaks HTTP with SSE as of 2024-11-05, which a collection cannot forward; if it has a Streamable HTTP endpoint, give its URL with type "http"'
const STDIO =
  'it is a program that its client starts (stdio), so there is no HTTP to forward; run it behind an HTTP endpoint'

/** A program that the client starts. */
const PROGRAM = Symbol('program')

/**
 * What a server is: reached over HTTP, a program, or a sentence why it cannot be forwarded.
 * @param isOrigin Postern speaks the protocol to it itself; only then programs are told apart
 */
function remoteOf(server: unknown, isOrigin: boolean): Remote | typeof PROGRAM | string {
  if (!isPlain(server)) return 'it is no object'
  const given = typeOf(server)
  // GitHub Copilot calls a program so
  const type = given === 'local' ? 'stdio' : given
  const { httpUrl, serverUrl, command } = server
  const url = [httpUrl, server['url'], serverUrl].find((one) => typeof one === 'string')
  const isOff = isSwitchedOff(server)
  if (type === 'stdio' || (type === '' && url === undefined && command !== undefined)) {
    const bridged = bridgedTo(server, isOrigin)
    if (bridged === null) return isOrigin ? PROGRAM : STDIO
    return typeof bridged === 'string' ? bridged : { ...bridged, isOff }
  }
  if (type === 'sse' && !isOrigin) return SSE
  if (type !== '' && type !== 'sse' && !/^(streamable)?http$/.test(type)) return 'its type is not supported'
  if (url === undefined) return 'it has neither a URL nor a command'
  if (!isOrigin && type === '' && httpUrl === undefined && /\/sse\/?([?#]|$)/.test(url)) return SSE
  const headers = isPlain(server['headers']) ? Object.entries(server['headers']) : []
  return { url, headers, isBridged: false, isOff }
}

/** The client does not use it. */
function isSwitchedOff({ disabled, enabled }: Plain): boolean {
  return disabled === true || enabled === false
}

/** `streamable-http`, `streamableHttp` and others are spelt in one way; empty where there is none. */
function typeOf({ type, transport }: Plain): string {
  return (scalarText(type ?? transport) ?? '').slice(0, 100).toLowerCase().replaceAll(/[-_]/g, '')
}

/** What `mcp-remote URL --header NAME:VALUE` leads to; null for another program, a sentence where that cannot be forwarded. */
function bridgedTo(server: Plain, isOrigin: boolean): Omit<Remote, 'isOff'> | string | null {
  const args = listedTexts(server['args'])
  const at = args.findIndex((one) => one.split('@', 1)[0] === 'mcp-remote')
  if (at === -1) return null
  const own = args.slice(at + 1)
  const url = own.find((one) => /^https?:/i.test(one))
  if (url === undefined) return 'it has no http:// or https:// URL'
  if (!isOrigin && own[own.indexOf('--transport') + 1] === 'sse-only') return SSE
  const env = isPlain(server['env']) ? server['env'] : {}
  const headers = own.flatMap((one, index): (readonly [string, unknown])[] => {
    if (own[index - 1] !== '--header') return []
    const [name = '', value = ''] = one.split(/:(.*)/s)
    return [[name.trim(), filled(value.trim(), env)]]
  })
  return { url, headers, isBridged: true }
}

/** A value that is one variable, with what the configuration says of it. */
function filled(value: string, env: Plain): unknown {
  const name = /^\$\{([A-Za-z0-9_]+)\}$/.exec(value)?.[1]
  return name !== undefined && Object.hasOwn(env, name) ? env[name] : value
}
