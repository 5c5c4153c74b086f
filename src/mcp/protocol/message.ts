/** JSON-RPC messages and their ids. */
import { exactInteger, writtenNumber } from '../../base/json/exact.ts'
import { pointerTo } from '../../base/json/storable.ts'
import { FoldedNames, shownName } from '../../base/text/folded-names.ts'

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

// The revisions of the protocol that Postern serves.

/** Revisions that open with `initialize`, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const

/** Revisions in which every request says all about itself, newest first. */
export const MODERN_VERSIONS = ['2026-07-28'] as const

/** What a refused client may choose from. */
export const SERVED_VERSIONS: readonly string[] = [...MODERN_VERSIONS, ...LEGACY_VERSIONS]

/** Assumed when a legacy client sends no version header (2025-11-25, basic/transports). */
export const ASSUMED_VERSION = '2025-03-26'

/** The only revision with JSON-RPC batches. */
export const BATCH_VERSION = '2025-03-26'

/** Revisions with a handshake in which servers put questions to a person (client/elicitation). */
export const ASKING_VERSIONS: ReadonlySet<string> = new Set(['2025-06-18', '2025-11-25'])

const legacy: ReadonlySet<string> = new Set(LEGACY_VERSIONS)
const modern: ReadonlySet<string> = new Set(MODERN_VERSIONS)

/** True for a served revision that opens with `initialize`. */
export function isLegacyVersion(version: string): boolean {
  return legacy.has(version)
}

/** True for a served revision without a handshake. */
export function isModernVersion(version: string): boolean {
  return modern.has(version)
}

// What an MCP client says about itself.

/** What an MCP client says about itself. Declared, never trusted. */
export interface DeclaredAgent {
  readonly name: string
  readonly version: string
}

/** Member of a request's `_meta` that names the conversation a call belongs to. */
const CONVERSATION_META = 'postern/conversation_id'

/** Characters that are kept of what an agent declares. */
const DECLARED_CHARS_MAX = 128

/** `clientInfo` as far as it is well formed; control characters are dropped, it ends up in logs and records. */
export function toAgent(clientInfo: unknown): DeclaredAgent {
  if (!isMembers(clientInfo)) return { name: '', version: '' }
  return { name: declared(clientInfo['name']), version: declared(clientInfo['version']) }
}

function declared(value: unknown): string {
  if (typeof value !== 'string') return ''
  // Nearly all names are plain, and to find that out costs a tenth of the replacement
  const kept = /^[ -~]*$/.test(value) ? value : value.replace(/\p{C}/gu, '')
  return kept.slice(0, DECLARED_CHARS_MAX)
}

/** The conversation that a call belongs to, as its client says by header or `_meta`; empty when it says nothing. */
export function conversationOf(header: string | undefined, params: Members): string {
  if (header !== undefined && header !== '') return declared(header)
  const meta = params['_meta']
  return isMembers(meta) ? declared(meta[CONVERSATION_META]) : ''
}

// The members of messages, as the revisions of the protocol declare them.
//
// 1. A message to an origin has only the members that its method declares in the revision of the origin, and `_meta` as a
//    whole. Other members of the client are not checked by anything, so they are not sent.
// 2. A message of a client with another spelling of a declared member is refused: a reader that ignores case would take it
//    for the declared one.

/** The form of a value: which members it has, and the forms of those that have a form. Null for a value of any form. */
interface Form {
  readonly [member: string]: Form | null
}

/** By what the result of a client says: ElicitResult, CreateMessageResult, ListRootsResult. */
const CLIENT_RESULT: Form = {
  resultType: null,
  action: null,
  content: null,
  role: null,
  model: null,
  stopReason: null,
  roots: null,
  _meta: null,
}
const NAMED: Form = { name: null, arguments: null, _meta: null }
const ADDRESSED: Form = { uri: null, _meta: null }
const PAGE: Form = { cursor: null, _meta: null }
const TASK: Form = { taskId: null, _meta: null }
const COMPLETION: Form = {
  ref: { type: null, name: null, uri: null, title: null },
  argument: { name: null, value: null },
  context: { arguments: null },
  _meta: null,
}
/** A retry of 2026-07-28 (basic/patterns: multi round-trip requests). */
const RETRY: Form = { inputResponses: null, requestState: null }

const COMMON: readonly (readonly [method: string, form: Form])[] = [
  ['tools/list', PAGE],
  ['prompts/list', PAGE],
  ['resources/list', PAGE],
  ['resources/templates/list', PAGE],
  ['completion/complete', COMPLETION],
  ['tasks/get', TASK],
  ['tasks/cancel', TASK],
]
/** Params of requests to an origin of 2026-07-28. */
const MODERN: ReadonlyMap<string, Form> = new Map([
  ...COMMON,
  ['server/discover', { _meta: null }],
  ['tools/call', { ...NAMED, ...RETRY }],
  ['prompts/get', { ...NAMED, ...RETRY }],
  ['resources/read', { ...ADDRESSED, ...RETRY }],
  ['subscriptions/listen', { notifications: null, _meta: null }],
  // The extension of tasks (SEP-2663)
  ['tasks/update', { ...TASK, inputResponses: null }],
])
/** Params of requests to an origin of an earlier revision. */
const LEGACY: ReadonlyMap<string, Form> = new Map([
  ...COMMON,
  ['tools/call', { ...NAMED, task: { ttl: null } }],
  ['prompts/get', NAMED],
  ['resources/read', ADDRESSED],
  ['resources/subscribe', ADDRESSED],
  ['resources/unsubscribe', ADDRESSED],
  ['logging/setLevel', { level: null, _meta: null }],
  ['tasks/result', TASK],
])

