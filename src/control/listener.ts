/** The one listener of the control plane, behind the private socket. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type ControlHandler, doorAt, withoutSlash } from '../base/doors.ts'
import type { Reservation } from '../base/memory/bytes.ts'
import { PREAMBLE } from '../fleet/shared/preamble.ts'
import type { ManagementDoor } from '../surfaces/mcp/door.ts'
import type { RegistryAnswer, RegistryRequest } from '../surfaces/mcp-registry/answer.ts'
import { bodyWithheld, gather } from '../surfaces/rest/body.ts'
import type { PageAnswer, PageRequest } from '../surfaces/secrets/page.ts'

/** Largest message to Management MCP, bytes: an OpenAPI document may travel in it. The main thread reads it. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024

export interface ControlParts {
  /** Management REST, its OpenAPI document and the protected-resource metadata. */
  readonly rest: RequestListener
  readonly mcp: ManagementDoor
  /** Sign-in and tokens. */
  readonly oauth: RequestListener
  /** Where local users choose their passwords; null where they do not sign in. */
  readonly signInPages: RequestListener | null
  /** The console and the sign-in there. */
  readonly console: RequestListener
  /** The MCP registry. */
  readonly registry: (request: RegistryRequest) => Promise<RegistryAnswer>
  /** Pages of one-time links. */
  readonly page: (request: PageRequest) => Promise<PageAnswer>
  /** Where bytes are counted that are kept in memory for a principal, until it is released. */
  readonly keep: (principal: string) => Reservation
  readonly fault: (error: unknown, requestId: string) => void
}

type Handler = (request: IncomingMessage, response: ServerResponse, path: string, query: string) => void

/** The one listener of the control plane, behind the private socket. It finds the handler of a path in the table of doors. */
export function createControlListener(parts: ControlParts): RequestListener {
  const orFailed = (answer: Promise<void>, request: IncomingMessage, response: ServerResponse): void => {
    answer.catch((error: unknown) => {
      parts.fault(error, header(request, PREAMBLE.requestId) ?? '')
      response.destroy()
    })
  }
  const handlers: Readonly<Record<ControlHandler, Handler>> = {
    management_mcp: (request, response, path, query) =>
      orFailed(answerMcp(parts, request, response, path, query), request, response),
    secret_page: (request, response, path) =>
      orFailed(answerSecret(parts, request, response, path), request, response),
    mcp_registry: (request, response, path, query) =>
      orFailed(answerRegistry(parts, request, response, path, query), request, response),
    console: parts.console,
    sign_in_page: parts.signInPages ?? parts.oauth,
    oauth: parts.oauth,
    rest: parts.rest,
    unknown_path: parts.rest,
  }
  const isBound = (name: string): name is ControlHandler => Object.hasOwn(handlers, name)
  return (request, response) => {
    const [given = '', query = ''] = split(request.url ?? '/')
    const path = withoutSlash(given)
    // The interfaces read the URL themselves
    if (path !== given) request.url = path + (request.url ?? '').slice(given.length)
    request.headers.host = oneSpelling(request.headers.host)
    const name = doorAt(path)?.handler ?? 'rest'
    // A gateway thread passes on a call of /metrics that carries a token
    handlers[isBound(name) ? name : 'rest'](request, response, path, query)
  }
}

/** Of an IPv6 address that of URLs: the adapter of the interfaces refuses every other one with an empty answer. */
function oneSpelling(host: string | undefined): string | undefined {
  return host?.startsWith('[') === true ? (URL.parse(`http://${host}`)?.host ?? host) : host
}

async function answerMcp(
  parts: ControlParts,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: string,
): Promise<void> {
  let budget: Reservation | null = null
  const asked = parts.mcp.handle({
    method: request.method ?? '',
    path,
    query,
    host: header(request, 'host') ?? '',
    ip: header(request, PREAMBLE.peer) ?? null,
    requestId: header(request, PREAMBLE.requestId) ?? '',
    header: (name) => header(request, name),
    body: (principal) => {
      if (header(request, PREAMBLE.bodyWithheld) !== undefined) throw bodyWithheld()
      budget = parts.keep(principal)
      // Leaving the loop must not take the connection with it: the refusal still has to be said
      const pieces = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
      return gather(pieces, request.headers['content-length'], MESSAGE_BYTES_MAX, budget)
    },
  })
  const release = (): void => budget?.release()
  const answer = await asked.catch((error: unknown) => {
    release()
    throw error
  })
  response.writeHead(answer.status, { 'cache-control': 'no-store', ...answer.headers })
  if (answer.pieces === undefined) {
    release()
    response.end(answer.body)
    return
  }
  const left = answer.pieces({ write: (piece) => response.write(piece), end: () => response.end() })
  // The memory of the body is given back only here: the call may need it until then
  const ended = (): void => {
    release()
    left()
  }
  if (response.closed) ended()
  else response.once('close', ended)
}

async function answerSecret(
  { page }: ControlParts,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const visit = {
    method: request.method ?? '',
    path,
    ip: header(request, PREAMBLE.peer) ?? null,
    userAgent: header(request, 'user-agent')?.slice(0, 512) ?? null,
    requestId: header(request, PREAMBLE.requestId) ?? '',
  }
  const answer = await page(visit)
  response.writeHead(answer.status, answer.headers)
  response.end(answer.body)
}

async function answerRegistry(
  { registry }: ControlParts,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: string,
): Promise<void> {
  const answer = await registry({
    method: request.method ?? '',
    path,
    query,
    host: header(request, 'host') ?? null,
    authorization: header(request, 'authorization') ?? null,
    ip: header(request, PREAMBLE.peer) ?? null,
    userAgent: header(request, 'user-agent') ?? null,
    requestId: header(request, PREAMBLE.requestId) ?? '',
  })
  response.writeHead(answer.status, answer.headers)
  response.end(answer.body)
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function split(target: string): [string, string] {
  const at = target.indexOf('?')
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}
