/**
 * Turns the response to a call into what an agent gets: the response of the upstream, or the problem object of the gateway.
 * For `execute_call` it is the outcome of the tool. For a tool, prompt or resource that stands for an endpoint it is the
 * result.
 */
import { isUtf8 } from 'node:buffer'
import { parseExact, rawNumber } from '../../base/json/exact.ts'
import { quotedJson } from '../../base/json/quoted.ts'
import { PROBLEMS } from '../../base/refusal.ts'
import type { InnerAnswer } from '../../gateway/port.ts'
import { shownHeaders } from '../../gateway/replay.ts'
import { RESOURCE_NOT_FOUND, resultOf, type ToolResult, toolAnswer } from '../http/relay.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { argumentPointer, type CalledOffer } from './offered-request.ts'

const NO_FIELDS: readonly string[] = []
const NO_MEMBERS: Members = Object.freeze({})
/** Refusals of what the caller wrote as `params`. */
const ABOUT_ARGUMENTS: ReadonlySet<string> = new Set(['body_invalid', 'parameter_invalid'])

/** How a door speaks of the arguments of a call. */
export interface ArgumentsOf {
  /** The pointer to an argument, by a pointer into the request: `/body/…`, `/path/id`, `/query/limit` or `/headers/x-name`. */
  readonly pointer: (pointer: string) => string
  /** A call that would be right; null where the list of tools shows it. */
  readonly example: () => Members | null
  /** What to do about a request that the upstream calls wrong. */
  readonly adviceOnWrong: string | null
}

/**
 * @param wanted paths of members that are kept of a JSON body; empty for all. @param bytesMax of the body as it is shown.
 * @param dropped headers of the agent that were not sent
 */
export function answerOutcome(
  answer: InnerAnswer,
  wanted: readonly string[],
  bytesMax: number,
  dropped: readonly string[],
  given: ArgumentsOf,
): ToolResult {
  const { status, code, body, bodyBytes, truncated, requestId, durationMs } = answer
  const headers = shownHeaders(answer.fields)
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()
  const raw = { body, bodyBytes, truncated, requestId, mediaType }
  const fitted = fitResult(raw, code === null ? wanted : NO_FIELDS, bytesMax)
  const members = {
    status,
    headers,
    request_id: requestId,
    duration_ms: Math.round(durationMs * 1000) / 1000,
    truncated: fitted.truncated,
    total_bytes: bodyBytes,
    hint: hintOf(fitted.hint, dropped, status, given),
  }
  const first = code === null ? retryMembers(headers) : refusalMembers(code, body, headers, given)
  const all = first === NO_MEMBERS ? members : { ...first, ...members }
  const head = JSON.stringify(all).slice(0, -1)
  return {
    kind: 'result',
    json: `${head},"body":${fitted.json}}`,
    // A body that is quoted already is joined as it is: quoting costs a pass over all of it
    quoted: `${quoted(head)},\\"body\\":${fitted.quoted ?? quoted(fitted.json)}}`,
    isError: code !== null || status >= 400,
    blocks: fitted.blocks,
  }
}

/** A text as it stands between the quotes of a JSON string. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function hintOf(
  fitted: string | null,
  dropped: readonly string[],
  status: number,
  { adviceOnWrong }: ArgumentsOf,
): string | null {
  const hints = fitted === null ? [] : [fitted]
  if (dropped.length > 0) hints.push(`Not sent, because the gateway sets them: ${dropped.join(', ')}.`)
  if ((status === 400 || status === 422) && adviceOnWrong !== null) hints.push(adviceOnWrong)
  return hints.length === 0 ? null : hints.join(' ')
}

/** Of a refusal by the gateway, what its problem object says. */
function refusalMembers(code: string, body: Uint8Array, headers: Members, given: ArgumentsOf): Members {
  const problem = problemIn(body)
  const isAboutArguments = ABOUT_ARGUMENTS.has(code)
  const example = isAboutArguments ? given.example() : null
  const { title, detail, retry_after_ms } = problem
  return {
    code,
    title,
    detail,
    ...(isAboutArguments ? { errors: errorsIn(problem, code === 'body_invalid', given) } : {}),
    ...(example === null ? {} : { example }),
    ...(typeof retry_after_ms === 'number' ? { retry_after_ms } : retryMembers(headers)),
  }
}

/** The problem object that the gateway made; empty when it cannot be read. */
function problemIn(body: Uint8Array): Members {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return isMembers(value) ? value : NO_MEMBERS
  } catch {
    return NO_MEMBERS
  }
}

