import { type Context, Hono } from 'hono'
import type { Principal } from '../../access/principal.ts'
import { DOORS } from '../../base/doors.ts'
import { bearerOf, CONSOLE_HEADER, cookieValues, ownCookieNames } from '../../base/http/fields.ts'
import {
  createChallenge,
  createOriginFor,
  isChallenged,
  isConsumerResource,
  type Origins,
  PROTECTED,
} from '../../base/http/origins.ts'
import { mayFit } from '../../base/json/canonical.ts'
import { jsonBytesInPieces } from '../../base/json/pieces.ts'
import type { Reservation } from '../../base/memory/bytes.ts'
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'
import { inSlices, jsonText } from '../../base/threads/time-slices.ts'
import { confidentialityOf } from '../../model/annotations.ts'
import { runApartFor } from '../../operations/engine/apart.ts'
import {
  type Content,
  INPUT_BYTES_MAX,
  type Invoked,
  LARGE_INPUT_BYTES_MAX,
  pendingMembers,
  toWriteOptions,
  type Via,
  writeOptionNames,
} from '../../operations/engine/call.ts'
import type { Invoke, Operation } from '../../operations/engine/define.ts'
import { mayCall } from '../../operations/engine/permission.ts'
import { isFromConsole } from '../console/door.ts'
import type { JsonSchema } from '../fields.ts'
import { printOpenApi } from '../openapi/document.ts'
import { CONFIG_SCHEMA_PATH, printConfigSchema } from '../reference/config-schema.ts'
import { API_ROOT, type HttpVerb, routeOf } from '../route.ts'
import { dryRunOf, requestIn } from '../waiting.ts'
import { type BodyForm, bodyWithheld, readBody } from './body.ts'
import { type Followed, followStream } from './follow.ts'
import { protectedResourceMetadata, resourcePathOf } from './metadata.ts'
import { queryParametersOf, readQuery } from './query.ts'

/** What is known of a request besides itself; how is the listener's business (socket, or a gateway thread's preamble). */
interface RequestFacts {
  readonly requestId: string
  readonly ip: string | null
  /** The body was left with the caller; see `bodyWithheld`. */
  readonly isBodyWithheld?: boolean
}

export interface RestPorts {
  readonly operations: readonly Operation[]
  readonly invoke: Invoke
  /** Who a bearer token stands for (empty: none was sent); refuses with credentials_missing, credential_invalid or credential_expired. */
  readonly authenticate: (token: string, via: Via) => Promise<Principal>
  /** Who a session of the console stands for, by the value of its cookie; refuses as `authenticate`. Absent: no cookie counts. */
  readonly session?: (value: string, via: Via) => Promise<Principal>
  readonly facts: (request: Request) => RequestFacts
  /** The metrics page for callers with a token, in the format that they accept; absent where there is none. */
  readonly scrape?: Operation
  /** Where bytes are counted that are kept in memory for a principal, until it is released. */
  readonly keep: (principal: string) => Reservation
  /** Where management is reached, for metadata and challenges. */
  readonly origins: Origins
  /** Where `/mcp` is reached. */
  readonly gatewayOrigin: string
  /** Who issues tokens for management, for the metadata. */
  readonly authorizationServers: readonly string[]
  /** Who issues tokens for MCP endpoints of the gateway: Postern's own authorization server. */
  readonly issuer: string
  /** What challenges ask for, space-separated; null where all tokens come from elsewhere, with scopes of their own. */
  readonly scope: string | null
  /** Takes what answered 500: a fault, or a refusal whose inner reason only the log may know. */
  readonly log: (error: unknown, requestId: string) => void
}

interface Parts extends RestPorts {
  readonly challenge: ReturnType<typeof createChallenge>
}

/** Headers of every answer: it is data for one caller, and nothing to render or keep. */
const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const

/** Beside those, of metadata: clients in browsers read it too. */
const OPEN_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'mcp-protocol-version',
  'access-control-max-age': '3600',
} as const

