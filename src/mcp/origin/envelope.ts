/** Writes requests in the form of either era (2026-07-28 basic/transports; 2025-11-25 basic/transports). */
import { joined, withDigits } from '../../base/json/exact.ts'
import { isMembers, isModernVersion, type Members, type RpcId, sentParams } from '../protocol/message.ts'
import {
  CLIENT_CAPABILITIES,
  decodeMirrored,
  encodeMirrored,
  NAMED_BY,
  PROTOCOL_VERSION,
} from '../protocol/modern.ts'
import { CLIENT_INFO } from '../protocol/received-message.ts'

const CONTENT = 'Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n'

/** How Postern names itself to origins where no client speaks through it. */
export interface OwnName {
  readonly name: string
  readonly version: string
}

/** Members of `_meta` that belong to the envelope of 2026-07-28, and mean nothing in earlier revisions. */
const ENVELOPE = 'io.modelcontextprotocol/'

/** What the client behind a request is and can, as `_meta` of 2026-07-28 says it. */
export interface Speaker {
  readonly info: Members
  readonly capabilities: Members
}

/**
 * A request to an origin that speaks `version`.
 * @param session id of the legacy session; null for none
 * @param given params; members that the method does not have in `version` are left out. The `_meta` of the caller may stand in it; of a
 *   modern one the envelope is kept
 * @param mirrored header lines of arguments, see mirrored-params
 */
export function originRequest(
  version: string,
  session: string | null,
  id: RpcId,
  method: string,
  given: Members,
  speaker: Speaker,
  mirrored = '',
): OriginRequest {
  const params = sentParams(version, method, given)
  if (!isModernVersion(version))
    return post(legacyFields(version, session), {
      jsonrpc: '2.0',
      id,
      method,
      params: withoutEnvelope(params),
    })
  const named = NAMED_BY.get(method)
  const name = named === undefined ? undefined : params[named]
  return post(
    `MCP-Protocol-Version: ${version}\r\nMcp-Method: ${method}\r\n${
      typeof name === 'string' ? `Mcp-Name: ${encodeMirrored(name)}\r\n` : ''
    }${mirrored}`,
    { jsonrpc: '2.0', id, method, params: withEnvelope(params, version, speaker) },
  )
}

/** The parameters themselves where their sender has said all of it. */
function withEnvelope(params: Members, version: string, { info, capabilities }: Speaker): Members {
  const meta = isMembers(params['_meta']) ? params['_meta'] : {}
  const given = { info: meta[CLIENT_INFO] ?? null, capabilities: meta[CLIENT_CAPABILITIES] ?? null }
  if (meta[PROTOCOL_VERSION] === version && given.info !== null && given.capabilities !== null) return params
  return {
    ...params,
    _meta: joined(meta, {
      [PROTOCOL_VERSION]: version,
      [CLIENT_INFO]: given.info ?? info,
      [CLIENT_CAPABILITIES]: given.capabilities ?? capabilities,
    }),
  }
}

/** A notification to an origin of an earlier era. */
export function originNotification(
  version: string,
  session: string | null,
  method: string,
  params: Members,
): OriginRequest {
  return post(legacyFields(version, session), { jsonrpc: '2.0', method, params })
}

/** The response to a request of an origin of an earlier era. */
export function originResponse(version: string, session: string | null, response: Members): OriginRequest {
  return post(legacyFields(version, session), response)
}

/** The request that opens a legacy session. */
export function initializeRequest(
  id: RpcId,
  version: string,
  own: OwnName,
  capabilities: Members,
): OriginRequest {
  const params = { protocolVersion: version, capabilities, clientInfo: { ...own } }
  return post('', { jsonrpc: '2.0', id, method: 'initialize', params })
}

/**
 * The request that opens the stream of a legacy session, on which a server says what belongs to no request.
 * @param lastId id of the last event that came; empty for none
 */
export function sessionStream(version: string, session: string | null, lastId: string): OriginRequest {
  // Whatever else stands there would break the request
  const resumed = /^[!-~]{1,1024}$/.test(lastId) ? `Last-Event-ID: ${lastId}\r\n` : ''
  const fields = `Accept: text/event-stream\r\n${legacyFields(version, session)}${resumed}`
  return { method: 'GET', fields, body: null }
}

/** The request that ends a legacy session. */
export function endSession(version: string, session: string): OriginRequest {
  return { method: 'DELETE', fields: legacyFields(version, session), body: null }
}

function legacyFields(version: string, session: string | null): string {
  // The header came with 2025-06-18; earlier servers ignore it
  const fields = `MCP-Protocol-Version: ${version}\r\n`
  return session === null ? fields : `${fields}Mcp-Session-Id: ${session}\r\n`
}

function post(fields: string, message: Members): OriginRequest {
  return { method: 'POST', fields: CONTENT + fields, body: JSON.stringify(withDigits(message)) }
}

function withoutEnvelope(params: Members): Members {
  const meta = params['_meta']
  if (!isMembers(meta)) return params
  const kept = Object.entries(meta).filter(([name]) => !name.startsWith(ENVELOPE))
  const { _meta, ...rest } = params
  return kept.length === 0 ? rest : { ...rest, _meta: Object.fromEntries(kept) }
}

// The port through which the client of origins sends requests. Pools, credentials and rules are behind it.

/** A place at the server of an origin. */
export interface OriginPlace {
  readonly path: string
  /** Without `?`; empty for none. */
  readonly query: string
}

/** One HTTP request to the MCP endpoint of an origin. */
export interface OriginRequest {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** Header lines ending in CRLF, without those of framing and of credentials. */
  readonly fields: string
  /** Null for all but POST. */
  readonly body: string | null
  /** Where the server wants it; absent: at the URL of the origin. */
  readonly at?: OriginPlace
}