/** What a contract finds wrong, with pointers into the arguments. */
function errorsIn({ errors }: Members, isBody: boolean, { pointer }: ArgumentsOf): readonly Members[] {
  const found = Array.isArray(errors) ? errors.filter(isMembers) : []
  return found.map((error) => {
    const given = String(error['pointer'])
    const place = isBody ? `/body${given}` : given.replace(/^\/(header|cookie)\//, '/$1s/')
    return { ...error, pointer: pointer(place) }
  })
}

/** Of `Retry-After` in seconds. */
function retryMembers(headers: Members): Members {
  const seconds = headers['retry-after']
  return typeof seconds === 'string' && /^[0-9]{1,9}$/.test(seconds)
    ? { retry_after_ms: Number(seconds) * 1000 }
    : NO_MEMBERS
}

/** Bytes of a body in the result of a tool; more is cut, as `execute_call` does. */
const RESULT_BYTES_MAX = 64 * 1024
/** Bytes of a resource or prompt, which are given whole or not at all. */
const WHOLE_BYTES_MAX = 1024 * 1024

/**
 * The answer of an endpoint as the result of the tool, prompt or resource that stands for it.
 * @param name under which the caller knows it: that of the tool or prompt, or the URI
 * @param dropped headers that were not sent @param meta see `resultOf`
 */
export function offeredAnswer(
  answer: InnerAnswer,
  endpoint: CalledOffer,
  request: RelayedRequest,
  name: string,
  dropped: readonly string[],
  meta?: string,
): RelayedAnswer {
  const outcome = answerOutcome(answer, NO_FIELDS, RESULT_BYTES_MAX, dropped, {
    pointer: argumentPointer(endpoint),
    example: () => null,
    adviceOnWrong: null,
  })
  const { method, isModern } = request
  if (method === 'tools/call') return toolAnswer(request, outcome, meta)
  const { status, code, body, truncated } = answer
  const isTooLarge = truncated || body.length > WHOLE_BYTES_MAX
  if (code !== null || status >= 400 || isTooLarge) {
    const data: unknown = JSON.parse(outcome.json)
    const detail = isMembers(data) && typeof data['detail'] === 'string' ? data['detail'] : null
    const message =
      detail ??
      (status >= 400
        ? `The endpoint answered with status ${status}.`
        : `The answer has more than ${WHOLE_BYTES_MAX} bytes.`)
    const isAbsent = code === null && status === 404 && method === 'resources/read'
    const own = code === null ? RPC.internalError : PROBLEMS[code].status
    const absent = isModern ? RPC.invalidParams : RESOURCE_NOT_FOUND
    return { kind: 'error', code: isAbsent ? absent : own, message, data }
  }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const result =
    method === 'resources/read'
      ? { contents: [{ uri: name, ...typeOf(outcome.json), ...contentOf(bytes) }] }
      : { messages: [{ role: 'user', content: { type: 'text', text: bytes.toString('utf8') } }] }
  const kept = isModern && method === 'resources/read' ? { ttlMs: 0, cacheScope: 'private' } : {}
  return resultOf(JSON.stringify({ ...result, ...kept }).slice(1, -1), isModern, meta)
}

function contentOf(bytes: Buffer): Members {
  return isUtf8(bytes) ? { text: bytes.toString('utf8') } : { blob: bytes.toString('base64') }
}

/** The media type of the answer; none where it has none. */
function typeOf(json: string): Members {
  const { headers } = JSON.parse(json) as { readonly headers: Readonly<Record<string, string>> }
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim()
  return type === '' ? {} : { mimeType: type }
}

// Fits the body of a response into the bounds of a result for an agent.

/** A body as an agent gets it. */
export interface FittedResult {
  /** JSON text. */
  readonly json: string
  /** The same text as it stands between the quotes of a JSON string, where that is at hand. */
  readonly quoted?: string
  readonly truncated: boolean
  readonly hint: string | null
  readonly blocks: readonly Members[]
}

export interface Raw {
  readonly body: Uint8Array
  /** Bytes of the whole body. */
  readonly bodyBytes: number
  /** Less than the whole body is here. */
  readonly truncated: boolean
  readonly mediaType: string
  readonly requestId: string
}

/** Lists that are cut before the rest is given as text. */
const CUTS_MAX = 4
const NO_BLOCKS: readonly Members[] = []

/**
 * Fits a body into what an agent asked for: members selected, lists cut with their counts, text cut, and binary
 * data beside the JSON. JSON that fits passes as it came, so that no number loses digits.
 */
export function fitResult(raw: Raw, fields: readonly string[], bytesMax: number): FittedResult {
  if (raw.body.length === 0) return { json: 'null', truncated: raw.truncated, hint: null, blocks: [] }
  if (!isUtf8(raw.body) && !raw.truncated) return fitBinary(raw, bytesMax)
  if (isBinaryType(raw.mediaType)) return fitBinary(raw, bytesMax)
  const text = Buffer.from(raw.body.buffer, raw.body.byteOffset, raw.body.byteLength).toString('utf8')
  if (!raw.truncated && maybeJson(raw.mediaType, text)) {
    const quoted = fields.length === 0 && raw.body.length <= bytesMax ? quotedJson(raw.body) : null
    if (quoted !== null) return { json: text, quoted, truncated: false, hint: null, blocks: NO_BLOCKS }
    try {
      return fitJson(text, parseExact(text), raw, fields, bytesMax)
    } catch {
      // Not JSON after all, or nested too deeply to be written again: given as text.
    }
  }
  return fitText(text, raw, bytesMax)
}

function fitJson(
  text: string,
  value: unknown,
  raw: Raw,
  fields: readonly string[],
  bytesMax: number,
): FittedResult {
  const wanted = fields.length === 0 ? null : toWanted(fields)
  if (wanted === null && raw.body.length <= bytesMax)
    return { json: text, truncated: false, hint: null, blocks: [] }
  if (typeof wanted === 'string')
    return { ...fitJson(text, value, raw, [], bytesMax), hint: `fields: "${wanted}" is no JSON path` }
  const selected = wanted === null ? value : select(value, wanted)
  if (selected === undefined)
    return {
      json: 'null',
      truncated: false,
      hint: `The response has none of the fields. ${topOf(value)}`,
      blocks: [],
    }
  const json = JSON.stringify(selected)
  if (Buffer.byteLength(json) <= bytesMax) return { json, truncated: false, hint: null, blocks: [] }
  return cutLists(selected, bytesMax) ?? fitText(json, raw, bytesMax)
}

/** Says what there is to choose from. */
function topOf(value: unknown): string {
  const sample = Array.isArray(value) ? (value[0] as unknown) : value
  if (!isMembers(sample)) return ''
  return `Members at the top: ${Object.keys(sample).slice(0, 30).join(', ').slice(0, 500)}`
}

interface List {
  readonly pointer: string
  readonly items: readonly unknown[]
  readonly replace: (items: unknown[]) => void
}

/** Shortens the longest lists until the value fits; null when that does not help. */
function cutLists(value: unknown, bytesMax: number): FittedResult | null {
  const holder: { value: unknown } = { value }
  const cuts: string[] = []
  for (let cut = 0; cut < CUTS_MAX; cut++) {
    const json = JSON.stringify(holder.value)
    const bytes = Buffer.byteLength(json)
    if (bytes <= bytesMax) {
      const hint = `Cut: ${cuts.join('; ')}. Ask for less by fields, by a page (see query_params), or raise max_bytes.`
      return { json, truncated: true, hint, blocks: [] }
    }
    const list = largestList(holder)
    if (list === null) return null
    const kept = fitting(list.items, bytesMax - (bytes - Buffer.byteLength(JSON.stringify(list.items))))
    cuts.push(`${list.pointer === '' ? 'the list' : list.pointer} to ${kept} of ${list.items.length} items`)
    list.replace(list.items.slice(0, kept))
  }
  return null
}

/** How many of the first items fit into a budget. */
function fitting(items: readonly unknown[], bytesMax: number): number {
  let bytes = 2
  for (const [index, item] of items.entries()) {
    bytes += Buffer.byteLength(JSON.stringify(item) ?? 'null') + 1
    if (bytes > bytesMax) return index
  }
  return items.length - 1
}

/** The list with the most text among those at the top or up to three members deep. */
function largestList(holder: { value: unknown }): List | null {
  let largest: { list: List; size: number } | null = null
  const visit = (value: unknown, pointer: string, depth: number, replace: List['replace']): void => {
    if (Array.isArray(value)) {
      const size = value.length === 0 ? 0 : JSON.stringify(value).length
      if (size > (largest?.size ?? 0)) largest = { list: { pointer, items: value, replace }, size }
    } else if (isMembers(value) && depth < 3) {
      const object = value as Record<string, unknown> // parsed or selected here, so ours to change
      for (const key of Object.keys(object))
        visit(object[key], `${pointer}/${key}`, depth + 1, (items) => {
          Object.defineProperty(object, key, {
            value: items,
            enumerable: true,
            writable: true,
            configurable: true,
          })
        })
    }
  }
  visit(holder.value, '', 0, (items) => {
    holder.value = items
  })
  // Assigned inside of visit, which the narrowing of the compiler does not follow.
  return (largest as { list: List } | null)?.list ?? null
}

function fitText(text: string, raw: Raw, bytesMax: number): FittedResult {
  if (!raw.truncated && Buffer.byteLength(text) <= bytesMax)
    return { json: JSON.stringify(text), truncated: false, hint: null, blocks: [] }
  const cut = cutText(text, bytesMax)
  return {
    json: JSON.stringify(cut),
    truncated: true,
    hint: `The first ${Buffer.byteLength(cut)} of ${raw.bodyBytes} bytes as text. Ask for less by the parameters of the endpoint, or raise max_bytes.`,
    blocks: [],
  }
}

/** At most `bytesMax` bytes of UTF-8, ending between characters. */
function cutText(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text, 'utf8')
  let end = Math.min(bytesMax, bytes.length)
  while (end > 0 && end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

/** Binary data travels as an embedded resource, whole or not at all. */
function fitBinary(raw: Raw, bytesMax: number): FittedResult {
  const type = raw.mediaType === '' ? 'application/octet-stream' : raw.mediaType
  const what = `${raw.bodyBytes} bytes of ${type}`
  if (raw.truncated || raw.body.length > bytesMax)
    return { json: 'null', truncated: true, hint: `Not shown: ${what}. Raise max_bytes.`, blocks: [] }
  const blob = Buffer.from(raw.body.buffer, raw.body.byteOffset, raw.body.byteLength).toString('base64')
  return {
    json: 'null',
    truncated: false,
    hint: `The body, ${what}, is attached as an embedded resource.`,
    blocks: [
      { type: 'resource', resource: { uri: `postern://responses/${raw.requestId}`, mimeType: type, blob } },
    ],
  }
}

function maybeJson(mediaType: string, text: string): boolean {
  return /[/+]json$/.test(mediaType) || (mediaType === '' && /^\s*[{["]/.test(text))
}

/** Types that are bytes even where they happen to be valid UTF-8. */
function isBinaryType(mediaType: string): boolean {
  return /^(image\/(?!svg)|audio\/|video\/|font\/|application\/(octet-stream|pdf|zip|gzip))/.test(mediaType)
}

/** A tree of the members to keep; null keeps everything below. */
type Wanted = Map<string, Wanted | null>

const EACH = '*'
const STEPS_MAX = 32

/**
 * Reads JSON paths such as `$.items[*].id`, `items.id`, `customer["full name"]`, `lines[0]`. A path through a list
 * means each of its items unless an index stands there. Gives the text of the path that cannot be read instead.
 */
export function toWanted(paths: readonly string[]): Wanted | string {
  const root: Wanted = new Map()
  for (const path of paths) {
    const steps = stepsOf(path)
    if (steps === null || steps.length === 0 || steps.length > STEPS_MAX) return path
    let at = root
    for (const [index, step] of steps.entries()) {
      const below = at.get(step)
      if (below === null) break
      if (index === steps.length - 1) at.set(step, null)
      else {
        const next: Wanted = below ?? new Map()
        at.set(step, next)
        at = next
      }
    }
  }
  return root
}

const STEP = /^(?:\.?([^.[\]"'\s]+)|\[(\*|[0-9]{1,9}|)\]|\["([^"]*)"\]|\['([^']*)'\])/

function stepsOf(path: string): string[] | null {
  let rest = path.startsWith('$') ? path.slice(1) : path
  const steps: string[] = []
  while (rest !== '') {
    const match = STEP.exec(rest)
    if (match === null) return null
    const step = match[1] ?? match[3] ?? match[4] ?? match[2]!
    steps.push(step === '' && match[2] !== undefined ? EACH : step)
    rest = rest.slice(match[0].length)
  }
  return steps
}

/** The value with only the wanted members; undefined when nothing of it is wanted. */
export function select(value: unknown, wanted: Wanted | null): unknown {
  if (wanted === null) return value
  if (Array.isArray(value)) return selectItems(value, wanted)
  if (!isMembers(value) || rawNumber(value) !== null) return undefined
  const kept: [string, unknown][] = []
  for (const key of wanted.has(EACH) ? Object.keys(value) : wanted.keys()) {
    if (!Object.hasOwn(value, key)) continue
    const below = wanted.get(key)
    const part = select(value[key], below === undefined ? wanted.get(EACH)! : below)
    if (part !== undefined) kept.push([key, part])
  }
  // fromEntries defines members, so that a name such as __proto__ stays one.
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

function selectItems(items: readonly unknown[], wanted: Wanted): unknown {
  const kept = partsOf(items, wanted).filter((part) => part !== undefined)
  return kept.length === 0 && items.length > 0 ? undefined : kept
}

function partsOf(items: readonly unknown[], wanted: Wanted): unknown[] {
  const each = wanted.get(EACH)
  const indexes = [...wanted.keys()].filter((key) => /^[0-9]+$/.test(key)).map(Number)
  if (indexes.length === 0 || each !== undefined)
    return items.map((item) => select(item, each === undefined ? wanted : each))
  return indexes
    .sort((a, b) => a - b)
    .filter((index) => index < items.length)
    .map((index) => select(items[index], wanted.get(String(index))!))
}
