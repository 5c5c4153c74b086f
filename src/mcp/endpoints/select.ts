import { rawNumber } from '../../base/json/exact.ts'
import { isMembers } from '../protocol/message.ts'

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
