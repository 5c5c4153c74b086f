import { isPlain } from '../../base/json/storable.ts'
import { EXPECTED, fromText, type JsonSchema, kindOf, membersOf, withoutNull } from '../fields.ts'
import { UsageError } from './exit.ts'

const STEP = /^([A-Za-z0-9_-]+)((?:\[[0-9]{1,4}\])*)$/
const INDEX_MAX = 1000

/**
 * Puts the value of `a.b[0].c=text`, also written `a.b.0.c=text`, into an object. The schema says what the text stands for; where it does not,
 * JSON is read as JSON and anything else as text.
 * @throws UsageError when the path or the value does not fit.
 */
export function setPath(target: Record<string, unknown>, assignment: string, schema: JsonSchema): void {
  const sign = assignment.indexOf('=')
  if (sign < 1) throw new UsageError(`--set must be path=value, not "${assignment}".`)
  const path = assignment.slice(0, sign)
  const steps = toSteps(path)
  let place: Record<string, unknown> | unknown[] = target
  let at: JsonSchema = schema
  for (const [i, step] of steps.entries()) {
    if (Array.isArray(place) && typeof step !== 'number')
      throw new UsageError(`--set ${path}: "${step}" is not an index of a list.`)
    at = schemaOf(at, step)
    // Steps into lists are numbers, as was just checked, and into objects either; both index alike
    const slots = place as Record<string | number, unknown>
    if (Array.isArray(place) && Number(step) > place.length)
      throw new UsageError(`--set ${path}: ${outOfRange(Number(step), place.length)}`)
    if (i === steps.length - 1) {
      slots[step] = toValue(at, assignment.slice(sign + 1), path)
      return
    }
    const next = Object.hasOwn(slots, step) ? slots[step] : undefined
    if (next === null || typeof next !== 'object')
      slots[step] = typeof steps[i + 1] === 'number' && withoutNull(at)['type'] !== 'object' ? [] : {}
    place = slots[step] as Record<string, unknown> | unknown[]
  }
}

/**
 * Puts the lists that assignments lead into, as they are now, into the input of an update: an update replaces a list as a whole, and
 * `limits[0].max=20` means one member of it. A list that the input has already stays.
 * @param current the resource as it was answered
 */
export function takeLists(
  target: Record<string, unknown>,
  assignments: readonly string[],
  current: Current,
): void {
  for (const steps of listsOf(assignments)) {
    let place: Record<string, unknown> = target
    let known: unknown = current
    for (const [i, step] of steps.entries()) {
      known = isPlain(known) && Object.hasOwn(known, step) ? known[step] : undefined
      const isList = i === steps.length - 1
      if (isList && Array.isArray(known) && place[step] === undefined) place[step] = known.map(writable)
      if (isList || (place[step] !== undefined && !isPlain(place[step])) || !isPlain(known)) break
      place[step] ??= {}
      place = place[step] as Record<string, unknown>
    }
  }
}

/** A resource as it was answered. */
type Current = Readonly<Record<string, unknown>>

/** True if an assignment leads into a list, which an update needs to know. */
export function leadIntoLists(assignments: readonly string[]): boolean {
  return listsOf(assignments).length > 0
}

/** The names that lead to the first list of each assignment. */
function listsOf(assignments: readonly string[]): string[][] {
  return assignments.flatMap((assignment) => {
    const steps = toSteps(assignment.slice(0, Math.max(0, assignment.indexOf('='))))
    const at = steps.findIndex((step) => typeof step === 'number')
    return at < 1 ? [] : [steps.slice(0, at).map(String)]
  })
}

/** A value of an answer as a write takes it: without the states of secrets. A secret that is left out is kept. */
function writable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writable)
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (isSecretState(one) ? [] : [[name, writable(one)]])),
  )
}

function isSecretState(value: unknown): boolean {
  return isPlain(value) && typeof value['set'] === 'boolean' && typeof value['source'] === 'string'
}

function toSteps(path: string): (string | number)[] {
  return path.split('.').flatMap((part) => {
    const match = STEP.exec(part)
    if (match === null || match[1] === '__proto__')
      throw new UsageError(
        `--set ${path}: a path is names with dots and [0], such as upstream.targets[0].url.`,
      )
    if (/^[0-9]{1,4}$/.test(part)) return [toIndex(part, path)]
    const indexes = [...match[2]!.matchAll(/[0-9]+/g)].map((index) => toIndex(index[0], path))
    return [match[1]!, ...indexes]
  })
}

function toIndex(text: string, path: string): number {
  const index = Number(text)
  if (index >= INDEX_MAX) throw new UsageError(`--set ${path}: the index ${text} is too large.`)
  return index
}

function outOfRange(index: number, length: number): string {
  if (length === 0) return `the list is empty: [0] adds an element, and [${index}] is beyond it.`
  const there = length === 1 ? 'one element, [0]' : `${length} elements, [0] to [${length - 1}]`
  return `the list has ${there}: [${length}] adds one, and [${index}] is beyond it.`
}

/** The schema one step further; an empty one, which allows anything, where it is not known. */
function schemaOf(schema: JsonSchema, step: string | number): JsonSchema {
  const plain = withoutNull(schema)
  const choices = [plain, ...((plain['anyOf'] ?? plain['oneOf'] ?? []) as JsonSchema[])]
  for (const choice of choices) {
    const members = membersOf(choice)
    const next = Object.hasOwn(members, step)
      ? members[step]
      : typeof step === 'number'
        ? choice['items']
        : undefined
    if (next !== undefined) return next as JsonSchema
  }
  return {}
}

function toValue(schema: JsonSchema, text: string, path: string): unknown {
  if (text === 'null' && withoutNull(schema) !== schema) return null
  const kind = kindOf(schema)
  if (kind === 'text') return text
  const value = fromText(kind === 'list' ? 'json' : kind, text)
  if (value !== undefined) return value
  if (kind === 'json') return text
  throw new UsageError(`--set ${path}: "${text}" is not ${kind === 'list' ? 'a JSON list' : EXPECTED[kind]}.`)
}