/** The same refusal; where no token was sent, with the conditions under which none is needed. */
function withScrapeHelp(error: unknown): never {
  if (!(error instanceof Refusal) || error.code !== 'credentials_missing') throw error
  throw refuse('credentials_missing', {
    ...error.facts,
    detail:
      'Send an access token with metrics:read. Without a token, /metrics answers only a program on the same machine that uses a loopback name and no proxy: a request with X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Real-IP, Forwarded or Via needs a token.',
  })
}

/** Seconds after which a stream of events shows that it is alive. */
const EVENT_WAIT = 15

/** Down to the entries of a path. */
const PIECES_DEPTH = 3

/** The text of a document that is printed in turns. */
function* bytesOf(printing: Generator<void, JsonSchema>): Generator<void, Uint8Array<ArrayBuffer>> {
  return Buffer.from(yield* jsonText(yield* printing, PIECES_DEPTH))
}

/** Management REST, its OpenAPI document, and the metadata of the protected resources. Everything else is 404. */
export function createRestApp(given: RestPorts): Hono {
  const ports: Parts = { ...given, challenge: createChallenge(given.origins, PROTECTED.rest, given.scope) }
  const app = new Hono()
  const originFor = createOriginFor(ports.origins)
  const gatewayOriginFor = createOriginFor([ports.gatewayOrigin])
  let document: Promise<Uint8Array<ArrayBuffer>> | undefined
  let schema: Promise<Uint8Array<ArrayBuffer>> | undefined
  const read = ['GET', 'HEAD']

  app.all(DOORS.openApi.path, (c) =>
    answered(ports, c, async () => {
      demandMethod(c, read)
      // Printed when it is first asked for, since a start should not wait for it, and in turns, since anonymous callers may ask
      document ??= inSlices(bytesOf(printOpenApi(ports.operations)))
      return json(200, await document)
    }),
  )
  app.all(CONFIG_SCHEMA_PATH, (c) =>
    answered(ports, c, async () => {
      demandMethod(c, read)
      schema ??= inSlices(bytesOf(printConfigSchema()))
      return json(200, await schema)
    }),
  )
  app.all(`${DOORS.wellKnown.path}/*`, (c) =>
    answered(ports, c, async () => {
      if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: OPEN_HEADERS })
      const path = resourcePathOf(new URL(c.req.url).pathname)
      const isConsumer = path !== null && isConsumerResource(path)
      const origin = (isConsumer ? gatewayOriginFor : originFor)(c.req.header('host') ?? null)
      const metadata = path === null ? null : protectedResourceMetadata(origin, path, ports)
      if (metadata === null) throw refuse('not_available')
      demandMethod(c, read)
      return json(200, JSON.stringify(metadata), OPEN_HEADERS)
    }),
  )
  const { scrape } = ports
  if (scrape !== undefined)
    app.all(DOORS.metrics.path, (c) =>
      answered(ports, c, async (via) => {
        const token = bearerOf(c.req.header('authorization'))
        const principal = await ports.authenticate(token, via).catch(withScrapeHelp)
        demandMethod(c, read)
        const accept = c.req.header('accept') ?? ''
        const { output } = await ports.invoke(scrape, { accept }, {}, principal, via)
        const headers = { 'content-type': String(output['content_type']) }
        return new Response(String(output['text']), { headers })
      }),
    )
  for (const [path, operations] of byPath(ports.operations)) {
    const methods = new Map(operations.map((operation) => [routeOf(operation).method, operation]))
    const allowed = [...methods.keys()].flatMap((method) => (method === 'GET' ? read : [method]))
    app.all(API_ROOT + path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) =>
      answered(ports, c, async (via) => {
        const principal = await callerOf(ports, c.req.raw, via)
        demandMethod(c, allowed)
        const method = c.req.method === 'HEAD' ? 'GET' : c.req.method
        return call(ports, c, methods.get(method as HttpVerb)!, principal, via)
      }),
    )
  }
  // Nobody learns which paths there are: what is unknown below the API is authenticated like the rest.
  app.all(`${API_ROOT}/*`, (c) =>
    answered(ports, c, async (via) => {
      await callerOf(ports, c.req.raw, via)
      throw refuse('not_found', {
        detail: `This path does not exist. ${DOORS.openApi.path} lists all paths.`,
      })
    }),
  )
  app.all('*', (c) => answered(ports, c, () => Promise.reject(refuse('not_available'))))
  return app
}

