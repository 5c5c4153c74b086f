/** Members of a JSON value that are sensitive as a whole, named by JSON pointers (RFC 6901) in which `*` is any member or item. */
import { isPlain, tokenText } from '../base/json/plain.ts'
import type { Act, Hits } from './act.ts'

/** A pointer and its tokens. */
interface Path {
  readonly pointer: string
  readonly tokens: readonly string[]
}

/** @throws RangeError for a text that is no JSON pointer to a member. */
export function compilePaths(pointers: readonly string[]): readonly Path[] {
  return pointers.map((pointer) => {
    if (!pointer.startsWith('/')) throw new RangeError(`"${pointer}" is no JSON pointer: it begins with /`)
    return { pointer, tokens: pointer.slice(1).split('/').map(tokenText) }
  })
}

/**
 * The value with each text, number and boolean at or below the paths acted on, as the kind `path`. Counted in `hits` under `path` and the pointer.
 * What has nothing there is the same object as before.
 */
export function actedPaths(value: unknown, paths: readonly Path[], act: Act, hits: Hits): unknown {
  let result = value
  for (const { pointer, tokens } of paths) {
    const counted = (text: string): string => {
      hits['path'] ??= {}
      hits['path'][pointer] = (hits['path'][pointer] ?? 0) + 1
      return act(text, 'path')
    }
    result = changedAt(result, tokens, 0, (found) => changedWhole(found, counted))
  }
  return result
}

type Change = (value: unknown) => unknown

function changedAt(value: unknown, tokens: readonly string[], index: number, change: Change): unknown {
  if (index === tokens.length) return change(value)
  const token = tokens[index]!
  const inner: Change = (member) => changedAt(member, tokens, index + 1, change)
  if (Array.isArray(value))
    return token === '*' || /^(0|[1-9]\d*)$/.test(token)
      ? value.map((item, at) => (token === '*' || String(at) === token ? inner(item) : item))
      : value
  if (!isPlain(value)) return value
  const entries = Object.entries(value)
  if (token !== '*' && !Object.hasOwn(value, token)) return value
  return Object.fromEntries(
    entries.map(([name, member]) => [name, token === '*' || name === token ? inner(member) : member]),
  )
}

const DEPTH_MAX = 1000

/** A value in which no text, number or boolean is as it was. Names of members stay. */
function changedWhole(value: unknown, act: (text: string) => string, depth = 0): unknown {
  if (value === null || value === undefined) return value
  if (typeof value !== 'object') return act(String(value))
  if (depth === DEPTH_MAX)
    throw new RangeError(`the value has more than ${DEPTH_MAX} levels of lists and objects`)
  if (Array.isArray(value)) return value.map((item) => changedWhole(item, act, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, changedWhole(member, act, depth + 1)]),
  )
}
