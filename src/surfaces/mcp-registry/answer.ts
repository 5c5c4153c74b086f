/**
 * The MCP registry API v0.1, read-only: lists the virtual MCPs that the caller may find.
 * https://github.com/modelcontextprotocol/registry/blob/main/docs/reference/api/openapi.yaml
 */
import type { Principal } from '../../access/principal.ts'
import { DOORS } from '../../base/doors.ts'
import { bearerOf } from '../../base/http/fields.ts'
import { createChallenge, isChallenged, type Origins, PROTECTED } from '../../base/http/origins.ts'
import { plainAddress } from '../../base/net/address.ts'
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'
import { Time } from '../../model/members.ts'
import type { Via } from '../../operations/engine/call.ts'
import type { ListedMcp, ListMcps } from '../../operations/virtual-mcps/listed.ts'

const SERVERS = `${DOORS.registry.path}/v0.1/servers`
/** Entries of a page. */
const LIMIT = { default: 30, max: 100 } as const
const METHODS = ['GET', 'HEAD', 'OPTIONS'] as const

const HEADERS = {
  'content-type': 'application/json',
  // Depends on who asks, and ends with the next change
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  // No cookie counts here, so that every page may read it
  'access-control-allow-origin': '*',
} as const

const PREFLIGHT = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'authorization, content-type, mcp-protocol-version',
  'access-control-max-age': '3600',
} as const

export interface RegistryPorts {
  readonly listed: ListMcps
  /** Whom an access token for Management REST stands for; refuses with credential_invalid or credential_expired. */
  readonly authenticate: (token: string, via: Via) => Promise<Principal>
  /** Where clients reach virtual MCPs. */
  readonly gatewayOrigin: string
  /** Where management is reached, for challenges. */
  readonly origins: Origins
  /** What challenges ask for; null where all tokens come from elsewhere. */
  readonly scope: string | null
  /** Takes a fault, which was answered with 500. */
  readonly fault: (error: unknown, requestId: string) => void
}

export interface RegistryRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly host: string | null
  readonly authorization: string | null
  readonly ip: string | null
  readonly userAgent: string | null
  readonly requestId: string
}

export interface RegistryAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Answers requests at `/mcp-registry`. Never rejects. */
export function createRegistry(ports: RegistryPorts): (request: RegistryRequest) => Promise<RegistryAnswer> {
  const namespace = namespaceOf(ports.gatewayOrigin)
  const challenge = createChallenge(ports.origins, PROTECTED.rest, ports.scope)

  const toEntry = (one: ListedMcp): RegistryEntry => entryOf(one, namespace, ports.gatewayOrigin)

  async function listedFor(request: RegistryRequest): Promise<readonly ListedMcp[]> {
    const token = bearerOf(request.authorization)
    const principal = token === '' ? null : await ports.authenticate(token, viaOf(request))
    return ports.listed(principal?.id ?? null)
  }

  async function bodyFor(request: RegistryRequest): Promise<object> {
    const { method, path } = request
    if (method !== 'GET' && method !== 'HEAD')
      throw refuse('method_not_allowed', {
        detail: 'The registry is read-only: this path answers GET and HEAD.',
      })
    if (path === SERVERS) {
      const query = readQuery(request.query)
      const { page, next } = pageOf(await listedFor(request), query, namespace)
      const more = next === null ? {} : { nextCursor: next }
      return { servers: page.map(toEntry), metadata: { count: page.length, ...more } }
    }
    const named = serverIn(path)
    if (named === null)
      throw refuse('not_available', { detail: `Nothing answers ${path} here. ${SERVERS} lists servers.` })
    const found = (await listedFor(request)).find((one) => nameOf(one, namespace) === named.name)
    if (found === undefined) throw refuse('not_found', { detail: 'Server not found.' })
    if (named.version === null) return { servers: [toEntry(found)], metadata: { count: 1 } }
    if (!isVersion(found, named.version)) throw refuse('not_found', { detail: 'Server version not found.' })
    return toEntry(found)
  }

  return async (request) => {
    const { requestId, method } = request
    if (method === 'OPTIONS') return { status: 204, headers: PREFLIGHT, body: '' }
    const headers = { ...HEADERS, 'x-request-id': requestId }
    try {
      return { status: 200, headers, body: JSON.stringify(await bodyFor(request)) }
    } catch (error) {
      const refusal = error instanceof Refusal ? error : refuse('internal_error')
      if (refusal.status === 500) ports.fault(error, requestId)
      // The registry API has `error`; the other members are those of all problems
      const problem = { error: refusal.message, ...toProblem(refusal, requestId) }
      const more = {
        ...(refusal.code === 'method_not_allowed' ? { allow: METHODS.join(', ') } : {}),
        ...(isChallenged(refusal) ? { 'www-authenticate': challenge(request.host, refusal.code) } : {}),
      }
      return { status: refusal.status, headers: { ...headers, ...more }, body: JSON.stringify(problem) }
    }
  }
}