/** Paths with their operations; fixed paths first, since `/collections/import` would also fit `/collections/{id}`. */
function byPath(operations: readonly Operation[]): [string, Operation[]][] {
  const paths = Map.groupBy(operations, (operation) => routeOf(operation).path)
  return [...paths].sort(([a], [b]) => Number(a.includes('{')) - Number(b.includes('{')))
}

async function call(
  ports: RestPorts,
  c: Context,
  operation: Operation,
  principal: Principal,
  via: Via,
): Promise<Response> {
  const { byId } = routeOf(operation)
  const query = readQuery(new URL(c.req.url).searchParams, queryParametersOf(operation, byId))
  const id = byId ? { id: c.req.param('id') } : {}
  if (operation.effect === 'read' && operation.posted !== true) {
    if (operation.follows === true && c.req.method === 'GET' && acceptsEvents(c.req.header('accept')))
      return follow(ports, c, operation, query, via)
    // Nobody waits for an answer without a body
    const own = operation.follows === true && c.req.method === 'HEAD' ? { wait: 0 } : {}
    const invoked = await ports.invoke(operation, { ...query, ...id, ...own }, {}, principal, via)
    return invoked.content === undefined ? toResponse(operation, invoked) : toFile(invoked.content)
  }
  if (ports.facts(c.req.raw).isBodyWithheld === true) throw bodyWithheld()
  // The call itself refuses and notes it. A body that says that it is small is read before that: the audit
  // entry has what it asks for
  const isUnread = operation.large === true && mayBeLarge(c.req.raw.headers)
  if (isUnread && !mayCall(principal, operation)) {
    const { options } = liftOptions(operation, {}, query, readOptionHeaders(c.req.raw.headers))
    return toResponse(operation, await ports.invoke(operation, id, toWriteOptions(options), principal, via))
  }
  const budget = ports.keep(principal.id)
  try {
    const apart = runApartFor(principal.id, { left: via.left })
    const body = await readBody(c.req.raw, formOf(operation), budget, apart)
    const { options, input } = liftOptions(operation, body, query, readOptionHeaders(c.req.raw.headers))
    if (byId && Object.hasOwn(input, 'id') && input['id'] !== id.id)
      throw refuse('input_invalid', {
        detail: 'The id in the body differs from the one in the path.',
        errors: [{ pointer: '/id', reason: 'differs from the path; leave it out' }],
      })
    const invoked = await ports.invoke(
      operation,
      { ...input, ...id },
      toWriteOptions(options),
      principal,
      via,
    )
    return toResponse(operation, invoked)
  } finally {
    budget.release()
  }
}

/** True unless a body is declared to be no larger than that of most operations. */
function mayBeLarge(headers: Headers): boolean {
  const declared = headers.get('content-length')
  return declared === null || Number(declared) > INPUT_BYTES_MAX
}

/** What the body of an operation may be. */
function formOf({ large, input }: Operation): BodyForm {
  if (large !== true) return { bytesMax: INPUT_BYTES_MAX, documents: [] }
  const members = Object.entries(input.shape)
  const documents = members.filter(([, schema]) => confidentialityOf(schema) === 'document')
  return { bytesMax: LARGE_INPUT_BYTES_MAX, documents: documents.map(([name]) => name) }
}

/** True where `text/event-stream` is accepted by name: `*` means JSON. */
function acceptsEvents(accept = ''): boolean {
  return accept.split(',').some((range) => /^\s*text\/event-stream\s*(;|$)/i.test(range))
}

/** An operation that waits, as a stream of events. Each call proves its token anew. */
function follow(
  ports: RestPorts,
  c: Context,
  operation: Operation,
  query: Readonly<Record<string, unknown>>,
  via: Via,
): Promise<Response> {
  let wait = 0
  const ask = async (cursor: string | null): Promise<Followed> => {
    const principal = await callerOf(ports, c.req.raw, via)
    const input = { ...query, ...(cursor !== null && { cursor }), wait }
    const { output } = await ports.invoke(operation, input, {}, principal, via)
    // A token that was revoked meanwhile sees nothing of it
    if (wait > 0) await callerOf(ports, c.req.raw, via)
    wait = EVENT_WAIT
    // The members that each operation of this sort has; its schema was applied
    return output as unknown as Followed
  }
  const lastId = c.req.header('last-event-id') ?? (query['cursor'] as string | undefined) ?? null
  return followStream({ ask, log: ports.log, requestId: via.requestId }, lastId)
}

