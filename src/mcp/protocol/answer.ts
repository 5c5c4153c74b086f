/** Requests and responses of the MCP codec, independent of HTTP, with the error codes of JSON-RPC and MCP. */
import type { RefusalCode } from '../../base/refusal.ts'
import { idText, type RpcId, writableId } from './message.ts'

/** What a transport must know of a request. Header names are lower case; repeated fields are joined by `, `. */
export interface McpRequest {
  readonly method: string
  readonly header: (name: string) => string | undefined
  readonly body: Uint8Array
}

/** What a transport sends. Header names are lower case; an empty body means none. */
export interface McpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In the place of `body`: bytes that are kept for many answers, between texts of ASCII. */
  readonly kept?: KeptText
  /**
   * Of an answer that comes in pieces, in the place of `body`: hands over where they go, and gives what to call when the
   * reader has left.
   */
  readonly pieces?: (outlet: Outlet) => () => void
  /** Code of the JSON-RPC error that it carries; absent when it carries none. */
  readonly error?: number
  /** Code for the record, of a refusal that the JSON-RPC error does not tell. */
  readonly refusal?: RefusalCode
}

/** Text in UTF-8 between texts of ASCII. */
interface KeptText {
  readonly before: string
  readonly bytes: Buffer
  readonly after: string
}

/** Takes the pieces of an answer as they come. */
export interface Outlet {
  readonly write: (piece: string) => void
  readonly end: () => void
}

/** JSON-RPC and MCP error codes that this server uses (2026-07-28, basic: error codes). */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  unsupportedVersion: -32022,
} as const

const JSON_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'content-type': 'application/json',
  'cache-control': 'no-store',
})
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

/** Text of a JSON-RPC response around the text of its result. */
export function resultText(id: RpcId, result: string): string {
  return `{"jsonrpc":"2.0","id":${idText(id)},"result":${result}}`
}

/** Ids of ASCII, such as all usual ones. */
const ASCII_ID = /^[ -~]*$/

/** Text of a result. */
interface ResultBody {
  readonly text: string
  /** The same in UTF-8 where that is at hand, so that the text need not be made. */
  readonly bytes?: Buffer
}

/** The answer with a result. */
export function resultAnswer(id: RpcId, result: ResultBody): McpAnswer {
  const { bytes } = result
  if (bytes === undefined || (typeof id === 'string' && !ASCII_ID.test(id)))
    return jsonAnswer(200, resultText(id, result.text))
  const before = `{"jsonrpc":"2.0","id":${idText(id)},"result":`
  return { status: 200, headers: JSON_HEADERS, body: '', kept: { before, bytes, after: '}' } }
}

/** Text of a JSON-RPC error. Without an id none is named: MCP allows no null there. */
export function errorText(id: RpcId | undefined, code: number, message: string, data?: unknown): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    ...(id === undefined ? {} : { id: writableId(id) }),
    error: { code, message, ...(data === undefined ? {} : { data }) },
  })
}

/** An answer whose body is the text of JSON. */
export function jsonAnswer(status: number, body: string): McpAnswer {
  return { status, headers: JSON_HEADERS, body }
}

/** An answer without a body. */
export function emptyAnswer(status: number): McpAnswer {
  return { status, headers: NO_HEADERS, body: '' }
}

/** The answer to a message by the text of its response; null for what is accepted without one. */
export function answerOf(text: string | null): McpAnswer {
  return text === null ? emptyAnswer(202) : jsonAnswer(200, text)
}

/** A JSON-RPC error as an HTTP answer; see {@link errorText}. */
export function errorAnswer(
  status: number,
  id: RpcId | undefined,
  code: number,
  message: string,
  data?: unknown,
): McpAnswer {
  return { ...jsonAnswer(status, errorText(id, code, message, data)), error: code }
}

/** The same answer with further headers. */
export function withHeaders(answer: McpAnswer, headers: Readonly<Record<string, string>>): McpAnswer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
