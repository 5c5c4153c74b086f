/**
 * Writes results of origins in the form of the client's revision, with public URIs. Official clients refuse a whole result for one content
 * that does not fit the schema of their revision.
 *
 * 1. A result that fits stays the same object, so that it passes as its origin wrote it. So does one without a URI that must change.
 * 2. What can be repaired without changing its meaning is repaired: members that are null are left out, a lone content becomes a list.
 * 3. In the place of a content that cannot be repaired, or that the revision of the client does not have, stands a text that says so.
 */
import { withDigits } from '../../../base/json/exact.ts'
import { ANNOTATIONS, META, RESOURCE } from '../../../model/mcp/listed-item.ts'
import {
  Findings,
  hint,
  object,
  optional,
  required,
  type Shape,
  text,
  typed,
  UNFIT,
} from '../../../model/mcp/shape.ts'
import type { ResultReply } from '../../origin/answer.ts'
import { isMembers, isModernVersion, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer } from '../../protocol/relay-port.ts'

/** Members of results that came with 2026-07-28. */
const MODERN_MEMBERS: ReadonlySet<string> = new Set(['resultType', 'ttlMs', 'cacheScope'])

/** The answer of what suggests no values of its arguments, such as an endpoint. */
export const NO_COMPLETION: Members = { completion: { values: [], total: 0, hasMore: false } }

/** Methods whose results say how long they may be kept (2026-07-28, server/resources). */
const KEPT: ReadonlySet<string> = new Set(['resources/read'])

/**
 * A plain result of a tool that passes as its origin wrote it, so that its values need not be built; null for any other.
 */
export function passedResult(
  method: string,
  { plain }: ResultReply,
  isModernOrigin: boolean,
  isModernClient: boolean,
): RelayedAnswer | null {
  if (plain === null || method !== 'tools/call' || (isModernOrigin && !isModernClient)) return null
  if (plain.hasType || !isModernClient) return new PassedResult(plain.bytes)
  return { kind: 'result', text: withType(plain.bytes.toString('utf8')) }
}

/** Its text is made when it is asked for. */
class PassedResult {
  readonly kind = 'result'
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get text(): string {
    return this.bytes.toString('utf8')
  }
}

/**
 * Text of a complete result.
 * @param isModernOrigin the origin speaks 2026-07-28 or later
 * @param text of the result as its origin wrote it; null where it must be written anew
 */
export function resultFor(
  method: string,
  result: Members,
  isModernOrigin: boolean,
  isModernClient: boolean,
  text: string | null = null,
): string {
  if (!isModernClient) {
    if (!isModernOrigin) return text ?? JSON.stringify(withDigits(result))
    return JSON.stringify(
      withDigits(Object.fromEntries(Object.entries(result).filter(([name]) => !MODERN_MEMBERS.has(name)))),
    )
  }
  // What an origin calls public may be public for its callers, of whom Postern is one
  if (KEPT.has(method)) {
    const kept = { ttlMs: 0, ...(isModernOrigin ? ttlOf(result) : {}), cacheScope: 'private' }
    return JSON.stringify(withDigits({ resultType: 'complete', ...result, ...kept }))
  }
  if (text === null || Object.keys(result).length === 0)
    return JSON.stringify(withDigits({ resultType: 'complete', ...result }))
  return result['resultType'] === undefined ? withType(text) : text
}

/** @param text of a result with members */
function withType(text: string): string {
  return `{"resultType":"complete",${text.slice(1)}`
}

function ttlOf({ ttlMs }: Members): Members {
  return typeof ttlMs === 'number' && ttlMs >= 0 ? { ttlMs } : {}
}

/** A notification without what the origin may have added to it. */
export function notificationText(method: string, params: Members): string {
  return JSON.stringify(withDigits({ jsonrpc: '2.0', method, params }))
}

/** How a result came, and for whom it is. */
export interface ResultWay {
  /** Revision of the client. */
  readonly version: string
  readonly isModernOrigin: boolean
  /** URI of resources/read at the origin; null for any other method. */
  readonly uri: string | null
}

