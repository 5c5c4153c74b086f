/**
 * Sends a call to Management REST and reads the answer. Browsers load this module: it imports no package, no module of Node.js
 * and no schema.
 */
import { connectionFault, plainHttpFault } from '../../base/net/connection-fault.ts'
import type { FieldError } from '../../base/refusal.ts'
import { type DiffEntry, fromWriteOptions, type WriteOptions } from '../../operations/engine/write-options.ts'
import { API_ROOT, type Operations, ROUTES } from './types.ts'

export interface ClientOptions {
  /** Origin of Management REST. In a browser, the empty text is the origin of the page. */
  readonly url: string
  /** An access token. Without one, no `Authorization` is sent: the cookie of a session authenticates the call. */
  readonly token?: string
  readonly fetch?: typeof fetch
  /** Sent if given; a browser forbids setting it. */
  readonly userAgent?: string
  /** Further headers of each request, by lower-case name. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long one call may take, in milliseconds; two minutes if not given. */
  readonly timeoutMs?: number
}

/** The options of one call. */
export interface CallOptions extends WriteOptions {
  /** Ends the call: it rejects with the reason of the signal. */
  readonly signal?: AbortSignal
}

export interface Answer<O> {
  readonly status: number
  /** What the operation answers; of a dry run, what it would answer. */
  readonly body: O
  readonly etag: string | null
  readonly requestId: string | null
  /** Of a dry run; null otherwise. */
  readonly diff: readonly DiffEntry[] | null
  /** Of a dry run: names of the rules by which it would wait for another person. */
  readonly approvalNeeded: readonly string[]
}

/** The RFC 9457 object of a refusal, as far as it is needed here. */
export interface ProblemBody {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly request_id: string | null
  readonly errors: readonly FieldError[]
}

/** The server refused. `problem` is the object as it came. */
export class ProblemError extends Error {
  readonly problem: ProblemBody

  constructor(problem: ProblemBody) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.problem = problem
  }
}

/** This call did nothing: another person has to approve it, or a call like it has made a change request before. */
export class WaitsForApproval extends Error {
  /** The answer as it came: `waits_for_approval` and `change_request`. */
  readonly body: Readonly<Record<string, unknown>>

  constructor(body: Readonly<Record<string, unknown>>) {
    super('This waits for approval by another person.')
    this.name = 'WaitsForApproval'
    this.body = body
  }
}

/** No answer, or none that Management REST would give. */
export class NoAnswer extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'NoAnswer'
  }
}

/** Where a call goes. */
export interface Target {
  readonly method: string
  /** Below the origin; `{id}` stands for the member `id` of the input. */
  readonly path: string
}

const TIMEOUT_MS = 120_000

/**
 * Calls an operation. Throws a {@link ProblemError} when it is refused, a {@link WaitsForApproval} when another person has to
 * approve it, a {@link NoAnswer} when nothing like it answers, and the reason of the signal when that ends it.
 * Tests hold every operation to its output schema, which types the answer.
 */
export async function send<O>(
  options: ClientOptions,
  target: Target,
  input: object,
  callOptions: CallOptions,
): Promise<Answer<O>> {
  const response = await ask(options, target, input, callOptions, 'application/json')
  const body = await readJson(response, options.url, callOptions.signal)
  if (!response.ok) throw new ProblemError(toProblemBody(body, response.status))
  if (response.status === 202) throw new WaitsForApproval(body)
  const dryRun = body['dry_run'] === true && Array.isArray(body['diff'])
  return {
    status: response.status,
    body: (dryRun ? body['result'] : body) as O,
    etag: response.headers.get('etag'),
    requestId: response.headers.get('x-request-id'),
    diff: dryRun ? (body['diff'] as readonly DiffEntry[]) : null,
    approvalNeeded: dryRun && Array.isArray(body['approval_needed']) ? body['approval_needed'] : [],
  }
}

/** The bytes that an operation answers; throws as {@link send} does. */
export async function sendForBytes(
  options: ClientOptions,
  target: Target,
  input: object,
): Promise<ReadableStream<Uint8Array>> {
  const response = await ask(options, target, input, {}, '*/*')
  if (response.ok && response.body !== null) return response.body
  throw new ProblemError(toProblemBody(await readJson(response, options.url), response.status))
}

