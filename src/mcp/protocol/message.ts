/** Id of a request: a string or an integer, never null (2026-07-28, basic). */
export type RpcId = string | number

export type Members = Readonly<Record<string, unknown>>

/** A JSON-RPC message after its guards. */
export type Message =
  | { readonly kind: 'request'; readonly id: RpcId; readonly method: string; readonly params: Members }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Members }
  /** `result` is null for an error, and for a result that is no object. */
  | { readonly kind: 'response'; readonly id: RpcId | undefined; readonly result: Members | null }
  | { readonly kind: 'invalid'; readonly id: RpcId | undefined; readonly reason: string }

/** Characters of a method or a string id. Longer ones are refused; they end up in headers, records and logs. */
const NAME_CHARS_MAX = 256

const EMPTY: Members = Object.freeze({})

/** True for an object of JSON. */
export function isMembers(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** True for what may be the id of a request. */
export function isRpcId(value: unknown): value is RpcId {
  return typeof value === 'string' ? value.length <= NAME_CHARS_MAX : Number.isSafeInteger(value)
}

/** Tells what a parsed value is as a JSON-RPC 2.0 message; parameters are by name only. */
export function toMessage(value: unknown): Message {
  if (!isMembers(value)) return { kind: 'invalid', id: undefined, reason: 'A message is a JSON object' }
  const { id, method, params } = value
  const known = isRpcId(id) ? id : undefined
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