/** Values that a completion may have (2025-11-25, server/utilities/completion). */
const VALUES_MAX = 100

/** A text of the result, or why there is none as the end of a sentence about the result. */
export type FittedResult = { readonly result: Members } | { readonly fault: string }

/** The result as a client of the revision takes it. */
export function fitResult(method: string, given: Members, way: ResultWay): FittedResult {
  if (method === 'tools/call') return { result: fitToolResult(given, way) }
  const result = withResultMembers(given)
  switch (method) {
    case 'prompts/get':
      return promptResult(result, way.version)
    case 'resources/read':
      return contentsResult(result, way.uri ?? '')
    case 'completion/complete':
      return completionResult(result)
    default:
      return { result }
  }
}

/** Members that any result may have. */
const RESULT = object({
  resultType: optional(text),
  _meta: hint(
    object({
      progressToken: hint(
        typed('token', (value) => typeof value === 'string' || Number.isSafeInteger(value)),
      ),
      'io.modelcontextprotocol/related-task': hint(object({ taskId: required(text) })),
    }),
  ),
  isError: optional((value) => value),
})

function withResultMembers(result: Members): Members {
  // Each of its members is a hint, or of any form
  return RESULT(result, new Findings(), '') as Members
}

/** The result of a tool as {@link fitResult} gives it: any can be repaired. */
export function fitToolResult(
  whole: Members,
  { version, isModernOrigin }: Pick<ResultWay, 'version' | 'isModernOrigin'>,
): Members {
  const result = withResultMembers(whole)
  const { content: given, structuredContent: structured, isError } = result
  const content = contentOf(given, version)
  const isModern = isModernVersion(version)
  // Before 2026-07-28, null is no value, and no other value than an object is structured content
  const isLeft = structured === undefined || (isModern && isModernOrigin) || isMembers(structured)
  const isKept = isLeft || (isModern && structured !== null)
  const isFlag = isError === undefined || typeof isError === 'boolean'
  if (content === given && isKept && isFlag) return result
  const { structuredContent: _, ...rest } = result
  const isTold = isKept || structured === null || content.length > 0
  return {
    ...rest,
    content: isTold ? content : [textOf(JSON.stringify(withDigits(structured)))],
    ...(isKept && structured !== undefined ? { structuredContent: structured } : {}),
    // An unclear answer counts as a failure
    ...(isFlag ? {} : { isError: isError !== 'false' && isError !== 0 }),
  }
}

function contentOf(given: unknown, version: string): readonly unknown[] {
  if (given === undefined || given === null) return []
  if (!Array.isArray(given)) return [blockOf(given, version)]
  return mapped(given, (block) => [blockOf(block, version)])
}

/** The list itself where nothing differs. */
function mapped(list: readonly unknown[], fit: (value: unknown) => readonly unknown[]): readonly unknown[] {
  const after = list.flatMap(fit)
  return after.length === list.length && after.every((one, index) => one === list[index]) ? list : after
}

function promptResult(result: Members, version: string): FittedResult {
  const { messages: given, description } = result
  if (!Array.isArray(given)) return { fault: 'has no list at /messages' }
  const messages = mapped(given, (message) => messagesOf(message, version))
  const isText = description === undefined || typeof description === 'string'
  if (messages === given && isText) return { result }
  const { description: _, ...rest } = result
  return { result: { ...rest, ...(isText && description !== undefined ? { description } : {}), messages } }
}

/** A message has one content; one with several becomes as many messages. */
function messagesOf(message: unknown, version: string): readonly unknown[] {
  if (!isMembers(message) || (message['role'] !== 'user' && message['role'] !== 'assistant'))
    return [{ role: 'user', content: leftOut('message', 'has no role user or assistant') }]
  const { content } = message
  if (Array.isArray(content))
    return content.map((one: unknown) => ({ ...message, content: blockOf(one, version) }))
  const block = blockOf(content, version)
  return [block === content ? message : { ...message, content: block }]
}