async function ask(
  options: ClientOptions,
  target: Target,
  input: object,
  { signal, ...writeOptions }: CallOptions,
  accept: string,
): Promise<Response> {
  const { url, body } = toRequest(target, { ...input }, writeOptions)
  const { method } = target
  const headers: Record<string, string> = {
    ...options.headers,
    accept,
    ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
    ...(options.userAgent !== undefined && { 'user-agent': options.userAgent }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)
  const init = {
    method,
    headers,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    // A redirect would carry the token elsewhere; the API answers none.
    redirect: 'error' as const,
    ...(body !== undefined && { body }),
  }
  return (options.fetch ?? fetch)(options.url + url, init).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw new NoAnswer(`Nothing answered at ${options.url}. ${connectionFault(error)}`.trim(), error)
  })
}

function toRequest(
  { method, path }: Target,
  input: Readonly<Record<string, unknown>>,
  options: WriteOptions,
): { readonly url: string; readonly body?: string } {
  const { id, ...rest } = input
  const members = path.includes('{id}') ? rest : input
  // Read as a step in the path, encoded or not (RFC 3986 section 5.2.4): the call would be another one
  if (path.includes('{id}') && /^\.{0,2}$/.test(String(id))) throw noSuch(String(id))
  const url = path.replace('{id}', encodeURIComponent(String(id)))
  if (method === 'GET') {
    const query = toQuery(members).toString()
    return { url: query === '' ? url : `${url}?${query}` }
  }
  const { dry_run, ...more } = fromWriteOptions(options)
  const body = JSON.stringify({ ...members, ...more })
  return { url: dry_run === true ? `${url}?dry_run=true` : url, body }
}

function toQuery(members: Readonly<Record<string, unknown>>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(members)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item === undefined) continue
      query.append(name, typeof item === 'object' ? JSON.stringify(item) : String(item))
    }
  }
  return query
}

async function readJson(
  response: Response,
  url: string,
  signal?: AbortSignal,
): Promise<Record<string, unknown>> {
  const foreign = (text: string, cause?: unknown): Error =>
    new NoAnswer(
      `The server at ${url} (status ${response.status}) is not the management API of Postern. ${plainHttpFault(response.status, text)}`.trim(),
      cause,
    )
  const text = await response.text().catch((error: unknown) => {
    signal?.throwIfAborted()
    throw foreign('', error)
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw foreign(text, error)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw foreign(text)
  // An object of JSON has no other keys than texts
  return value as Record<string, unknown>
}

export function toProblemBody(body: Readonly<Record<string, unknown>>, status: number): ProblemBody {
  const text = (name: string, otherwise: string): string =>
    typeof body[name] === 'string' ? body[name] : otherwise
  return {
    ...body,
    title: text('title', `Status ${status}`),
    status,
    detail: text('detail', text('title', `The server answered with status ${status}.`)),
    code: text('code', 'unknown'),
    request_id: typeof body['request_id'] === 'string' ? body['request_id'] : null,
    errors: Array.isArray(body['errors']) ? body['errors'].filter(isFieldError) : [],
  }
}

function noSuch(id: string): ProblemError {
  const detail = `Nothing has the id or slug "${id}".`
  return new ProblemError({
    title: 'Not found',
    status: 404,
    detail,
    code: 'not_found',
    request_id: null,
    errors: [],
  })
}

/** A proxy in between has problems of its own, whose members are of other types. */
function isFieldError(error: unknown): error is FieldError {
  if (error === null || typeof error !== 'object') return false
  const { pointer, reason } = error as Readonly<Record<string, unknown>>
  return typeof pointer === 'string' && typeof reason === 'string'
}

// The client for programs that do not have the registry, such as web pages: it knows operations by their names.
// `named.test.ts` proves that it loads no package and no module of Node.js.

export interface NamedClient {
  /** Calls an operation; throws as {@link send} does. */
  call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
    options?: CallOptions,
  ): Promise<Answer<Operations[N]['output']>>
}

/** A client that knows operations by their names, with the types of what they take and answer. */
export function createNamedClient(options: ClientOptions): NamedClient {
  return {
    async call(name, input, callOptions = {}) {
      const [method = '', path = ''] = ROUTES[name].split(' ')
      return send(options, { method, path: API_ROOT + path }, input, callOptions)
    },
  }
}