/**
 * Takes the options of the write out of the body and joins them with those of query and headers. One that is said
 * twice has to say the same.
 */
function liftOptions(
  operation: Operation,
  body: Readonly<Record<string, unknown>>,
  ...others: readonly Readonly<Record<string, unknown>>[]
): { options: Record<string, unknown>; input: Record<string, unknown> } {
  const names = new Set<string>(writeOptionNames(operation))
  const options = new Map(Object.entries(body).filter(([name]) => names.has(name)))
  const input = Object.fromEntries(Object.entries(body).filter(([name]) => !names.has(name)))
  for (const [name, value] of others.flatMap((other) => Object.entries(other))) {
    if (!names.has(name)) continue
    if (options.has(name) && options.get(name) !== value)
      throw refuse('input_invalid', {
        detail: `${name} is given twice, with different values.`,
        errors: [{ pointer: `/${name}`, reason: 'given twice with different values' }],
      })
    options.set(name, value)
  }
  return { options: Object.fromEntries(options), input }
}

/** Characters of an answer that are written at once. */
const SMALL_CHARS = 65_536

async function toResponse(operation: Operation, invoked: Invoked): Promise<Response> {
  const pending = pendingMembers(invoked)
  const body =
    invoked.diff === null
      ? { ...invoked.output, ...pending }
      : { ...dryRunOf(invoked), diff: invoked.diff, result: invoked.output }
  const text = mayFit(body, SMALL_CHARS) ? JSON.stringify(body) : await inSlices(jsonBytesInPieces(body))
  const response = json(invoked.diff === null ? invoked.status : 200, text)
  if (invoked.revision !== null && invoked.diff === null)
    response.headers.set('etag', toEtag(invoked.revision))
  if (response.status === 202)
    response.headers.set('location', `${API_ROOT}/change_requests/${requestIn(invoked.output)}`)
  const id = invoked.output['id']
  if (response.status === 201 && typeof id === 'string')
    response.headers.set('location', `${API_ROOT}/${operation.resource}/${encodeURIComponent(id)}`)
  return response
}

/** Bytes leave as fast as their caller takes them. */
function toFile({ mediaType, fileName, bytes, stream }: Content): Response {
  return new Response(stream, {
    headers: {
      'content-type': mediaType,
      'content-length': String(bytes),
      'content-disposition': `attachment; filename="${fileName}"`,
    },
  })
}

