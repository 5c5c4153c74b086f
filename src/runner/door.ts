/**
 * HTTP requests of the runner's callers: `/entries/{name}` is an MCP endpoint over Streamable HTTP, `/entries` lists the
 * entries that the token may use.
 *
 * 1. The order is: `Origin`, token, path, entry, method, parameters, message. A caller that may not use an entry learns
 *    nothing about it.
 * 2. A session belongs to the token, entry, parameters, origin and user that opened it. For others it is unknown.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { bearerOf } from '../base/http/fields.ts'
import { canonicalJson, textHash } from '../base/json/canonical.ts'
import { ByteBuffer } from '../base/memory/bytes.ts'
import { Lru } from '../base/memory/lru.ts'
import { errorText, RPC } from '../mcp/protocol/answer.ts'
import { readJson } from '../mcp/protocol/json.ts'
import {
  isLegacyVersion,
  isMembers,
  type Members,
  type Message,
  MODERN_VERSIONS,
  type RpcId,
  toMessage,
} from '../mcp/protocol/message.ts'
import { decodeMirrored, NAMED_BY, PROTOCOL_VERSION } from '../mcp/protocol/modern.ts'
import { VERSION } from '../version.ts'
import { fillArguments } from './command-line.ts'
import type { Request } from './connection.ts'
import { createExchange, type Exchange, edited, placeOf } from './exchange.ts'
import { type Failure, failure } from './failure.ts'
import type { RunnerConfig, RunnerToken } from './file.ts'
import type { EntrySpec } from './file-schema.ts'
import type { Era, Instance, Instances, Wanted } from './instances.ts'
import type { Session } from './session.ts'
import type { Timers } from './timers.ts'

/** Header that names the parameters of the entry: base64 or base64url of a JSON object in UTF-8. */
const PARAMETERS_HEADER = 'runner-parameters'
/** Header that names the user whose process it is, for entries with `instance: per_user`. */
const INSTANCE_HEADER = 'runner-instance'
/** Header that names the caller, whose share of the requests under way at a process is bounded. */
const CALLER_HEADER = 'runner-caller'
/** Header that names the origin: each origin has processes of its own. */
const ORIGIN_HEADER = 'runner-origin'

const KEY = /^[!-~]{1,128}$/
const PARAMETERS_CHARS_MAX = 12_288

export interface DoorParts {
  readonly config: RunnerConfig
  readonly instances: Instances
  readonly eraOf: EraOf
  readonly timers: Timers
  /** Told of what the runner itself did wrong. */
  readonly fault: (error: unknown) => void
}

