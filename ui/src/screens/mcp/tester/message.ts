/** Messages of MCP as the tester sends and reads them, in both eras. */
import type { Json, JsonObject } from '../../../../build/document.ts'
import { isObject } from '../../../schema/value.ts'

export const ERAS = { modern: '2026-07-28', legacy: '2025-11-25' } as const
export type Era = keyof typeof ERAS

const META = 'io.modelcontextprotocol/'
const INFO = { name: 'Postern console', version: '1' }
/** What the tester can be asked: a person answers by hand. */
const CAPABILITIES = { elicitation: { form: {}, url: {} } }

/** A request as a page sends it, before it is JSON. */
export function requestOf(era: Era, id: number, method: string, params: JsonObject): JsonObject {
  if (era === 'legacy') return { jsonrpc: '2.0', id, method, params }
  const meta = {
    ...(isObject(params['_meta']) ? params['_meta'] : {}),
    [`${META}protocolVersion`]: ERAS.modern,
    [`${META}clientInfo`]: INFO,
    [`${META}clientCapabilities`]: CAPABILITIES,
  }
  return { jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }
}

/** The first message of a legacy session. */
export function initializeOf(id: number): JsonObject {
  const params = { protocolVersion: ERAS.legacy, capabilities: CAPABILITIES, clientInfo: INFO }
  return { jsonrpc: '2.0', id, method: 'initialize', params }
}

/** Visible ASCII with spaces and tabs inside (RFC 9110 section 5.5). */
const PLAIN = /^[!-~](?:[\t -~]*[!-~])?$/

/** A value as a mirrored header carries it (2026-07-28, streamable HTTP: value encoding). */
export function mirrored(value: string): string {
  if (PLAIN.test(value) && !(value.startsWith('=?base64?') && value.endsWith('?='))) return value
  const bytes = new TextEncoder().encode(value)
  return `=?base64?${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}?=`
}

/**
 * Headers that repeat what a message says (2026-07-28, streamable HTTP). A legacy message has the version alone.
 *
 * @param inputSchema of the tool that is called: its arguments with `x-mcp-header` are repeated
 */
export function headersOf(era: Era, message: Json, inputSchema: JsonObject | null): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-protocol-version': ERAS[era] }
  if (era === 'legacy' || !isObject(message)) return headers
  const { method, params } = message
  if (typeof method === 'string') headers['mcp-method'] = mirrored(method)
  if (!isObject(params)) return headers
  const name = params['name'] ?? params['uri'] ?? params['taskId']
  if (typeof name === 'string') headers['mcp-name'] = mirrored(name)
  if (inputSchema !== null && isObject(params['arguments']))
    for (const [name, value] of markedOf(inputSchema, params['arguments'], 0))
      headers[`mcp-param-${name}`] = mirrored(value)
  return headers
}

const DEPTH_MAX = 8
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Names and values of the `mcp-param-` headers: the arguments that the schema marks with `x-mcp-header`. */
function markedOf(schema: JsonObject, value: JsonObject, depth: number): readonly [string, string][] {
  const properties = schema['properties']
  if (!isObject(properties) || depth > DEPTH_MAX) return []
  return Object.entries(properties).flatMap(([name, member]): readonly [string, string][] => {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    if (!isObject(member) || given === undefined || given === null) return []
    const header = member['x-mcp-header']
    if (typeof header === 'string' && TOKEN.test(header) && typeof given !== 'object')
      return [[header, String(given)]]
    return isObject(given) ? markedOf(member, given, depth + 1) : []
  })
}

/** Events of a stream (Server-Sent Events of HTML), as far as they are whole, and what is left. */
export function eventsIn(text: string): { readonly data: readonly string[]; readonly rest: string } {
  const parts = text.replaceAll('\r\n', '\n').split('\n\n')
  const rest = parts.pop()!
  const data = parts.flatMap((part) => {
    const lines = part.split('\n').filter((line) => line.startsWith('data:'))
    return lines.length === 0 ? [] : [lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n')]
  })
  return { data: data.filter((one) => one !== ''), rest }
}

/** What came of a message, in one word for lists. */
export type Outcome = 'ok' | 'tool_error' | 'input_required' | 'error' | 'refused' | 'sent'

/** @param status of the HTTP answer */
export function outcomeOf(status: number, messages: readonly Json[]): Outcome {
  const last = messages.findLast((one) => isObject(one) && ('result' in one || 'error' in one))
  if (isObject(last)) {
    if ('error' in last) return 'error'
    const result = last['result']
    if (isObject(result) && result['isError'] === true) return 'tool_error'
    if (isObject(result) && result['resultType'] === 'input_required') return 'input_required'
    return 'ok'
  }
  return status >= 400 ? 'refused' : 'sent'
}

/** A question of the server to the person: a request of its own in the earlier era, else a part of a result. */
interface Question {
  /** Key under which a result asks; null for a request of the server. */
  readonly key: string | null
  /** Of a request of the server. */
  readonly id: Json
  /** What the person is told; empty where nothing is said. */
  readonly text: string
  /** The shape of an answer, to be filled in. */
  readonly content: JsonObject
}

/** What the server asked for last, and has no answer to in these messages. */
export function questionsIn(messages: readonly Json[], era: Era): readonly Question[] {
  const last = messages.at(-1)
  if (!isObject(last)) return []
  if (era === 'legacy')
    return 'method' in last && last['id'] !== undefined ? [questionOf(null, last['id'], last)] : []
  const result = last['result']
  if (!isObject(result) || result['resultType'] !== 'input_required') return []
  const asked = isObject(result['inputRequests']) ? result['inputRequests'] : {}
  return Object.entries(asked).map(([key, request]) =>
    questionOf(key, null, isObject(request) ? request : {}),
  )
}

function questionOf(key: string | null, id: Json, { method, params }: JsonObject): Question {
  const { message, url, requestedSchema } = isObject(params) ? params : {}
  const said = [message, url].filter((one) => typeof one === 'string').join(' ')
  const properties = isObject(requestedSchema) ? requestedSchema['properties'] : undefined
  const content = Object.entries(isObject(properties) ? properties : {}).map(([name, schema]) => [
    name,
    isObject(schema) && schema['default'] !== undefined ? schema['default'] : '',
  ])
  return { key, id, text: said === '' ? String(method ?? '') : said, content: Object.fromEntries(content) }
}

/** The message by which a person answers what the server asked for; null where it asked for nothing. */
export function replyTo(
  sent: JsonObject,
  messages: readonly Json[],
  era: Era,
  id: number,
): JsonObject | null {
  const questions = questionsIn(messages, era)
  const [first] = questions
  if (first === undefined) return null
  const accepted = (content: JsonObject): JsonObject => ({ action: 'accept', content })
  if (first.key === null) return { jsonrpc: '2.0', id: first.id, result: accepted(first.content) }
  const last = messages.at(-1) as { readonly result: JsonObject }
  const { requestState } = last.result
  return {
    ...sent,
    id,
    params: {
      ...(isObject(sent['params']) ? sent['params'] : {}),
      inputResponses: Object.fromEntries(questions.map(({ key, content }) => [key, accepted(content)])),
      ...(requestState !== undefined && { requestState }),
    },
  }
}
