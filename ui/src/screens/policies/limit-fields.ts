/** Fields of one limit of a policy: those that its kind takes, and those that have a value. */
import type { Json, JsonObject } from '../../../build/document.ts'
import { type Field, labelOf } from '../../schema/fields.ts'

/** Kinds that a limit can have, and what each counts. */
export const KINDS = [
  { kind: 'rate', words: 'Requests in any window from 1 second to 24 hours' },
  { kind: 'quota', words: 'Requests in each day, week or month' },
  { kind: 'concurrency', words: 'Requests at the same time' },
] as const

/** Members that one kind alone takes, or that one kind does not take. */
const TAKEN_BY: Readonly<Record<string, readonly string[]>> = {
  window: ['rate', 'quota'],
  burst: ['rate'],
  rolling: ['quota'],
  timezone: ['quota'],
  wait: ['concurrency'],
  count: ['rate', 'quota'],
}
const FIRST = ['name', 'kind', 'max', 'window']

interface LimitFields {
  /** What every limit of the kind needs. */
  readonly first: readonly Field[]
  /** What it may have besides. */
  readonly more: readonly Field[]
}

/**
 * @param limit as it is edited
 * @param isFaulty tells whether the server refused a member. Such a member is shown, and so is one with a value that the kind does not take
 */
export function limitFields(
  fields: readonly Field[],
  limit: JsonObject,
  isFaulty: (name: string) => boolean,
): LimitFields {
  const kind = limit['kind']
  const isKnown = KINDS.some((one) => one.kind === kind)
  const shown = fields
    .filter(
      ({ name }) =>
        !isKnown ||
        limit[name] !== undefined ||
        isFaulty(name) ||
        (TAKEN_BY[name]?.includes(String(kind)) ?? true),
    )
    .map((field) => ({ ...field, description: hintOfKind(field.description, String(kind)) }))
  return {
    first: shown.filter(({ name }) => FIRST.includes(name)),
    more: shown.filter(({ name }) => !FIRST.includes(name)),
  }
}

/** What a hint says of a kind: `1s to 24h` of `rate: 1s to 24h; concurrency: none`, and the text without `Of a rate: ` before it. */
export function hintOfKind(hint: string, kind: string): string {
  const part = hint.split('; ').find((one) => one.startsWith(`${kind}: `))
  const [whole, of] = /^Of a (?:calendar )?(\w+)(?: limit)?: /.exec(hint) ?? []
  const text =
    part?.slice(kind.length + 2) ?? (whole !== undefined && of === kind ? hint.slice(whole.length) : null)
  return text === null ? hint : text.charAt(0).toUpperCase() + text.slice(1)
}

/** A new limit, with the name of its kind, or the next one that no other limit has. */
export function newLimit(kind: string, names: readonly string[]): JsonObject {
  let name = kind
  for (let at = 2; names.includes(name); at++) name = `${kind}-${at}`
  return { name, kind }
}

/** The names of all limits of a policy. A short form is a limit of its own name. */
export function namesOf(policy: JsonObject): readonly string[] {
  const limits = Array.isArray(policy['limits']) ? policy['limits'] : []
  const named = (limits as readonly Json[]).flatMap((limit) => {
    const name = (limit as JsonObject | null)?.['name']
    return typeof name === 'string' ? [name] : []
  })
  return [...named, ...['rate', 'quota'].filter((short) => policy[short] != null)]
}

/** `Rate limit`, and `Limit` of a kind that is not known. */
export function titleOf(limit: JsonObject): string {
  const kind = limit['kind']
  if (typeof kind !== 'string' || kind === '') return 'Limit'
  return kind === 'quota' ? 'Quota' : `${labelOf(kind)} limit`
}
