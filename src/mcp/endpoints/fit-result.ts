/** Fits the body of a response into the bounds of a result for an agent. */
import { isUtf8 } from 'node:buffer'
import { parseExact, rawNumber } from '../../base/json/exact.ts'
import { quotedJson } from '../../base/json/quoted.ts'
import { isMembers, type Members } from '../protocol/message.ts'

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
      hint: `None of the fields is there. ${topOf(value)}`,
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