export type OriginAnswer =
  | {
      readonly ok: true
      readonly status: number
      /** Value of a header by its lower-case name. */
      readonly header: (name: string) => string | undefined
      readonly body: Uint8Array
      /** More came than is read. */
      readonly truncated: boolean
    }
  /** No answer came. @see isUnreachable it is the server, or the way to it, that failed, and none of what Postern needs itself */
  | { readonly ok: false; readonly reason: string; readonly isUnreachable?: boolean }

/** Sends one request. Never rejects. */
export type SendToOrigin = (request: OriginRequest) => Promise<OriginAnswer>

/** Reads an answer while it comes. Nothing here may throw. */
export interface OriginAnswerReader {
  /** @param header value of a header by its lower-case name */
  head(status: number, header: (name: string) => string | undefined): void
  /** The bytes are a loan for the time of the call. False: enough was read. */
  piece(bytes: Buffer, from: number, to: number): boolean
  /** Told once, unless the request was given up. @param fault why no answer came, or why it broke off; null for one that has ended */
  over(fault: string | null): void
}

/** Sends one request, whose answer may stand for hours. The returned handle ends it. */
export type ReadFromOrigin = (request: OriginRequest, reader: OriginAnswerReader) => { abort(): void }

// Arguments that are also sent in headers (2026-07-28, basic/transports: `x-mcp-header`). The mark is valid on string,
// integer and boolean properties that are reached through `properties` only. Names are tokens, and unique regardless of case.

/** An argument with a header of its own. */
export interface MirroredParam {
  /** Members that lead to it. */
  readonly path: readonly string[]
  readonly header: string
}

const MARK = 'x-mcp-header'
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])
const DEPTH_MAX = 32

/** Why the marks of a schema are not legal, as the end of a sentence about its tool; null when they are. */
export function mirroredFault(schema: unknown): string | null {
  // Without a schema there are no marks
  if (!isMembers(schema)) return null
  try {
    mirroredParams(schema)
    return null
  } catch (error) {
    return (error as RangeError).message
  }
}

/** Of schemas that were asked for. */
const known = new WeakMap<Members, readonly MirroredParam[]>()

/** The marked arguments of a tool. Throws a RangeError for a mark that is not legal. */
export function mirroredParams(schema: Members): readonly MirroredParam[] {
  let params = known.get(schema)
  if (params === undefined) {
    params = markedIn(schema)
    known.set(schema, params)
  }
  return params
}

function markedIn(schema: Members): readonly MirroredParam[] {
  const found: MirroredParam[] = []
  const names = new Set<string>()
  const visit = (value: unknown, path: readonly string[], isReached: boolean): void => {
    if (path.length > DEPTH_MAX) return
    if (Array.isArray(value)) {
      for (const one of value) visit(one, path, false)
      return
    }
    if (!isMembers(value)) return
    const header = value[MARK]
    if (header !== undefined) {
      if (!isReached || path.length === 0 || !TYPES.has(value['type']))
        throw new RangeError('has an x-mcp-header where none may be')
      if (typeof header !== 'string' || !TOKEN.test(header) || names.has(header.toLowerCase()))
        throw new RangeError('has an x-mcp-header that is no name of its own')
      names.add(header.toLowerCase())
      found.push({ path, header })
    }
    for (const [member, inner] of Object.entries(value)) {
      if (member === 'properties' && isMembers(inner))
        for (const [name, property] of Object.entries(inner)) visit(property, [...path, name], isReached)
      else if (member !== 'default' && member !== 'const' && member !== 'enum' && member !== 'examples')
        visit(inner, path, false)
    }
  }
  visit(schema, [], true)
  return found
}

/** The header lines for the arguments of a call; an absent or null argument has none. */
export function mirroredLines(params: readonly MirroredParam[], given: Members): string {
  let lines = ''
  for (const { path, header } of params) {
    const value = valueAt(given, path)
    if (travels(value)) lines += `${PREFIX}${header}: ${encodeMirrored(String(value))}\r\n`
  }
  return lines
}

/**
 * Compares the arguments of a call with the headers that its sender has made of them (2026-07-28, basic/transports: server
 * validation). A header without its argument differs too: whoever reads headers alone would be told something else.
 * @param headerOf value of a header by its lower-case name
 * @returns what differs, as a sentence without a full stop; null when all agree
 */
export function mirroredMismatch(
  params: readonly MirroredParam[],
  given: Members,
  headerOf: (name: string) => string | undefined,
): string | null {
  for (const { path, header } of params) {
    const name = PREFIX + header
    const value = valueAt(given, path)
    const sent = headerOf(name.toLowerCase())
    if (sent === undefined) {
      if (travels(value)) return `${name} is missing`
      continue
    }
    const decoded = decodeMirrored(sent)
    if (decoded === null) return `${name} is malformed`
    if (!isSame(decoded, value)) return `${name} differs from params.arguments.${path.join('.')}`
  }
  return null
}

const PREFIX = 'Mcp-Param-'
const DECIMAL = /^-?\d{1,32}(\.\d{1,32})?$/

function valueAt(given: Members, path: readonly string[]): unknown {
  let value: unknown = given
  for (const member of path)
    value = isMembers(value) && Object.hasOwn(value, member) ? value[member] : undefined
  return value
}

/** True for a value that has a header; an integer beyond 2^53 has none. */
function travels(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)
}

/** Numbers are compared as numbers: `42.0` is 42. */
function isSame(text: string, value: unknown): boolean {
  if (typeof value === 'number') return DECIMAL.test(text) && Number(text) === value
  return (typeof value === 'string' || typeof value === 'boolean') && text === String(value)
}
