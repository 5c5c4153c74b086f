/**
 * Arguments that are also sent in headers (2026-07-28, basic/transports: `x-mcp-header`). The mark is valid on string,
 * integer and boolean properties that are reached through `properties` only. Names are tokens, and unique regardless of case.
 */
import { isMembers, type Members } from '../protocol/message.ts'
import { decodeMirrored, encodeMirrored } from '../protocol/mirrored.ts'

/** An argument with a header of its own. */
export interface MirroredParam {
  /** Members that lead to it. */
  readonly path: readonly string[]
  readonly header: string
}

const MARK = 'x-mcp-header'
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/
const TYPES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])
const DEPTH_MAX = 32

/** Why the marks of a schema are not legal, as the end of a sentence about its tool; null when they are. */
export function mirroredFault(schema: unknown): string | null {
  // Without a schema there are no marks
  if (!isMembers(schema)) return null
  try {
    mirroredParams(schema)
    return null
  } catch (error) {
    return (error as RangeError).message
  }
}

/** Of schemas that were asked for. */
const known = new WeakMap<Members, readonly MirroredParam[]>()

/** The marked arguments of a tool. Throws a RangeError for a mark that is not legal. */
export function mirroredParams(schema: Members): readonly MirroredParam[] {
  let params = known.get(schema)
  if (params === undefined) {
    params = markedIn(schema)
    known.set(schema, params)
  }
  return params
}

function markedIn(schema: Members): readonly MirroredParam[] {
  const found: MirroredParam[] = []
  const names = new Set<string>()
  const visit = (value: unknown, path: readonly string[], isReached: boolean): void => {
    if (path.length > DEPTH_MAX) return
    if (Array.isArray(value)) {
      for (const one of value) visit(one, path, false)
      return
    }
    if (!isMembers(value)) return
    const header = value[MARK]
    if (header !== undefined) {
      if (!isReached || path.length === 0 || !TYPES.has(value['type']))
        throw new RangeError('has an x-mcp-header where none may be')
      if (typeof header !== 'string' || !TOKEN.test(header) || names.has(header.toLowerCase()))
        throw new RangeError('has an x-mcp-header that is no name of its own')
      names.add(header.toLowerCase())
      found.push({ path, header })
    }
    for (const [member, inner] of Object.entries(value)) {
      if (member === 'properties' && isMembers(inner))
        for (const [name, property] of Object.entries(inner)) visit(property, [...path, name], isReached)
      else if (member !== 'default' && member !== 'const' && member !== 'enum' && member !== 'examples')
        visit(inner, path, false)
    }
  }
  visit(schema, [], true)
  return found
}

/** The header lines for the arguments of a call; an absent or null argument has none. */
export function mirroredLines(params: readonly MirroredParam[], given: Members): string {
  let lines = ''
  for (const { path, header } of params) {
    const value = valueAt(given, path)
    if (travels(value)) lines += `${PREFIX}${header}: ${encodeMirrored(String(value))}\r\n`
  }
  return lines
}

/**
 * Compares the arguments of a call with the headers that its sender has made of them (2026-07-28, basic/transports: server
 * validation). A header without its argument differs too: whoever reads headers alone would be told something else.
 * @param headerOf value of a header by its lower-case name
 * @returns what differs, as a sentence without a full stop; null when all agree
 */
export function mirroredMismatch(
  params: readonly MirroredParam[],
  given: Members,
  headerOf: (name: string) => string | undefined,
): string | null {
  for (const { path, header } of params) {
    const name = PREFIX + header
    const value = valueAt(given, path)
    const sent = headerOf(name.toLowerCase())
    if (sent === undefined) {
      if (travels(value)) return `${name} is missing`
      continue
    }
    const decoded = decodeMirrored(sent)
    if (decoded === null) return `${name} is malformed`
    if (!isSame(decoded, value)) return `${name} differs from params.arguments.${path.join('.')}`
  }
  return null
}

const PREFIX = 'Mcp-Param-'
const DECIMAL = /^-?\d{1,32}(\.\d{1,32})?$/

function valueAt(given: Members, path: readonly string[]): unknown {
  let value: unknown = given
  for (const member of path)
    value = isMembers(value) && Object.hasOwn(value, member) ? value[member] : undefined
  return value
}

/** True for a value that has a header; an integer beyond 2^53 has none. */
function travels(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)
}

/** Numbers are compared as numbers: `42.0` is 42. */
function isSame(text: string, value: unknown): boolean {
  if (typeof value === 'number') return DECIMAL.test(text) && Number(text) === value
  return (typeof value === 'string' || typeof value === 'boolean') && text === String(value)
}