export function createDoor({ config, instances, eraOf, timers, fault }: DoorParts): RequestListener {
  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!request.readableAborted && !response.destroyed) fault(error)
      response.destroy()
    })
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const whenLeft: (() => void)[] = []
    const exchangeFor = (bytesMax: number): Exchange =>
      createExchange(response, timers, 2 * bytesMax, () => {
        for (const work of whenLeft) work()
      })
    const refuse = (why: Failure): void => {
      // What is still to come of the body is not read
      if (!request.readableEnded) response.setHeader('connection', 'close')
      exchangeFor(0).fail(why)
    }
    // Programs send no Origin. Browsers do, also for a page that should not reach the runner.
    if (request.headers.origin !== undefined)
      return refuse(failure('origin_not_allowed', 'The runner refuses requests of web pages.'))
    const { listen } = config
    const token = listen.kind === 'socket' ? 0 : placeOfToken(listen.tokens, request.headers.authorization)
    if (token === -1)
      return refuse(
        failure('credential_invalid', 'The token is missing or unknown; send Authorization: Bearer.'),
      )
    const allowed = listen.kind === 'socket' ? null : listen.tokens[token]!.entries
    const path = (request.url ?? '').split('?', 1)[0]!
    if (path === '/entries' && request.method === 'GET') return list(allowed, exchangeFor(1024 ** 2))
    const name = /^\/entries\/([a-z0-9][a-z0-9-]{0,62})$/.exec(path)?.[1]
    if (name === undefined)
      return refuse(failure('path_unknown', 'The runner serves /entries and /entries/{name}.'))
    const entry = config.entries.get(name)
    if (entry === undefined || (allowed !== null && !allowed.has(name)))
      return refuse(
        failure(
          'entry_unknown',
          `There is no entry "${name}", or the token does not list it; GET /entries lists them.`,
        ),
      )
    const wanted = wantedOf(request, name, entry, token)
    if ('reason' in wanted) return refuse(wanted)
    if (request.method === 'GET' || request.method === 'DELETE') {
      const found = sessionOf(request, wanted)
      if ('reason' in found) return refuse(found)
      if (request.method === 'GET') {
        if (!accepts(request, 'text/event-stream'))
          return refuse(failure('not_acceptable', 'Accept must list text/event-stream.'))
        return found.session.attach(exchangeFor(entry.limits.message))
      }
      instances.endSession(found.session)
      return exchangeFor(0).end(204)
    }
    if (request.method !== 'POST') return refuse(failure('method_not_allowed', 'Send messages by POST.'))
    const unfit = faultOfHeaders(request)
    if (unfit !== null) return refuse(unfit)
    const body = await readBody(request, entry.limits.message)
    if (body === null)
      return refuse(
        failure(
          'message_too_large',
          `The message is larger than ${entry.limits.message} bytes (limits.message).`,
        ),
      )
    const exchange = exchangeFor(entry.limits.message)
    const read = readJson(body)
    if (!read.ok) return exchange.fail(failure('message_invalid', read.reason))
    const message = toMessage(read.value)
    if (message.kind === 'invalid')
      return exchange.fail(failure('message_invalid', message.reason), message.id)
    // On stdio a line feed ends a message; in JSON it only stands between tokens
    const text = body
      .toString('utf8')
      .replaceAll(/[\r\n]/g, ' ')
      .trim()
    if (isModernMessage(message, request.headers['mcp-protocol-version']))
      return modern(request, wanted, message, text, exchange, whenLeft)
    return legacy(request, wanted, message, text, exchange, whenLeft)
  }

  function list(allowed: ReadonlySet<string> | null, exchange: Exchange): void {
    const entries = [...config.entries]
      .filter(([name]) => allowed === null || allowed.has(name))
      .map(([name, { instance, parameters }]) => ({
        name,
        instance,
        parameters: Object.entries(parameters).map(([parameter, { required, enum: values }]) => ({
          name: parameter,
          required,
          ...(values === undefined ? {} : { enum: values }),
        })),
      }))
    exchange.answer(JSON.stringify({ entries }))
  }

  function sessionOf(
    request: IncomingMessage,
    wanted: Wanted,
  ): { session: Session; instance: Instance } | Failure {
    const id = request.headers['mcp-session-id']
    if (id === undefined)
      return failure(
        'message_invalid',
        'Mcp-Session-Id is missing; send initialize, or a request of 2026-07-28.',
      )
    const found = instances.find(String(id), wanted.owner)
    return found ?? failure('session_unknown', 'The session is unknown or has ended; send initialize again.')
  }

  async function legacy(
    request: IncomingMessage,
    wanted: Wanted,
    message: Exclude<Message, { kind: 'invalid' }>,
    text: string,
    exchange: Exchange,
    whenLeft: (() => void)[],
  ): Promise<void> {
    const id = message.kind === 'request' ? message.id : undefined
    if (message.kind === 'request' && message.method === 'initialize')
      return initialize(wanted, message, text, exchange)
    const found = sessionOf(request, wanted)
    if ('reason' in found) return exchange.fail(found, id)
    const { session, instance } = found
    if (message.kind === 'request') {
      const timeoutMs = wanted.entry.limits.call_timeout
      // A response whose reader has left goes nowhere: there is nothing to resume
      whenLeft.push(() => instance.connection.abandon(exchange))
      const { caller } = wanted
      return instance.connection.request({ peer: session, caller, message, text, exchange, timeoutMs })
    }
    if (message.kind === 'notification') {
      const isRepeated =
        message.method === 'notifications/initialized' && !instances.tellsInitialized(instance)
      if (!isRepeated) instance.connection.notify(session, message, text)
    } else if (message.id !== undefined) instance.connection.reply(session, message.id, text)
    exchange.end()
  }

  async function initialize(
    wanted: Wanted,
    message: Request,
    text: string,
    exchange: Exchange,
  ): Promise<void> {
    const outcome = await instances.initialize(wanted, message, text, () => !exchange.isOpen)
    if ('reason' in outcome) return exchange.fail(outcome, message.id)
    const answer = withId(outcome.text, text)
    const { session } = outcome
    exchange.answer(answer, 200, session === null ? {} : { 'mcp-session-id': session.id })
  }

  async function modern(
    request: IncomingMessage,
    wanted: Wanted,
    message: Exclude<Message, { kind: 'invalid' }>,
    text: string,
    exchange: Exchange,
    whenLeft: (() => void)[],
  ): Promise<void> {
    // The revision defines no notification of clients over HTTP
    if (message.kind === 'notification') return exchange.end()
    if (message.kind === 'response')
      return exchange.fail(
        failure('message_invalid', 'Clients send no responses in this revision.'),
        message.id,
      )
    const mismatch = mismatchOf(request, message)
    if (mismatch !== null) return exchange.answer(mismatch, 400)
    const era = await eraOf(wanted)
    if (era === 'legacy')
      return exchange.fail(
        failure('legacy_only', 'The server supports only revisions up to 2025-11-25; send initialize.'),
        message.id,
      )
    if (era !== 'modern') return exchange.fail(era, message.id)
    if (!exchange.isOpen) return
    const instance = instances.modern(wanted)
    if ('reason' in instance) return exchange.fail(instance, message.id)
    whenLeft.push(() => instance.connection.abandon(exchange))
    const timeoutMs = message.method === 'subscriptions/listen' ? null : wanted.entry.limits.call_timeout
    const { caller } = wanted
    instance.connection.request({ peer: null, caller, message, text, exchange, timeoutMs })
  }
}

