/** The codec of 2026-07-28, without handshake and sessions. */
import { pointerTo } from '../../base/json/storable.ts'
import {
  answerOf,
  emptyAnswer,
  errorAnswer,
  errorText,
  jsonAnswer,
  type McpAnswer,
  type McpRequest,
  RPC,
  resultAnswer,
  resultText,
} from './answer.ts'
import type { Door, Tool } from './door.ts'
import {
  isMembers,
  isModernVersion,
  type Members,
  type Message,
  MODERN_VERSIONS,
  type RpcId,
  SERVED_VERSIONS,
} from './message.ts'
import { aboutOf, errorOf, type Offered, offer } from './offers.ts'
import { CLIENT_INFO, type ReceivedMessage } from './received-message.ts'
import { type About, isLogLevel, type Relay, type RelayedRequest } from './relay-port.ts'
import { type Asking, callTool } from './run-tool-call.ts'
import { QUESTION, type Questions, takesForms } from './sealed-elicitation.ts'
import { type EventStream, openEventStream } from './sse-reader.ts'

/** The codec of 2026-07-28: no handshake, no sessions; every request says who asks and in which version. */
export const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion'
export const CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities'
export const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'
/** Member of `_meta` in which a server names itself. */
export const SERVER_INFO = 'io.modelcontextprotocol/serverInfo'

/** Parameter that `Mcp-Name` mirrors, by method. */
export const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  // The extension of tasks (SEP-2663)
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])

/** Milliseconds for which a client may keep what discovery says; it changes with a release only. */
const DISCOVER_TTL_MS = 3_600_000

type Request = Extract<Message, { kind: 'request' }>

export interface ModernCodec<Caller> {
  /** Answers a request whose version header and `_meta` may still be anything. */
  answer(
    caller: Caller,
    message: Request,
    request: McpRequest,
    received: ReceivedMessage,
    done: (answer: McpAnswer) => void,
  ): void
}

/** A codec that answers for `door`; what it throws goes to `fault`. */
export function createModernCodec<Caller>(
  door: Door<Caller>,
  questions: Questions,
  fault: (error: unknown) => void,
): ModernCodec<Caller> {
  const seal = `"_meta":${JSON.stringify({ [SERVER_INFO]: door.info })}`
  const sealed = (members: string): string => `{"resultType":"complete",${members},${seal}}`
  const discovered = new WeakMap<About, string>()
  const aboutFor = aboutOf(door)
  function discoveredOf(caller: Caller): string {
    const about = aboutFor(caller, true)
    let text = discovered.get(about)
    if (text === undefined) {
      const { capabilities, instructions } = about
      const kept = { ttlMs: DISCOVER_TTL_MS, cacheScope: 'private' }
      const result = { supportedVersions: MODERN_VERSIONS, capabilities, instructions, ...kept }
      text = sealed(JSON.stringify(result).slice(1, -1))
      discovered.set(about, text)
    }
    return text
  }
  // What a caller sees depends on its permissions, so no list may be shared between callers: cacheScope private.
  const listed = new WeakMap<readonly Tool[], string>()
  function listOf(tools: readonly Tool[], ttlMs: number): string {
    let text = listed.get(tools)
    if (text === undefined) {
      const result = { tools, ttlMs, cacheScope: 'private' }
      text = sealed(JSON.stringify(result).slice(1, -1))
      listed.set(tools, text)
    }
    return text
  }

  function offeredText(id: RpcId, offered: Offered, ttlMs: number, received: ReceivedMessage): string {
    if (offered.kind === 'result') {
      // What a caller sees depends on its permissions here too
      const kept = offered.isKept ? { ttlMs, cacheScope: 'private' } : {}
      return resultText(id, sealed(JSON.stringify({ ...offered.result, ...kept }).slice(1, -1)))
    }
    const { code, message, data } = errorOf(offered, RPC.invalidParams)
    received.error = code
    return errorText(id, code, message, data)
  }

  function askingFor(caller: Caller, params: Members): Asking | null {
    const meta = params['_meta']
    if (!isMembers(meta) || !takesForms(meta[CLIENT_CAPABILITIES])) return null
    const identity = door.identityOf(caller)
    return {
      replyTo: (call) => questions.replyTo({ identity, ...call }, params),
      ask(call, { message, form }) {
        const request = {
          method: 'elicitation/create',
          params: { mode: 'form', message, requestedSchema: form },
        }
        const inputRequests = JSON.stringify({ [QUESTION]: request })
        const state = JSON.stringify(questions.ask({ identity, ...call }))
        return `{"resultType":"input_required","inputRequests":${inputRequests},"requestState":${state},${seal}}`
      },
    }
  }

  return {
    answer(caller, message, request, received, done) {
      const { id, method, params } = message
      const refusal = refuseEnvelope(message, request)
      if (refusal !== null) return done(refusal)
      if (method === 'server/discover') return done(jsonAnswer(200, resultText(id, discoveredOf(caller))))
      if (door.relay !== undefined) {
        received.hangUpCancels = true
        return relayed(door.relay, caller, message, request, received, done)
      }
      if (method === 'tools/list') {
        if (params['cursor'] !== undefined)
          return done(
            errorAnswer(200, id, RPC.invalidParams, 'Unknown cursor', { pointer: '/params/cursor' }),
          )
        return done(jsonAnswer(200, resultText(id, listOf(door.tools(caller), door.listTtlMs))))
      }
      const offered = offer(door, caller, method, params, received)
      if (offered !== null) {
        offered.then(
          (found) => done(jsonAnswer(200, offeredText(id, found, door.listTtlMs, received))),
          (error: unknown) => {
            fault(error)
            done(errorAnswer(200, id, RPC.internalError, 'Internal error'))
          },
        )
        return
      }
      received.hangUpCancels = true
      if (method === 'tools/call')
        return callTool(
          door,
          caller,
          params,
          id,
          received,
          sealed,
          askingFor(caller, params),
          fault,
          (text) => done(answerOf(text)),
        )
      // The body tells an unknown method from a place without MCP (streamable HTTP: protocol version header).
      done(errorAnswer(404, id, RPC.methodNotFound, 'Method not found', { method }))
    },
  }
}

