import { isPlain, type Plain } from '../../json/plain.ts'
import { type Evaluation, FAILED, failed, list, made, spend, text } from './evaluation.ts'
import type { FunctionType } from './function-type.ts'

/** Members that a path of `get` names. */
const PATH_MAX = 32

export const OBJECT_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  keys: {
    takes: [1],
    signatures: ['map.keys(): list<string>'],
    call: (run, [value]) => made(run, namesOf(run, value)),
  },
  values: {
    takes: [1],
    signatures: ['map.values(): list<dyn>'],
    call: (run, [value]) =>
      made(
        run,
        namesOf(run, value).map((name) => (value as Plain)[name]),
      ),
  },
  get: {
    takes: [2, 3],
    signatures: ['map', 'list'].flatMap((type) =>
      ['string', 'list<dyn>'].flatMap((path) => [
        `${type}.get(${path}): dyn`,
        `${type}.get(${path}, dyn): dyn`,
      ]),
    ),
    call: get,
  },
  pick: {
    takes: [2],
    signatures: ['map.pick(list): map<string, dyn>'],
    call: (run, [value, wanted]) => chosen(run, value, wanted, true),
  },
  omit: {
    takes: [2],
    signatures: ['map.omit(list): map<string, dyn>'],
    call: (run, [value, unwanted]) => chosen(run, value, unwanted, false),
  },
  merge: {
    takes: [2],
    signatures: ['map.merge(map): map<string, dyn>'],
    call: (run, [value, other]) =>
      objectOf(
        run,
        [value, other].flatMap((one) =>
          namesOf(run, one).map((name) => [name, (one as Plain)[name]] as const),
        ),
      ),
  },
}

/** An object that the evaluation has made. `__proto__` is a name like any other. */
export function objectOf(run: Evaluation, members: Iterable<readonly [string, unknown]>): Plain {
  return made(run, Object.fromEntries(members))
}

function namesOf(run: Evaluation, value: unknown): string[] {
  if (!isPlain(value)) throw FAILED
  const names = Object.keys(value)
  spend(run, names.length)
  return names
}

/**
 * The member at a path, such as `a.b.0` or `["a", "b", 0]`; the default, or null, where there is none. A member that is null is
 * there.
 */
function get(run: Evaluation, [value, path, other = null]: readonly unknown[]): unknown {
  const keys = Array.isArray(path) ? list(run, path) : text(run, path).split('.', PATH_MAX + 1)
  if (keys.length > PATH_MAX) failed(`a path has at most ${PATH_MAX} members`)
  spend(run, keys.length)
  let found = value
  for (const key of keys) {
    const name =
      typeof key === 'string' ? key : typeof key === 'bigint' || typeof key === 'number' ? String(key) : null
    if (name === null) failed('a path has texts and whole numbers')
    if (Array.isArray(found) && !/^(?:0|[1-9]\d{0,8})$/.test(name)) return other
    if (ArrayBuffer.isView(found))
      failed('a body that is neither text nor JSON as its media type promises has no members')
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return other
    found = (found as Plain)[name]
  }
  return found
}

function chosen(run: Evaluation, value: unknown, listed: unknown, isKept: boolean): Plain {
  const names = new Set(list(run, listed).map((name) => text(run, name)))
  return objectOf(
    run,
    namesOf(run, value)
      .filter((name) => names.has(name) === isKept)
      .map((name) => [name, (value as Plain)[name]] as const),
  )
}
