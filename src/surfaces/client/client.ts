import type { z } from 'zod'
import { connectionFault, plainHttpFault } from '../../base/connection-fault.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { DiffEntry, WriteOptions } from '../../operations/engine/call.ts'
import { fromWriteOptions } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { API_ROOT, type Route, routeOf } from '../route.ts'
import { type Operations, ROUTES } from './types.ts'

export interface ClientOptions {
  /** Where management REST is; an origin. */
  readonly url: string
  readonly token: string
  readonly fetch?: typeof fetch
  readonly userAgent?: string
  /** How long one call may take, in milliseconds. */
  readonly timeoutMs?: number
}

interface Answer<O> {
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

export interface Client {
  /**
   * Calls an operation. Throws a {@link ProblemError} when it is refused, a {@link WaitsForApproval} when another person
   * has to approve it, a {@link NoAnswer} when nothing like it answers.
   */
  call<I extends z.ZodObject, O extends z.ZodObject>(
    operation: Operation<I, O>,
    input: z.input<I>,
    options?: WriteOptions,
  ): Promise<Answer<z.output<O>>>
  /** The bytes that an operation answers; throws as {@link call} does. */
  download(
    operation: Operation,
    input: Readonly<Record<string, unknown>>,
  ): Promise<ReadableStream<Uint8Array>>
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

/** No answer, or none that management REST would give. */
class NoAnswer extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'NoAnswer'
  }
}

const TIMEOUT_MS = 120_000

/** A client of management REST. What it can call are the operations themselves. */
export function createClient(options: ClientOptions): Client {
  return {
    // define() hands operations out by their erased type; routes depend on nothing else
    call: (operation, input, writeOptions = {}) =>
      send(options, routeOf(operation as unknown as Operation), input, writeOptions),
    async download(operation, input) {
      const response = await ask(options, toRequest(routeOf(operation), input, {}), '*/*')
      if (response.ok && response.body !== null) return response.body
      throw new ProblemError(toProblemBody(await readJson(response, options.url), response.status))
    },
  }
}

/** A client that knows operations by their names and what is printed of them, without the registry. */
export interface NamedClient {
  /** As {@link Client.call}. */
  call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
    options?: WriteOptions,
  ): Promise<Answer<Operations[N]['output']>>
}

/** A client that knows operations by their names, with the types of what they take and answer. */
export function createNamedClient(options: ClientOptions): NamedClient {
  return {
    async call(name, input, writeOptions = {}) {
      const [method = '', path = ''] = ROUTES[name].split(' ')
      // Printed from routes, so that it is one of their methods
      const route = { method: method as Route['method'], path, byId: path.includes('{id}') }
      return send(options, route, input, writeOptions)
    },
  }
}

/** Tests hold every operation to its output schema, which types the answer. */
async function send<O>(
  options: ClientOptions,
  route: Route,
  input: object,
  writeOptions: WriteOptions,
): Promise<Answer<O>> {
  const response = await ask(options, toRequest(route, { ...input }, writeOptions), 'application/json')
  const body = await readJson(response, options.url)
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

async function ask(
  options: ClientOptions,
  { url, init }: { readonly url: string; readonly init: Init },
  accept: string,
): Promise<Response> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${options.token}`,
    accept,
    'user-agent': options.userAgent ?? 'postern-client',
    ...(init.body !== undefined && { 'content-type': 'application/json' }),
  }
  const signal = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)
  // A redirect would carry the token elsewhere; the API answers none.
  const asked = (options.fetch ?? fetch)(options.url + url, { ...init, headers, signal, redirect: 'error' })
  return asked.catch((error: unknown) => {
    throw new NoAnswer(`Nothing answered at ${options.url}. ${connectionFault(error)}`.trim(), error)
  })
}

interface Init {
  readonly method: string
  readonly body?: string
}

function toRequest(
  { method, path, byId }: Route,
  input: Readonly<Record<string, unknown>>,
  options: WriteOptions,
): { url: string; init: Init } {
  const { id, ...rest } = input
  const members = byId ? rest : input
  const url = API_ROOT + path.replace('{id}', encodeURIComponent(String(id)))
  if (method === 'GET') {
    const query = toQuery(members).toString()
    return { url: query === '' ? url : `${url}?${query}`, init: { method } }
  }
  const { dry_run, ...more } = fromWriteOptions(options)
  const body = JSON.stringify({ ...members, ...more })
  return { url: dry_run === true ? `${url}?dry_run=true` : url, init: { method, body } }
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

async function readJson(response: Response, url: string): Promise<Record<string, unknown>> {
  const foreign = (text: string, cause?: unknown): Error =>
    new NoAnswer(
      `What answered at ${url} (status ${response.status}) is not the management API of Postern. ${plainHttpFault(response.status, text)}`.trim(),
      cause,
    )
  const text = await response.text().catch((error: unknown) => {
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

function toProblemBody(body: Readonly<Record<string, unknown>>, status: number): ProblemBody {
  const text = (name: string, otherwise: string): string =>
    typeof body[name] === 'string' ? body[name] : otherwise
  return {
    ...body,
    title: text('title', `Status ${status}`),
    status,
    detail: text('detail', text('title', `The server answered with status ${status}.`)),
    code: text('code', 'unknown'),
    request_id: typeof body['request_id'] === 'string' ? body['request_id'] : null,
    errors: Array.isArray(body['errors']) ? body['errors'] : [],
  }
}
