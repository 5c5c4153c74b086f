/** Writes requests in the form of either era (2026-07-28 basic/transports; 2025-11-25 basic/transports). */
import { joined, withDigits } from '../../base/json/exact.ts'
import { isMembers, type Members, type RpcId } from '../protocol/message.ts'
import { encodeMirrored } from '../protocol/mirrored.ts'
import { CLIENT_CAPABILITIES, NAMED_BY, PROTOCOL_VERSION } from '../protocol/modern.ts'
import { sentParams } from '../protocol/params.ts'
import { CLIENT_INFO } from '../protocol/received-message.ts'
import { isModernVersion } from '../protocol/versions.ts'
import type { OriginRequest } from './send.ts'

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
