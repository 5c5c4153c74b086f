import {
  type Evaluation,
  FAILED,
  type FunctionType,
  failed,
  isNumber,
  list,
  made,
  spend,
  text,
  wholeNumber,
} from './evaluation.ts'
import { compare, computed, isEqual } from './operators.ts'

export const LIST_FUNCTIONS: Readonly<Record<string, FunctionType>> = {
  sort: { takes: [1], signatures: ['list.sort(): list<dyn>'], call: sort },
  sum: {
    takes: [1],
    signatures: ['list<int>.sum(): int', 'list<double>.sum(): double', 'list<dyn>.sum(): dyn'],
    call: (run, [value]) =>
      list(run, value).reduce(
        (sum, item) =>
          isNumber(item) ? computed(run, '+', sum, item) : failed('sum takes a list of numbers'),
        0n,
      ),
  },
  min: { takes: [1], signatures: ['list.min(): dyn'], call: (run, given) => extreme(run, given, '<') },
  max: { takes: [1], signatures: ['list.max(): dyn'], call: (run, given) => extreme(run, given, '>') },
  distinct: { takes: [1], signatures: ['list.distinct(): list<dyn>'], call: distinct },
  first: { takes: [1], signatures: ['list.first(): dyn'], call: (run, given) => end(run, given, 0) },
  last: { takes: [1], signatures: ['list.last(): dyn'], call: (run, given) => end(run, given, -1) },
  slice: { takes: [3], signatures: ['list.slice(int, int): list<dyn>'], call: slice },
  reverse: {
    takes: [1],
    signatures: ['list.reverse(): list<dyn>', 'string.reverse(): string'],
    call: (run, [value]) =>
      typeof value === 'string'
        ? Array.from(text(run, value)).reverse().join('')
        : made(run, list(run, value).toReversed()),
  },
  flatten: {
    takes: [1, 2],
    signatures: ['list.flatten(): list<dyn>', 'list.flatten(int): list<dyn>'],
    call: (run, [value, depth]) =>
      made(run, flat(run, list(run, value), depth === undefined ? 1 : wholeNumber(depth, 1, 32))),
  },
}

/** Numbers, texts, truth values or times, but of one kind. Each comparison is paid. */
function sort(run: Evaluation, [value]: readonly unknown[]): unknown[] {
  const items = list(run, value)
  return made(
    run,
    items.toSorted((a, b) => (compare(run, '<', a, b) ? -1 : compare(run, '>', a, b) ? 1 : 0)),
  )
}

function extreme(run: Evaluation, [value]: readonly unknown[], sign: '<' | '>'): unknown {
  const items = list(run, value)
  if (items.length === 0) failed('an empty list has neither min nor max')
  return items.reduce((best, item) => (compare(run, sign, item, best) ? item : best))
}

/** Each value once, at its first place. */
function distinct(run: Evaluation, [value]: readonly unknown[]): unknown[] {
  const seen = new Set<unknown>()
  const kept: unknown[] = []
  const others: unknown[] = []
  for (const item of list(run, value)) {
    // 1 and 1.0 are equal, and a text is none of them
    const key =
      typeof item === 'bigint' && Number.isSafeInteger(Number(item))
        ? Number(item)
        : typeof item === 'string'
          ? text(run, item)
          : item
    const isScalar = typeof key !== 'object' || key === null
    if (isScalar ? seen.has(key) : others.some((other) => isEqual(run, other, item))) continue
    if (isScalar) seen.add(key)
    else others.push(item)
    kept.push(item)
  }
  return made(run, kept)
}

function end(run: Evaluation, [value]: readonly unknown[], place: 0 | -1): unknown {
  if (!Array.isArray(value)) throw FAILED
  spend(run, 1)
  if (value.length === 0) failed('an empty list has no item')
  return value.at(place)
}

/** From a place up to, but without, another one. */
function slice(run: Evaluation, [value, from, to]: readonly unknown[]): unknown[] {
  if (!Array.isArray(value)) throw FAILED
  const start = wholeNumber(from, 0, value.length)
  const stop = wholeNumber(to, start, value.length)
  spend(run, stop - start)
  return made(run, value.slice(start, stop))
}

function flat(run: Evaluation, items: readonly unknown[], depth: number): unknown[] {
  const result: unknown[] = []
  for (const item of items)
    if (!Array.isArray(item)) result.push(item)
    else
      for (const inner of depth > 1 ? flat(run, list(run, item), depth - 1) : list(run, item))
        result.push(inner)
  return result
}
