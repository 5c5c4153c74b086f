/**
 * The members of messages, as the revisions of the protocol declare them.
 *
 * 1. A message to an origin has only the members that its method declares in the revision of the origin, and `_meta` as a
 *    whole. Other members of the client are not checked by anything, so they are not sent.
 * 2. A message of a client with another spelling of a declared member is refused: a reader that ignores case would take it
 *    for the declared one.
 */

import { pointerTo } from '../../base/json/plain.ts'
import { FoldedNames, shownName } from '../../base/text/folded-names.ts'
import { isMembers, type Members, type Message, toMessage } from './message.ts'
import { isModernVersion } from './versions.ts'

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
