/** JSON-RPC messages and their ids. */
import { exactInteger, writtenNumber } from '../../base/json/exact.ts'

/**
 * Id of a request: a string or an integer, never null (2026-07-28, basic). Its sender alone reads it, so that an integer keeps its digits:
 * one that no double holds is a bigint, which JSON.stringify does not take. See {@link idText} and {@link writableId}.
 */
export type RpcId = string | number | bigint

export type Members = Readonly<Record<string, unknown>>

/** A JSON-RPC message after its guards. */
export type Message =
  | { readonly kind: 'request'; readonly id: RpcId; readonly method: string; readonly params: Members }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Members }
  /** `result` is null for an error, and for a result that is no object. */
  | { readonly kind: 'response'; readonly id: RpcId | undefined; readonly result: Members | null }
  | { readonly kind: 'invalid'; readonly id: RpcId | undefined; readonly reason: string }

/** Characters of a method or an id. Longer ones are refused; they end up in headers, records and logs. */
const NAME_CHARS_MAX = 256

const EMPTY: Members = Object.freeze({})

/** True for an object of JSON. */
export function isMembers(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

const INTEGER = /^-?\d+$/

/** The id that a member of a message of `readJson` is; undefined where it is none. @param name such as `id` */
export function rpcIdIn(holder: Members, name: string): RpcId | undefined {
  const value = holder[name]
  if (typeof value === 'string') return value.length <= NAME_CHARS_MAX ? value : undefined
  if (typeof value !== 'number') return undefined
  if (Number.isSafeInteger(value)) return value
  const written = writtenNumber(holder, name, value)
  return INTEGER.test(written) && written.length <= NAME_CHARS_MAX ? BigInt(written) : undefined
}

/** Text of an id in JSON. */
export function idText(id: RpcId): string {
  return typeof id === 'bigint' ? String(id) : JSON.stringify(id)
}

/** What JSON.stringify writes as the id. */
export function writableId(id: RpcId): unknown {
  return typeof id === 'bigint' ? exactInteger(id) : id
}

/** Tells what a parsed value is as a JSON-RPC 2.0 message; parameters are by name only. */
export function toMessage(value: unknown): Message {
  if (!isMembers(value)) return { kind: 'invalid', id: undefined, reason: 'A message is a JSON object' }
  const { id, method, params } = value
  const known = rpcIdIn(value, 'id')
  if (value['jsonrpc'] !== '2.0') return { kind: 'invalid', id: known, reason: 'jsonrpc must be "2.0"' }
  if (method === undefined) {
    if ((value['result'] === undefined) === (value['error'] === undefined) || id === undefined)
      return { kind: 'invalid', id: known, reason: 'method is missing' }
    const { result } = value
    return { kind: 'response', id: known, result: isMembers(result) ? result : null }
  }
  if (typeof method !== 'string' || method === '' || method.length > NAME_CHARS_MAX)
    return {
      kind: 'invalid',
      id: known,
      reason: `method must be a string of 1 to ${NAME_CHARS_MAX} characters`,
    }
  // Some clients write null for what is absent
  if (params != null && !isMembers(params))
    return { kind: 'invalid', id: known, reason: 'params must be an object' }
  if (id === undefined) {
    // Executing a call that nobody waits for would hide its outcome, so only true notifications may come without id.
    if (!method.startsWith('notifications/'))
      return { kind: 'invalid', id: undefined, reason: 'A request needs an id' }
    return { kind: 'notification', method, params: params ?? EMPTY }
  }
  if (known === undefined)
    return { kind: 'invalid', id: undefined, reason: 'id must be a string or an integer' }
  return { kind: 'request', id: known, method, params: withoutNullCursor(params ?? EMPTY) }
}

/** The first page, as some clients ask for it, is that of a request without a cursor. */
function withoutNullCursor(params: Members): Members {
  if (params['cursor'] !== null) return params
  const { cursor, ...rest } = params
  return rest
}
