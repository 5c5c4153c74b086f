/**
 * JSON data as pieces of UTF-8. A large value crosses between threads, and is written and read, in time slices. The bytes change
 * hands: one turn is too short to copy 60 MB of strings or objects into a message.
 */
import { stringParts } from './canonical.ts'

/** Characters of one piece, about. */
const PIECE_CHARS = 65_536
/** Values of which one piece is made at once. */
const PIECE_VALUES = 2000

/** JSON as UTF-8. Each has a buffer of its own. */
type JsonBytes = Uint8Array<ArrayBuffer>

/** A text of JSON, the parts of a long string without their quotes, or the parts of a large list or object. */
export type JsonPieces =
  | { readonly json: JsonBytes }
  | { readonly texts: readonly JsonBytes[] }
  | { readonly items: readonly Run[] }
  | { readonly members: readonly Run[] }

/** Several small items or members as JSON, or one large one. */
type Run = { readonly json: JsonBytes } | { readonly name: string; readonly value: JsonPieces }

/** The pieces of plain data; `undefined` is left out, as `JSON.stringify` does. */
export function* toPieces(value: unknown): Generator<void, JsonPieces> {
  const made = yield* textOrPieces(value)
  return typeof made === 'string' ? { json: toBytes(made) } : made
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function toBytes(text: string): JsonBytes {
  return encoder.encode(text)
}

/** What small data is as JSON, and the pieces of other data. */
function* textOrPieces(value: unknown): Generator<void, string | JsonPieces> {
  if (typeof value === 'string' && value.length > PIECE_CHARS) {
    const texts: JsonBytes[] = []
    for (const part of stringParts(value)) {
      texts.push(toBytes(part))
      yield
    }
    return { texts }
  }
  if (isSmall(value)) {
    yield
    return JSON.stringify(value) ?? 'null'
  }
  if (Array.isArray(value)) return { items: yield* runsOf(value.entries(), '[', ']', (_, json) => json) }
  const members = Object.entries(value as object).filter(([, member]) => member !== undefined)
  return { members: yield* runsOf(members, '{', '}', (name, json) => `${JSON.stringify(name)}:${json}`) }
}

function* runsOf(
  entries: Iterable<readonly [string | number, unknown]>,
  open: string,
  close: string,
  written: (name: string | number, json: string) => string,
): Generator<void, Run[]> {
  const runs: Run[] = []
  let small: string[] = []
  let chars = 0
  const flush = (): void => {
    if (small.length > 0) runs.push({ json: toBytes(open + small.join() + close) })
    small = []
    chars = 0
  }
  for (const [name, value] of entries) {
    const piece = yield* textOrPieces(value)
    if (typeof piece === 'string') {
      const one = written(name, piece)
      chars += one.length
      small.push(one)
      if (chars > PIECE_CHARS) flush()
    } else {
      flush()
      runs.push({ name: String(name), value: piece })
    }
  }
  flush()
  return runs
}

/** The data of pieces. A member named `__proto__` is a member like any other, as of `JSON.parse`. */
export function* fromPieces(pieces: JsonPieces): Generator<void, unknown> {
  if ('texts' in pieces) {
    const texts: string[] = []
    for (const part of pieces.texts) {
      texts.push(JSON.parse(`"${decoder.decode(part)}"`) as string)
      yield
    }
    return texts.join('')
  }
  if ('json' in pieces) {
    yield
    return read(pieces.json)
  }
  if ('items' in pieces) {
    const items: unknown[] = []
    for (const run of pieces.items) {
      if ('json' in run) for (const item of read(run.json) as unknown[]) items.push(item)
      else items.push(yield* fromPieces(run.value))
      yield
    }
    return items
  }
  const members: Record<string, unknown> = {}
  for (const run of pieces.members) {
    if ('json' in run)
      for (const [name, one] of Object.entries(read(run.json) as object)) put(members, name, one)
    else put(members, run.name, yield* fromPieces(run.value))
    yield
  }
  return members
}

function read(json: JsonBytes): unknown {
  return JSON.parse(decoder.decode(json))
}

/** The buffers of pieces, which change hands when these are sent. */
export function* buffersOf(pieces: JsonPieces): Generator<ArrayBuffer> {
  if ('json' in pieces) yield pieces.json.buffer
  else if ('texts' in pieces) for (const { buffer } of pieces.texts) yield buffer
  else
    for (const run of 'items' in pieces ? pieces.items : pieces.members)
      if ('json' in run) yield run.json.buffer
      else yield* buffersOf(run.value)
}

/** An assignment to `__proto__` would change what the object inherits. */
function put(members: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') members[name] = value
  else Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true })
}

/** The text that `JSON.stringify` makes of plain data, as UTF-8, with a pause after each piece. */
export function* jsonBytesInPieces(value: unknown): Generator<void, Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  for (const part of partsOf(yield* toPieces(value))) {
    parts.push(part)
    yield
  }
  return Buffer.concat(parts)
}

function* partsOf(pieces: JsonPieces): Generator<Uint8Array> {
  if ('json' in pieces) return yield pieces.json
  if ('texts' in pieces) {
    yield toBytes('"')
    yield* pieces.texts
    return yield toBytes('"')
  }
  const isList = 'items' in pieces
  let before = isList ? '[' : '{'
  for (const run of isList ? pieces.items : pieces.members) {
    if ('json' in run) {
      yield toBytes(before)
      yield run.json.subarray(1, -1)
    } else {
      yield toBytes(isList ? before : `${before}${JSON.stringify(run.name)}:`)
      yield* partsOf(run.value)
    }
    before = ','
  }
  yield toBytes((before === ',' ? '' : before) + (isList ? ']' : '}'))
}

/** True for what is one piece. It looks at as many values as a piece may have, and no further. */
function isSmall(root: unknown): boolean {
  let values = 0
  let chars = 0
  const open: unknown[] = [root]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value === 'string') chars += value.length
    if (++values > PIECE_VALUES || chars > PIECE_CHARS) return false
    if (value === null || typeof value !== 'object') continue
    if (Array.isArray(value)) {
      if (value.length > PIECE_VALUES) return false
      for (const item of value) open.push(item)
    } else
      for (const name in value) {
        chars += name.length
        if (open.push((value as Record<string, unknown>)[name]) > PIECE_VALUES) return false
      }
  }
  return true
}
