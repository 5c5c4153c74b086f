/**
 * The MCP registry API v0.1, read-only: lists the virtual MCPs that the caller may find.
 * https://github.com/modelcontextprotocol/registry/blob/main/docs/reference/api/openapi.yaml
 */
import type { Principal } from '../../access/principal.ts'
import { DOORS } from '../../base/doors.ts'
import { bearerOf } from '../../base/http/fields.ts'
import { createChallenge, isChallenged, type Origins, PROTECTED } from '../../base/http/origins.ts'
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'
import { Time } from '../../model/members.ts'
import type { Via } from '../../operations/engine/call.ts'
import type { ListedMcp, ListMcps } from '../../operations/virtual-mcps/listed.ts'
import { entryOf, nameOf, namespaceOf, type RegistryEntry, versionOf } from './entry.ts'

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