function json(
  status: number,
  text: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(text, { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** Throws method_not_allowed unless the method is one of these; `answered` turns `allow` into the field. */
function demandMethod(c: Context, allowed: readonly string[]): void {
  if (allowed.includes(c.req.method)) return
  throw refuse('method_not_allowed', {
    detail: `This path answers ${allowed.join(', ')}.`,
    members: { allow: allowed },
  })
}

/** The caller: by an access token, or else by the session of the console. */
async function callerOf(ports: RestPorts, request: Request, via: Via): Promise<Principal> {
  const authorization = request.headers.get('authorization')
  const values = authorization === null && ports.session !== undefined ? sessionsIn(ports, request) : []
  if (values.length === 0) return ports.authenticate(bearerOf(authorization), via)
  if (!isFromConsole(request.headers))
    throw refuse('credentials_missing', {
      detail: `The session of the console is accepted only in requests of the console: with ${CONSOLE_HEADER}: 1 and Sec-Fetch-Site: same-origin. Other programs send an access token.`,
    })
  // A browser may hold several cookies of the name: somebody else's is none
  const [first, ...others] = values
  for (const value of others) {
    const principal = await ports.session!(value, via).catch(() => null)
    if (principal !== null) return principal
  }
  return ports.session!(first!, via)
}

/** Values of the cookie at the origin of a request. Over HTTPS only the name counts that binds the cookie to its host. */
function sessionsIn({ origins }: RestPorts, request: Request): readonly string[] {
  const isSecure = createOriginFor(origins)(request.headers.get('host')).startsWith('https:')
  return cookieValues(request.headers.get('cookie'), ownCookieNames(isSecure).console)
}

/** Runs a handler; whatever it throws becomes a problem, and every answer gets the request id. */
async function answered(
  ports: Parts,
  c: Context,
  handle: (via: Via) => Promise<Response>,
): Promise<Response> {
  const request = c.req.raw
  const facts = ports.facts(request)
  const response = await handle(viaOf(request, facts)).catch((error: unknown) => {
    const refusal = error instanceof Refusal ? error : refuse('internal_error')
    if (refusal.status === 500) ports.log(error, facts.requestId)
    return refused(ports, request, refusal, facts.requestId)
  })
  response.headers.set('x-request-id', facts.requestId)
  for (const [name, value] of Object.entries(COMMON_HEADERS)) response.headers.set(name, value)
  return response
}

function refused(ports: Parts, request: Request, refusal: Refusal, requestId: string): Response {
  const response = new Response(JSON.stringify(toProblem(refusal, requestId)), {
    status: refusal.status,
    headers: { 'content-type': 'application/problem+json' },
  })
  const { allow, retry_after_ms: retry } = refusal.facts.members ?? {}
  if (refusal.code === 'method_not_allowed' && Array.isArray(allow))
    response.headers.set('allow', allow.join(', '))
  if (typeof retry === 'number') response.headers.set('retry-after', String(Math.ceil(retry / 1000)))
  if (isChallenged(refusal))
    response.headers.set(
      'www-authenticate',
      ports.challenge(
        request.headers.get('host'),
        refusal.code,
        refusal.facts.members?.['scope'],
        refusal.message,
      ),
    )
  return response
}

function surfaceOf(headers: Headers, userAgent: string | null): Via['surface'] {
  if (isFromConsole(headers) && !headers.has('authorization')) return 'admin_ui'
  return CLI_AGENT.test(userAgent ?? '') ? 'cli' : 'management_api'
}

/** The command line says that it is it; nothing but the audit entry depends on that. */
const CLI_AGENT = /^postern-cli\//

function viaOf(request: Request, facts: RequestFacts): Via {
  const url = new URL(request.url)
  const userAgent = request.headers.get('user-agent')?.slice(0, 512) ?? null
  return {
    surface: surfaceOf(request.headers, userAgent),
    requestId: facts.requestId,
    ip: facts.ip,
    userAgent,
    http: { method: request.method, url: (url.pathname + url.search).slice(0, 2048) },
    agent: null,
    left: request.signal,
  }
}

/** Options of a write that came as headers, under their member names. Refuses with input_invalid. */
export function readOptionHeaders(headers: Headers): Record<string, unknown> {
  const revision = toRevision(headers.get('if-match'))
  const key = headers.get('idempotency-key')
  const reason = headers.get('x-reason')
  return {
    ...(revision !== null && { expected_revision: revision }),
    // An sf-string in quotes (the draft of the header) and the bare text are the same key.
    ...(key !== null && { idempotency_key: key.replace(/^"(.*)"$/, '$1') }),
    ...(reason !== null && { reason }),
  }
}

/** The strong entity tag of a revision (RFC 9110 section 8.8.3). */
function toEtag(revision: number): string {
  return `"${revision}"`
}

/** The revision of `If-Match: "3"` (also bare); `*` asks for none. A weak tag never matches (RFC 9110 section 13.1.1). */
function toRevision(text: string | null): number | null {
  if (text === null || text.trim() === '*') return null
  const match = /^\s*(?:"([1-9][0-9]{0,14})"|([1-9][0-9]{0,14}))\s*$/.exec(text)
  if (match === null)
    throw refuse('input_invalid', {
      detail: 'If-Match must be the ETag of the resource, such as "3".',
      errors: [{ pointer: '/expected_revision', reason: 'If-Match is not one revision in quotes' }],
    })
  return Number(match[1] ?? match[2])
}