/**
 * The params of a request to an origin: the members that the method has in this revision.
 * @throws Error for a method that Postern does not send
 */
export function sentParams(version: string, method: string, params: Members): Members {
  const form = (isModernVersion(version) ? MODERN : LEGACY).get(method)
  if (form === undefined) throw new Error(`there is no form of ${method} in ${version}`)
  const { inputResponses } = params
  const sent = within(form, params)
  if (!isMembers(inputResponses) || sent['inputResponses'] === undefined) return sent
  const results = Object.entries(inputResponses).map(([key, result]) => [key, sentResult(result)] as const)
  return { ...sent, inputResponses: Object.fromEntries(results) }
}

/** What a client answers to a question of an origin, with the members that such results have. */
export function sentResult<T>(result: T): T | Members {
  return isMembers(result) ? within(CLIENT_RESULT, result) : result
}

/** The value with the members of the form alone; the same object where it has no others. */
function within(form: Form, value: Members): Members {
  let kept: Record<string, unknown> | null = null
  for (const name of Object.keys(value)) {
    const isKnown = Object.hasOwn(form, name)
    const inner = isKnown ? form[name]! : null
    const given = value[name]
    const after = inner !== null && isMembers(given) ? within(inner, given) : given
    if (isKnown && after === given) continue
    kept ??= { ...value }
    if (isKnown) kept[name] = after
    else delete kept[name]
  }
  return kept ?? value
}

const MESSAGE_NAMES = new FoldedNames(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])
/** Members of all methods together: an unknown member of one method may be the member of another. */
const PARAMS_NAMES = new FoldedNames(
  [...MODERN.values(), ...LEGACY.values()].flatMap((form) => Object.keys(form)),
)
const META_NAMES = new FoldedNames([
  'progressToken',
  'io.modelcontextprotocol/protocolVersion',
  'io.modelcontextprotocol/clientInfo',
  'io.modelcontextprotocol/clientCapabilities',
  'io.modelcontextprotocol/logLevel',
  'io.modelcontextprotocol/related-task',
])
const RESULT_NAMES = new FoldedNames(Object.keys(CLIENT_RESULT))
const INNER_NAMES: ReadonlyMap<string, FoldedNames> = new Map([
  ...Object.entries(COMPLETION).flatMap(([name, form]) =>
    form === null ? [] : [[name, new FoldedNames(Object.keys(form))] as const],
  ),
  ['task', new FoldedNames(['ttl'])],
  ['_meta', META_NAMES],
])

/** A message of a client; one with another spelling of a declared member is invalid. */
export function toClientMessage(value: unknown): Message {
  const message = toMessage(value)
  if (message.kind === 'invalid') return message
  const reason = spellingFault(value)
  if (reason === null) return message
  return { kind: 'invalid', id: message.kind === 'notification' ? undefined : message.id, reason }
}

/** Why a message is refused for the spelling of a member; null for a message without another spelling. */
function spellingFault(message: unknown): string | null {
  if (!isMembers(message)) return null
  const own = faultIn(MESSAGE_NAMES, message, '')
  const { params, result } = message
  if (own !== null) return own
  if (isMembers(result)) return faultIn(RESULT_NAMES, result, '/result')
  if (!isMembers(params)) return null
  const fault = faultIn(PARAMS_NAMES, params, '/params')
  if (fault !== null) return fault
  for (const [name, names] of INNER_NAMES) {
    const inner = params[name]
    const wrong = isMembers(inner) ? faultIn(names, inner, `/params/${name}`) : null
    if (wrong !== null) return wrong
  }
  const { inputResponses } = params
  if (!isMembers(inputResponses)) return null
  for (const [key, reply] of Object.entries(inputResponses)) {
    const at = pointerTo('/params/inputResponses', key.slice(0, 64))
    const wrong = isMembers(reply) ? faultIn(RESULT_NAMES, reply, at) : null
    if (wrong !== null) return wrong
  }
  return null
}

function faultIn(names: FoldedNames, members: Members, pointer: string): string | null {
  const wrong = names.misspelt(members)
  return wrong && misspeltText(wrong.given, wrong.declared, pointer)
}

/** The sentence of a refusal. @param pointer of the object that has the member */
function misspeltText(given: string, declared: string, pointer: string): string {
  const place = pointer === '' ? 'the message' : pointer
  return `The member ${shownName(given)} of ${place} is another spelling of "${declared}". Use the exact name`
}