/** What the request asks to be run, by its headers. */
function wantedOf(request: IncomingMessage, name: string, entry: EntrySpec, token: number): Wanted | Failure {
  const values = parametersOf(request.headers[PARAMETERS_HEADER])
  if (values === null)
    return failure('parameters_invalid', 'Runner-Parameters must be base64 of a JSON object in UTF-8.')
  const filled = fillArguments(entry, values)
  if ('errors' in filled) {
    const [first] = filled.errors
    const text = `${first!.pointer}: ${first!.reason}`
    return failure('parameters_invalid', `The parameters do not match the entry: ${text}.`, {
      errors: filled.errors,
    })
  }
  const user = request.headers[INSTANCE_HEADER]
  const origin = request.headers[ORIGIN_HEADER]
  const caller = request.headers[CALLER_HEADER]
  for (const key of [user, origin, caller])
    if (key !== undefined && !KEY.test(String(key)))
      return failure(
        'parameters_invalid',
        'Runner-Instance, Runner-Origin and Runner-Caller take 1 to 128 visible ASCII characters.',
      )
  if (entry.instance === 'per_user' && user === undefined)
    return failure('instance_required', 'The entry has a process per user; send Runner-Instance.')
  const command = textHash(canonicalJson([name, filled.args]))
  // A shared process is the same for all users, whatever they send
  const key = entry.instance === 'per_user' ? user : null
  return {
    name,
    entry,
    args: filled.args,
    command,
    caller: String(caller ?? ''),
    owner: textHash(canonicalJson([command, token, origin ?? null, key])),
  }
}

/** The values of `Runner-Parameters`; none without it; null where it is malformed. */
function parametersOf(header: string | string[] | undefined): Readonly<Record<string, unknown>> | null {
  if (header === undefined) return {}
  if (typeof header !== 'string' || header.length > PARAMETERS_CHARS_MAX || !/^[\w+/-]*={0,2}$/.test(header))
    return null
  const read = readJson(Buffer.from(header, 'base64'))
  return read.ok && isMembers(read.value) ? read.value : null
}

function faultOfHeaders(request: IncomingMessage): Failure | null {
  const type = request.headers['content-type'] ?? ''
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (!/^application\/json[\t ]*(;|$)/i.test(type) || encoding !== 'identity')
    return failure('media_type_unsupported', 'Content-Type must be application/json, without compression.')
  if (!accepts(request, 'application/json') || !accepts(request, 'text/event-stream'))
    return failure('not_acceptable', 'Accept must list application/json and text/event-stream.')
  return null
}

function accepts(request: IncomingMessage, type: string): boolean {
  const accept = request.headers.accept ?? ''
  return accept.includes('*/*') || accept.toLowerCase().includes(type)
}

/** As Postern's own endpoints tell the eras apart (2026-07-28, versioning: backward compatibility). */
function isModernMessage(message: Message, header: string | string[] | undefined): boolean {
  if (message.kind === 'request' && message.method === 'initialize') return false
  if (header !== undefined && !isLegacyVersion(String(header))) return true
  if (message.kind !== 'request') return false
  const meta = message.params['_meta']
  const version = isMembers(meta) ? meta[PROTOCOL_VERSION] : undefined
  return version !== undefined && !(typeof version === 'string' && isLegacyVersion(version))
}

/** The error for headers that differ from the message (2026-07-28, streamable HTTP: mirrored headers); null where none does. */
function mismatchOf({ headers }: IncomingMessage, { id, method, params }: Request): string | null {
  const meta = params['_meta']
  const version = isMembers(meta) ? meta[PROTOCOL_VERSION] : undefined
  if (headers['mcp-protocol-version'] !== version) return mismatchText(id, 'MCP-Protocol-Version')
  if (headers['mcp-method'] !== method) return mismatchText(id, 'Mcp-Method')
  const parameter = NAMED_BY.get(method)
  if (parameter === undefined) return null
  const name = headers['mcp-name']
  const isEqual = typeof name === 'string' && decodeMirrored(name) === params[parameter]
  return isEqual ? null : mismatchText(id, 'Mcp-Name')
}