function relayed<Caller>(
  relay: Relay<Caller>,
  caller: Caller,
  { id, method, params }: Request,
  request: McpRequest,
  received: ReceivedMessage,
  done: (answer: McpAnswer) => void,
): void {
  const stream = createRelayStream(request.header('accept'), done)
  // Judged with the envelope
  const meta = params['_meta'] as Members
  const level = meta[LOG_LEVEL]
  const asked: RelayedRequest = {
    id,
    method,
    params,
    version: MODERN_VERSIONS[0],
    isModern: true,
    received,
    clientCapabilities: meta[CLIENT_CAPABILITIES] as Members,
    logLevel: isLogLevel(level) ? level : null,
    mirrored: (name) => request.header(name),
    readsStreams: stream.isAble,
    notify: (text) => stream.message(text),
    onLeft: (listener) => {
      stream.left = listener
    },
    ask: null,
  }
  relay.answer(caller, asked, (answer) => {
    if (answer.kind === 'none')
      return stream.end(
        () => null,
        () => emptyAnswer(202),
      )
    if (answer.kind === 'result') {
      return stream.end(
        () => resultText(id, answer.text),
        () => resultAnswer(id, answer),
      )
    }
    const { code, message, data, status = 200 } = answer
    received.error = code
    stream.end(
      () => errorText(id, code, message, data),
      () => errorAnswer(status, id, code, message, data),
    )
  })
}

/** Checks version, `_meta` and mirrored headers; null when all agree. Nothing is inferred from earlier requests. */
function refuseEnvelope(message: Request, request: McpRequest): McpAnswer | null {
  const { id, method, params } = message
  const meta = params['_meta']
  const header = request.header('mcp-protocol-version')
  const version = isMembers(meta) ? meta[PROTOCOL_VERSION] : undefined

  // An unknown version comes first: the client learns what to retry with, whatever else its revision does differently.
  if (typeof version === 'string' && header === version && !isModernVersion(version))
    return refuseVersion(id, version, MODERN_VERSIONS)
  if (version === undefined && header !== undefined && !isModernVersion(header))
    return refuseVersion(id, header)
  if (!isMembers(meta) || typeof version !== 'string') return missing(id, PROTOCOL_VERSION)
  if (header === undefined) return mismatch(id, 'MCP-Protocol-Version is missing')
  if (header !== version) return mismatch(id, 'MCP-Protocol-Version differs from the version in _meta')

  const mirroredMethod = request.header('mcp-method')
  if (mirroredMethod === undefined) return mismatch(id, 'Mcp-Method is missing')
  if (mirroredMethod !== method) return mismatch(id, 'Mcp-Method differs from the method in the body')
  const parameter = NAMED_BY.get(method)
  if (parameter !== undefined) {
    const mirroredName = request.header('mcp-name')
    if (mirroredName === undefined) return mismatch(id, 'Mcp-Name is missing')
    const name = decodeMirrored(mirroredName)
    if (name === null) return mismatch(id, 'Mcp-Name is malformed')
    if (name !== params[parameter]) return mismatch(id, `Mcp-Name differs from params.${parameter}`)
  }

  if (!isMembers(meta[CLIENT_CAPABILITIES])) return missing(id, CLIENT_CAPABILITIES)
  if (meta[CLIENT_INFO] !== undefined && !isMembers(meta[CLIENT_INFO]))
    return errorAnswer(400, id, RPC.invalidParams, `_meta: ${CLIENT_INFO} must be an object`)
  if (meta[LOG_LEVEL] !== undefined && !isLogLevel(meta[LOG_LEVEL]))
    return errorAnswer(400, id, RPC.invalidParams, `_meta: ${LOG_LEVEL} is unknown`)
  return null
}