/**
 * What a path below the list names; null for a path that the API does not have. The slash in the name may be encoded or not: a proxy
 * in front may have decoded it.
 */
function serverIn(path: string): { readonly name: string; readonly version: string | null } | null {
  if (!path.startsWith(`${SERVERS}/`)) return null
  const match = /^\/([^/]+\/[^/]+)\/versions(?:\/([^/]+))?$/.exec(
    path.slice(SERVERS.length).replaceAll('%2F', '/'),
  )
  if (match === null) return null
  const [, name = '', version = null] = match
  return { name, version }
}

interface Query {
  /** Slug of the last entry of the page before; empty for the first page. */
  readonly cursor: string
  readonly limit: number
  /** Part of the name, in lower case. */
  readonly search: string
  /** Milliseconds since the epoch. */
  readonly updatedSince: number
  readonly version: string
}

/** Reads the parameters of a list. Others, also those of later versions of the API, are ignored. */
function readQuery(text: string): Query {
  const query = new URLSearchParams(text)
  const limit = query.get('limit') || String(LIMIT.default)
  if (!/^[1-9]\d{0,8}$/.test(limit)) throw wrong('limit', 'must be a whole number from 1')
  const since = query.get('updated_since') ?? ''
  if (since !== '' && !Time.safeParse(since).success)
    throw wrong('updated_since', 'must be an RFC 3339 time, such as 2026-05-01T00:00:00Z')
  return {
    cursor: query.get('cursor') ?? '',
    limit: Math.min(Number(limit), LIMIT.max),
    search: (query.get('search') ?? '').toLowerCase(),
    updatedSince: since === '' ? 0 : Date.parse(since),
    version: query.get('version') || 'latest',
  }
}

function wrong(name: string, reason: string): Refusal {
  return refuse('input_invalid', {
    detail: `The query parameter ${name} ${reason}.`,
    errors: [{ pointer: `/${name}`, reason }],
  })
}

interface Page {
  readonly page: readonly ListedMcp[]
  /** Cursor of the next page; null after the last one. */
  readonly next: string | null
}

/** @param listed in the order of their slugs */
function pageOf(listed: readonly ListedMcp[], query: Query, namespace: string): Page {
  const fitting = listed.filter(
    (one) =>
      one.slug > query.cursor &&
      nameOf(one, namespace).toLowerCase().includes(query.search) &&
      Date.parse(one.updated_at) >= query.updatedSince &&
      isVersion(one, query.version),
  )
  const page = fitting.slice(0, query.limit)
  return { page, next: fitting.length > page.length ? page.at(-1)!.slug : null }
}

function isVersion(one: ListedMcp, version: string): boolean {
  return version === 'latest' || version === versionOf(one)
}

function viaOf({ requestId, ip, userAgent, method, path, query }: RegistryRequest): Via {
  const url = (query === '' ? path : `${path}?${query}`).slice(0, 2048)
  return {
    surface: 'management_api',
    requestId,
    ip,
    userAgent: userAgent?.slice(0, 512) ?? null,
    http: { method, url },
    agent: null,
  }
}

// Virtual MCPs as entries of an MCP registry: the `server.json` of each, with what the registry says of it.
// https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json