function contentsResult(result: Members, uri: string): FittedResult {
  const given = isMembers(result['contents']) ? [result['contents']] : result['contents']
  if (!Array.isArray(given)) return { fault: 'has no list at /contents' }
  const contents = mapped(given, (one) => [resourceOf(one, uri)])
  return { result: contents === result['contents'] ? result : { ...result, contents } }
}

function resourceOf(given: unknown, uri: string): unknown {
  const findings = new Findings()
  const isNamed = isMembers(given) && typeof given['uri'] === 'string'
  const named = isNamed || !isMembers(given) ? given : { ...given, uri }
  const fitted = CONTENTS(named, findings, '')
  if (fitted !== UNFIT) return fitted
  const { text: said } = leftOut('content', findings.fault)
  return { uri: isNamed ? given['uri'] : uri, mimeType: 'text/plain', text: said }
}

function completionResult(result: Members): FittedResult {
  const { completion } = result
  const all = isMembers(completion) ? completion['values'] : null
  if (!isMembers(completion) || !Array.isArray(all)) return { fault: 'has no list at /completion/values' }
  const texts = all.filter((one) => typeof one === 'string')
  const values = texts.slice(0, VALUES_MAX)
  const { total, hasMore, values: _, ...rest } = completion
  const isMore = texts.length > values.length
  const isWhole = values.length === all.length
  const hasTotal = Number.isSafeInteger(total)
  const hasFlag = typeof hasMore === 'boolean'
  if (isWhole && (hasTotal || total === undefined) && (hasFlag || hasMore === undefined)) return { result }
  const fitted = {
    ...rest,
    values,
    ...(hasTotal ? { total } : {}),
    ...(hasFlag || isMore ? { hasMore: isMore || hasMore } : {}),
  }
  return { result: { ...result, completion: fitted } }
}

/** Base64 as clients decode it (RFC 4648, section 4); of the alphabet for URLs (section 5) it is written anew. */
const base64: Shape = (value, findings, at) => {
  if (typeof value !== 'string') return findings.unfit(`has no text at ${at}`)
  const dense = /[\t\n\f\r ]/.test(value) ? value.replaceAll(/[\t\n\f\r ]/g, '') : value
  const usual = /[-_]/.test(dense) ? dense.replaceAll('-', '+').replaceAll('_', '/') : dense
  const isWhole = usual.endsWith('=') ? usual.length % 4 === 0 : usual.length % 4 !== 1
  if (!isWhole || !/^[A-Za-z0-9+/]*={0,2}$/.test(usual)) return findings.unfit(`has no Base64 at ${at}`)
  return usual === dense ? value : usual
}

const PARTS = { annotations: ANNOTATIONS, _meta: META } as const
const OF_RESOURCE = { uri: required(text), mimeType: optional(text), _meta: META } as const
const textContents = object({ ...OF_RESOURCE, text: required(text), blob: hint(text) })
const blobContents = object({ ...OF_RESOURCE, text: hint(text), blob: required(base64) })

/** Contents of a resource: a text, or bytes. */
const CONTENTS: Shape = (value, findings, at) => {
  const isText = isMembers(value) && typeof value['text'] === 'string'
  return (isText || !isMembers(value) || value['blob'] == null ? textContents : blobContents)(
    value,
    findings,
    at,
  )
}

/** Content by type, with the revision that it came with. */
const BLOCKS: ReadonlyMap<unknown, { readonly shape: Shape; readonly since: string }> = new Map(
  Object.entries({
    text: { shape: object({ text: required(text), ...PARTS }), since: '' },
    image: { shape: object({ data: required(base64), mimeType: required(text), ...PARTS }), since: '' },
    audio: {
      shape: object({ data: required(base64), mimeType: required(text), ...PARTS }),
      since: '2025-03-26',
    },
    resource: { shape: object({ resource: required(CONTENTS), ...PARTS }), since: '' },
    resource_link: { shape: RESOURCE, since: '2025-06-18' },
  }),
)