function missing(id: RpcId, key: string): McpAnswer {
  return errorAnswer(400, id, RPC.invalidParams, `_meta: ${key} is missing or malformed`, {
    pointer: pointerTo('/params/_meta', key),
  })
}

function mismatch(id: RpcId, reason: string): McpAnswer {
  return errorAnswer(400, id, RPC.headerMismatch, `Header mismatch: ${reason}`)
}

/**
 * The refusal of a version that is not served; it names those that are. A request with a modern `_meta` is told what
 * discovery says: it could not speak the others.
 */
export function refuseVersion(
  id: RpcId | undefined,
  requested: string,
  supported: readonly string[] = SERVED_VERSIONS,
): McpAnswer {
  return errorAnswer(400, id, RPC.unsupportedVersion, 'Unsupported protocol version', {
    supported,
    requested: requested.slice(0, 64),
  })
}

// Values in headers that mirror members of a message.

/** Visible ASCII with spaces and tabs inside (RFC 9110 section 5.5). */
const PLAIN = /^[!-~]([\t -~]*[!-~])?$/
/** Canonical base64 with padding (RFC 4648 section 4). */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const PREFIX = '=?base64?'
const SUFFIX = '?='

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The value that a mirrored header (`Mcp-Name`, `Mcp-Param-…`) stands for (2026-07-28, streamable HTTP: value
 * encoding): plain text, or `=?base64?<base64 of UTF-8>?=`. Null when it has foreign characters, bad padding or
 * bytes that are not UTF-8.
 */
export function decodeMirrored(value: string): string | null {
  if (!value.startsWith(PREFIX) || !value.endsWith(SUFFIX) || value.length < PREFIX.length + SUFFIX.length)
    return value === '' || PLAIN.test(value) ? value : null
  const encoded = value.slice(PREFIX.length, -SUFFIX.length)
  if (!BASE64.test(encoded)) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.toString('base64') !== encoded) return null
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

/** How a value travels in a mirrored header; the inverse of {@link decodeMirrored}. */
export function encodeMirrored(value: string): string {
  const looksEncoded = value.startsWith(PREFIX) && value.endsWith(SUFFIX)
  if (!looksEncoded && PLAIN.test(value)) return value
  return `${PREFIX}${Buffer.from(value, 'utf8').toString('base64')}${SUFFIX}`
}

// The response to a relayed request: one JSON object, or a stream of events.

/** Between two signs of life, milliseconds: what lies between ends connections that are silent for a minute. */
const KEEP_ALIVE_MS = 15_000
/** After so long without an answer a stream that can be resumed is opened, milliseconds: its client must learn how. */
const OPENED_AFTER_MS = 1000

/** The answer to a relayed request: one JSON object, or from the first message before the response on a stream of events. */
export interface RelayStream {
  /** True for a client that reads streams. */
  readonly isAble: boolean
  /** Sends a message before the response; a client that reads no streams does not get it. @param text one line of JSON */
  message(text: string): void
  /** Told once when the client has left the stream, and is not waited for. */
  left: () => void
  /** Sends the response. @param text of the JSON-RPC response; null for none. @param plain the answer where no stream was opened */
  end(text: () => string | null, plain: () => McpAnswer): void
}

/** A stream that a later request can take up again. */
export interface Resumable {
  open(left: () => void): EventStream
  /** False as long as the record of the message waits for its answer. */
  isAccounted(): boolean
}

/**
 * @param accept the Accept header of the request
 * @param done is called once, with the stream as soon as there is one
 * @param resumable null for a stream that ends with its connection
 */
export function createRelayStream(
  accept: string | undefined,
  done: (answer: McpAnswer) => void,
  resumable: Resumable | null = null,
): RelayStream {
  const isAble = accept !== undefined && /text\/event-stream/i.test(accept)
  let stream: EventStream | null = null
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const self: RelayStream = {
    isAble,
    left() {},
    message(text) {
      if (!isAble || isOver) return
      const isFirst = stream === null
      const opened = stream ?? open()
      opened.message(text)
      if (isFirst) done(opened.answer)
    },
    end(text, plain) {
      isOver = true
      clearInterval(timer)
      if (stream === null) {
        done(plain())
        return
      }
      const response = text()
      if (response !== null) stream.message(response)
      stream.end()
    },
  }

  function open(): EventStream {
    clearInterval(timer)
    const left = (): void => {
      clearInterval(timer)
      self.left()
    }
    const opened = resumable?.open(left) ?? openEventStream(left)
    stream = opened
    timer = setInterval(() => opened.keepAlive(), KEEP_ALIVE_MS).unref()
    return opened
  }

  if (isAble && resumable !== null)
    timer = setInterval(() => {
      if (resumable.isAccounted()) done(open().answer)
    }, OPENED_AFTER_MS).unref()
  return self
}