function mismatchText(id: RpcId, header: string): string {
  const message = `Header mismatch: ${header} is missing or differs from the body`
  return errorText(id, RPC.headerMismatch, message)
}

/** The text of a response with the id that the request has. */
function withId(response: string, request: string): string {
  const id = placeOf(request, 'id')!
  return edited(response, [{ ...placeOf(response, 'id')!, text: request.slice(id.from, id.to) }])
}

/**
 * The place of the token that a request carries, or -1. All tokens are compared, each in constant time, so that the time
 * tells nothing of them.
 * @param authorization the field of the request
 */
function placeOfToken(tokens: readonly RunnerToken[], authorization: string | undefined): number {
  const digest = hash('sha256', bearerOf(authorization), 'buffer')
  let found = -1
  tokens.forEach((token, place) => {
    if (timingSafeEqual(token.digest, digest)) found = place
  })
  return found
}

/** The whole body, or null when it is larger than allowed: then the rest is not kept. Rejects when the caller leaves. */
function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const buffer = new ByteBuffer(null)
  return new Promise((done, reject) => {
    request.on('data', (piece: Buffer) => {
      if (buffer.length + piece.length > bytesMax) {
        buffer.drop()
        done(null)
      } else buffer.add(piece, 0, piece.length)
    })
    request.once('end', () => done(buffer.whole()))
    request.once('error', reject)
    request.once('close', () => reject(new Error('The caller has disconnected')))
  })
}

// Finds out which era a server speaks. Before a modern request, a new process is asked with `server/discover`. A process that
// answers is kept for the request. Some legacy servers exit on a request before `initialize`; they are started again. Legacy
// clients need no verdict: servers of both eras take `initialize`, and others refuse it themselves.

/** A server may have been upgraded since, milliseconds. */
const VERDICT_MS = 24 * 60 * 60 * 1000
/** Of a server that did not answer in time: it may only have been slow. */
const DOUBTFUL_MS = 60_000
const PROBE_MS_MAX = 10_000
const VERDICTS_MAX = 1000
/** Processes at once that are asked. */
const PROBES_MAX = 8

/** Codes that only modern servers send. */
const MODERN_CODES: ReadonlySet<unknown> = new Set([RPC.headerMismatch, -32_021, RPC.unsupportedVersion])

/** Tells the era of a server, or why it cannot be known. */
export type EraOf = (wanted: Wanted) => Promise<Era | Failure>

export function createEraOf(instances: Instances, clock: Clock): EraOf {
  const verdicts = new Lru<string, { readonly era: Era; readonly until: number }>(VERDICTS_MAX)
  const probes = new Map<string, Promise<Era | Failure>>()
  const params = {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': MODERN_VERSIONS[0],
      'io.modelcontextprotocol/clientCapabilities': {},
      'io.modelcontextprotocol/clientInfo': { name: 'postern-runner', version: VERSION },
    },
  }
  const message: Request = { kind: 'request', id: 1, method: 'server/discover', params }
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: message.method, params })

  async function probe(wanted: Wanted): Promise<Era | Failure> {
    const { start_timeout } = wanted.entry.limits
    const timeoutMs = Math.min(PROBE_MS_MAX, start_timeout)
    const outcome = await instances.askFirst(wanted, message, text, timeoutMs, eraIn)
    if ('why' in outcome) {
      const { reason } = outcome.why
      if (reason === 'process_ended') return keep(wanted, 'legacy', VERDICT_MS)
      return reason === 'call_timeout' ? keep(wanted, 'legacy', DOUBTFUL_MS) : outcome.why
    }
    return keep(wanted, eraIn(outcome.text), VERDICT_MS)
  }

  function keep({ command }: Wanted, era: Era, ms: number): Era {
    verdicts.set(command, { era, until: clock.monotonic() + ms })
    return era
  }

  return async (wanted) => {
    if (wanted.entry.era !== 'auto') return wanted.entry.era
    const known = verdicts.get(wanted.command)
    if (known !== undefined && known.until > clock.monotonic()) return known.era
    let probing = probes.get(wanted.command)
    if (probing === undefined) {
      if (probes.size >= PROBES_MAX)
        return failure('instances_full', 'The era of too many servers is being detected. Try again later.', {
          retryAfterMs: 1000,
        })
      probing = probe(wanted).finally(() => probes.delete(wanted.command))
      probes.set(wanted.command, probing)
    }
    return probing
  }
}

/** @param answer response to `server/discover` */
function eraIn(answer: string): Era {
  const { result, error } = JSON.parse(answer) as Members
  const isModern = isMembers(error)
    ? MODERN_CODES.has(error['code'])
    : isMembers(result) && Array.isArray(result['supportedVersions'])
  return isModern ? 'modern' : 'legacy'
}
