/** A server that an entry of a registry offers over HTTP. */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { isLoopbackHost } from '../../base/net/address.ts'
import { HeaderName } from '../../model/members.ts'
import { isTelling } from '../mcp-client/programs.ts'
import { type Filled, filled, type GivenValues, template } from './inputs.ts'

/** What proves the caller: where it stands, without its value. */
export interface Proof {
  readonly in: 'header' | 'query'
  readonly name: string
  /** What stands before the secret, such as `Bearer `. */
  readonly prefix: string
  /** What the entry calls it. */
  readonly called: string
}

export interface Remote {
  readonly url: string
  readonly proof: Proof | null
  /** Sentences about what is not taken over: `header X is left out: …`. */
  readonly left: readonly string[]
}

/** Judges where an entry leads: why its URL is refused, as a sentence without a period; null when it is not. */
export type UrlFault = (url: URL) => string | null

const HEADERS_MAX = 50
const URL_MAX = 2_048
/** What clients of the protocol say themselves with each request. */
const OF_CALLERS = /^(accept|content-type|last-event-id|mcp-.*)$/i
const TYPES: ReadonlySet<unknown> = new Set(['streamable-http', 'sse'])
/** `name={secret}` as the last parameter of a query. */
const QUERY_NAME = /[?&]([A-Za-z0-9._~-]{1,128})=$/

/** The remote, or why it cannot be an origin, as the end of a sentence about it. */
export function remoteOf(remote: unknown, given: GivenValues, urlFault: UrlFault): Remote | string {
  if (!isPlain(remote) || !TYPES.has(remote['type'])) return 'has a type that is not known'
  const { url: text, variables, headers } = remote
  if (typeof text !== 'string' || text.length > URL_MAX) return 'has no URL'
  const place = placeOf(template(text, variables, given, quotedInUrl), urlFault)
  if (typeof place === 'string') return place
  const listed = Array.isArray(headers) ? (headers as readonly unknown[]) : []
  const left: string[] = []
  if (listed.length > HEADERS_MAX) return `has more than ${HEADERS_MAX} headers`
  const proofs: (Proof & { readonly isRequired: boolean })[] =
    place.proof === null ? [] : [{ ...place.proof, isRequired: true }]
  for (const header of listed) {
    const name = isPlain(header) ? header['name'] : undefined
    if (!isPlain(header) || !HeaderName.safeParse(name).success) {
      left.push('a header is left out: its name is no header name, or belongs to the gateway')
      continue
    }
    // Checked by the schema of names
    const own = name as string
    if (OF_CALLERS.test(own)) continue
    const value = filled(own, header, given)
    const isRequired = header['isRequired'] === true
    if (value.kind === 'secret')
      proofs.push({ in: 'header', name: own, prefix: value.prefix, called: value.name, isRequired })
    else if (value.kind === 'text' && isTelling(own, value.text))
      proofs.push({ in: 'header', name: own, prefix: '', called: own, isRequired })
    else if (value.kind === 'absent' && !isRequired) left.push(`header ${own} is optional, and left out`)
    else left.push(`header ${own} is left out: an origin sends only the header of its credential`)
  }
  const proof = proofs.find((one) => one.isRequired) ?? proofs[0] ?? null
  for (const other of proofs)
    if (other !== proof) left.push(`${other.name} is left out: an origin sends one credential`)
  if (proof !== null && Object.hasOwn(given, proof.called))
    left.push(`the value given for ${proof.called} is not used: it is a secret`)
  return { url: place.url, proof, left }
}

function placeOf(
  url: Filled,
  urlFault: UrlFault,
): { readonly url: string; readonly proof: Proof | null } | string {
  if (url.kind === 'fault') return url.reason
  if (url.kind === 'absent') return 'has no URL'
  if (url.kind === 'text') {
    const reason = faultOfUrl(url.text, urlFault)
    return reason ?? { url: url.text, proof: null }
  }
  const name = QUERY_NAME.exec(url.prefix)?.[1]
  if (name === undefined) return `has the secret ${url.name} in its URL`
  const rest = url.prefix.slice(0, -`?${name}=`.length)
  return (
    faultOfUrl(rest, urlFault) ?? {
      url: rest,
      proof: { in: 'query', name, prefix: '', called: url.name },
    }
  )
}

function faultOfUrl(text: string, urlFault: UrlFault): string | null {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return 'has no http:// or https:// URL'
  if (url.username !== '' || url.password !== '') return 'has a user or a password in its URL'
  if (text.includes('#')) return 'has a fragment in its URL'
  if (isLoopbackHost(url.hostname)) return 'has a URL that leads to this machine'
  const reason = urlFault(url)
  return reason === null ? null : `has a URL that an entry may not name: ${reason}`
}

/** A value takes no part of a URL but its own: it can be no other host, and no further segment. */
function quotedInUrl(value: string, before: string): string | null {
  if (before === '') return value
  const isInHost = !/^[a-z]+:\/\/[^/?]*[/?]/i.test(before)
  if (isInHost) return /^[A-Za-z0-9.-]{1,253}$/.test(value) ? value : null
  return value === '.' || value === '..' ? null : encodeURIComponent(value)
}

// Entries of an MCP registry: a `server.json`, what a registry answers for one server, or a list of them.
// https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json

const SCHEMA = /\/server\.schema\.json$/
/** Member of `_meta` in which a registry says what it knows of an entry. */
const OFFICIAL = 'io.modelcontextprotocol.registry/official'

/** An entry, with what its registry says of it. */
export interface RegistryEntry {
  readonly server: Plain
  /** `active`, `deprecated` or `deleted`; empty where it is not said. */
  readonly status: string
  /** False for a version that has been replaced. */
  readonly isLatest: boolean
}

/** The entries that a document holds; null for one of another format. */
export function registryEntriesIn(document: Plain): readonly RegistryEntry[] | null {
  const { server, servers } = document
  if (isServer(document)) return [{ server: document, status: '', isLatest: true }]
  if (isPlain(server) && isServer(server)) return [answered(document)]
  if (!Array.isArray(servers)) return null
  const entries = (servers as readonly unknown[]).filter(isPlain)
  const isList = entries.length === servers.length && entries.every((one) => isPlain(one['server']))
  return isList ? entries.map(answered) : null
}

function isServer({ $schema, name, remotes, packages }: Plain): boolean {
  if (typeof $schema === 'string' && SCHEMA.test($schema)) return true
  return typeof name === 'string' && name.includes('/') && (Array.isArray(remotes) || Array.isArray(packages))
}

function answered({ server, _meta }: Plain): RegistryEntry {
  const said = isPlain(_meta) ? _meta[OFFICIAL] : undefined
  const { status, isLatest } = isPlain(said) ? said : ({} as Plain)
  return {
    server: isPlain(server) ? server : {},
    status: typeof status === 'string' ? status : '',
    isLatest: isLatest !== false,
  }
}