function blockOf(given: unknown, version: string): unknown {
  if (typeof given === 'string') return textOf(given)
  if (!isMembers(given)) return leftOut('content', 'is no object')
  const { type, uri } = given
  const known = BLOCKS.get(type)
  if (known === undefined) return leftOut('content', 'is of no type that MCP has')
  if (version < known.since) {
    const link = type === 'resource_link' && typeof uri === 'string' ? `. It links to ${uri}` : ''
    return leftOut('content', `is of type ${String(type)}, which came with revision ${known.since}${link}`)
  }
  const findings = new Findings()
  const fitted = known.shape(given, findings, '')
  return fitted === UNFIT ? leftOut('content', findings.fault) : fitted
}

function textOf(value: string): { readonly type: 'text'; readonly text: string } {
  return { type: 'text', text: value }
}

/** What a reader is told in the place of a content. */
function leftOut(noun: 'content' | 'message', fault: string | null): ReturnType<typeof textOf> {
  return textOf(`[A ${noun} is left out here: it ${fault ?? 'does not fit the protocol'}]`)
}

/** The public URI for one of the member. @param isQuick leaves out what takes long */
export type ToPublicUri = (uri: string, isQuick: boolean) => string

/** Different URIs of one result for which a short way out is looked for: a result may have very many. */
const LOOKED_FOR_MAX = 1000

/** Lists of content, by the method whose result has them (2026-07-28, server). */
const CONTENT: Readonly<Record<string, (result: Members, change: (uri: string) => string) => Members>> = {
  'tools/call': (result, change) => changedList(result, 'content', (block) => changedBlock(block, change)),
  'prompts/get': (result, change) =>
    changedList(result, 'messages', (message) =>
      changedMember(message, 'content', (block) => changedBlock(block, change)),
    ),
  'resources/read': (result, change) =>
    changedList(result, 'contents', (content) => changedUri(content, change)),
}

/**
 * The result with public URIs.
 * @param asked the URI that was asked for, at the origin and in public; null for other methods than resources/read
 */
export function withPublicUris(
  method: string,
  result: Members,
  toPublicUri: ToPublicUri,
  asked: { readonly own: string; readonly name: string } | null,
): Members {
  const content = CONTENT[method]
  if (content === undefined) return result
  const known = new Map<string, string>()
  // The content of a resource has the URI by which the caller asked for it
  if (asked !== null) known.set(asked.own, asked.name)
  return content(result, (uri) => {
    let name = known.get(uri)
    if (name === undefined) {
      name = toPublicUri(uri, known.size > LOOKED_FOR_MAX)
      known.set(uri, name)
    }
    return name
  })
}

/** A block of content: those of two types name a resource. */
function changedBlock(block: Members, change: (uri: string) => string): Members {
  if (block['type'] === 'resource_link') return changedUri(block, change)
  if (block['type'] !== 'resource') return block
  return changedMember(block, 'resource', (resource) => changedUri(resource, change))
}

function changedUri(value: Members, change: (uri: string) => string): Members {
  const { uri } = value
  if (typeof uri !== 'string') return value
  const name = change(uri)
  return name === uri ? value : { ...value, uri: name }
}

/** The value itself where the member stays the same. */
function changedMember(value: Members, member: string, change: (inner: Members) => Members): Members {
  const inner = value[member]
  if (!isMembers(inner)) return value
  const changed = change(inner)
  return changed === inner ? value : { ...value, [member]: changed }
}

function changedList(value: Members, member: string, change: (one: Members) => Members): Members {
  const list: unknown = value[member]
  if (!Array.isArray(list)) return value
  let isSame = true
  const changed = (list as readonly unknown[]).map((one) => {
    const now = isMembers(one) ? change(one) : one
    isSame &&= now === one
    return now
  })
  return isSame ? value : { ...value, [member]: changed }
}