const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'
const OFFICIAL = 'io.modelcontextprotocol.registry/official'

/** Characters of `title` and of `description`, by the schema. */
const TEXT_MAX = 100
/** Characters that are read of a text. */
const LINE_MAX = 1000
/** Characters of a name, by the schema (200), without the slash and the longest slug. */
const NAMESPACE_MAX = 200 - 1 - 63

/** One item of a list of the registry (`ServerResponse`). */
export interface RegistryEntry {
  readonly server: Readonly<Record<string, unknown>>
  readonly _meta: Readonly<Record<string, unknown>>
}

/**
 * The part of names before the slash: the host of the gateway in reverse order, such as `com.example.gateway`. An address
 * has the name by which DNS looks it up, such as `arpa.in-addr.192.0.2.1`.
 * @param origin of the gateway
 */
export function namespaceOf(origin: string): string {
  const labels = labelsOf(new URL(origin).hostname.replace(/^\[|\]$/g, ''))
  const fits = labels.findIndex((_, at) => labels.slice(0, at + 1).join('.').length > NAMESPACE_MAX)
  const name = labels.slice(0, fits === -1 ? labels.length : fits).join('.')
  return name.replace(/[^a-z0-9.-]/g, '-')
}

function labelsOf(host: string): readonly string[] {
  const address = plainAddress(host)
  if (address === null)
    return host
      .split('.')
      .filter((label) => label !== '')
      .reverse()
  if (!address.includes(':')) return ['arpa', 'in-addr', ...address.split('.')]
  const digits = address.split(':').map((group) => group.padStart(4, '0'))
  return ['arpa', 'ip6', ...digits.join('')]
}

/** @param namespace as of {@link namespaceOf} */
function nameOf({ slug }: Pick<ListedMcp, 'slug'>, namespace: string): string {
  return `${namespace}/${slug}`
}

/** Each revision of a virtual MCP is a version. The latest one alone can be called, and is listed. */
function versionOf({ revision }: Pick<ListedMcp, 'revision'>): string {
  return `1.0.${revision}`
}

/**
 * The entry of a virtual MCP. A text that does not fit the schema is cut or left out: it hides no entry.
 * @param namespace as of {@link namespaceOf} @param gatewayOrigin where clients reach the virtual MCP
 */
export function entryOf(listed: ListedMcp, namespace: string, gatewayOrigin: string): RegistryEntry {
  const { slug, updated_at: updatedAt } = listed
  const title = lineOf(listed.name)
  const icons = listed.icons.map(iconOf)
  return {
    server: {
      $schema: SCHEMA,
      name: nameOf(listed, namespace),
      ...(title === '' || lengthOf(title) > TEXT_MAX ? {} : { title }),
      // The schema demands one
      description: cut(lineOf(listed.description)) || cut(title) || slug,
      version: versionOf(listed),
      ...(icons.length === 0 ? {} : { icons }),
      remotes: [{ type: 'streamable-http', url: `${gatewayOrigin}${DOORS.belowConsumerMcp.path}/${slug}` }],
    },
    _meta: { [OFFICIAL]: { status: 'active', publishedAt: updatedAt, updatedAt, isLatest: true } },
  }
}

/** In the spelling of `server.json`, without what is not said. */
function iconOf({ src, mime_type: mimeType, sizes, theme }: ListedMcp['icons'][number]): object {
  return {
    src,
    ...(mimeType === null ? {} : { mimeType }),
    ...(sizes.length === 0 ? {} : { sizes }),
    ...(theme === null ? {} : { theme }),
  }
}

/** A text as one line, without control characters; of a long one its start. */
function lineOf(text: string): string {
  return text
    .slice(0, LINE_MAX)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .toWellFormed()
}

/** JSON Schema counts code points. */
function lengthOf(text: string): number {
  return [...text].length
}

function cut(text: string): string {
  if (lengthOf(text) <= TEXT_MAX) return text
  const start = [...text].slice(0, TEXT_MAX - 1)
  return `${start.join('').trimEnd()}…`
}
