/** Limits of policies: their fields, what they do in words, and how much of them is used. */
import type { Json, JsonObject } from '../../../build/document.ts'
import { type Field, labelOf } from '../../schema/fields.ts'
import { durationWords } from '../../schema/value.ts'

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

/** What a hint says of a kind: `1s to 24h` of `rate: 1s to 24h; concurrency: none`, and the text without `For a rate: ` before it. */
export function hintOfKind(hint: string, kind: string): string {
  const part = hint.split('; ').find((one) => one.startsWith(`${kind}: `))
  const [whole, of] = /^For a (?:calendar )?(\w+)(?: limit)?: /.exec(hint) ?? []
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

// Limits of policies, read as sentences.

/** A limit, as `policies.get` answers it. */
export interface Limit {
  readonly kind: 'rate' | 'quota' | 'concurrency'
  readonly max: number
  readonly window?: string
  readonly burst?: number
  readonly rolling?: boolean
  readonly timezone?: string
  readonly wait?: string
  readonly key?: string
  readonly cost?: number
  readonly mode?: string
  readonly count?: readonly string[]
}

export interface NamedLimit extends Limit {
  readonly name: string
}

const CALENDAR: Readonly<Record<string, string>> = { '1d': 'day', '7d': 'week', '30d': 'month' }

function holderWords(key: string | undefined): string {
  const [kind = '', name = ''] = (key ?? '').split(/:(.*)/s)
  switch (kind) {
    case 'ip':
      return 'for each IP address'
    case 'global':
      return 'for all callers together'
    case 'tool':
      return 'for each tool'
    case 'user':
      return 'for each user'
    case 'claim':
      return `for each value of the claim ${name}`
    case 'header':
      return `for each value of the header ${name}`
    default:
      return 'for each client or profile'
  }
}

function amountWords(limit: Limit): string {
  const max = limit.max.toLocaleString('en')
  const requests = limit.max === 1 ? 'request' : 'requests'
  if (limit.kind === 'concurrency') return `${max} ${requests} at the same time`
  const window = limit.window ?? ''
  if (limit.kind === 'quota' && limit.rolling !== true && CALENDAR[window] !== undefined)
    return `${max} ${requests} in each ${CALENDAR[window]} (${limit.timezone ?? 'UTC'})`
  if (limit.burst !== undefined)
    return `${max} ${requests} in each ${durationWords(window)} on average, up to ${limit.burst.toLocaleString('en')} at once`
  return `${max} ${requests} in any ${durationWords(window)}`
}

/** All limits of a policy in a line: `6,000 requests in any minute; 5,000,000 requests in each month (UTC)`. */
export function amountsOf(policy: JsonObject): string {
  return limitsOf(policy).map(amountWords).join('; ')
}

/** `rate` and `quota` are short forms of limits of these names. */
export function limitsOf(policy: JsonObject): readonly NamedLimit[] {
  const short = (name: 'rate' | 'quota'): NamedLimit[] => {
    const found = policy[name] as { readonly max: number; readonly interval: string } | null | undefined
    return found == null ? [] : [{ name, kind: name, max: found.max, window: found.interval }]
  }
  const limits = (policy['limits'] ?? []) as unknown as readonly NamedLimit[]
  const names = new Set(limits.map(({ name }) => name))
  return [...limits, ...[...short('rate'), ...short('quota')].filter(({ name }) => !names.has(name))]
}

/** What a limit does, such as `1,000 requests in any minute, for each client.` */
export function sentenceOf(limit: Limit): string {
  const more = [
    limit.wait !== undefined && `Further requests wait up to ${durationWords(limit.wait)}.`,
    limit.cost !== undefined && limit.cost !== 1 && `Each request counts as ${limit.cost}.`,
    limit.count !== undefined &&
      limit.count.length > 0 &&
      `Only responses with status ${limit.count.join(', ')} count.`,
    limit.mode === 'observe' &&
      'Observe mode: it refuses no requests. Records show the requests that it would refuse.',
  ].filter((one) => typeof one === 'string')
  return [`${amountWords(limit)}, ${holderWords(limit.key)}.`, ...more].join(' ')
}

// Counters of a policy, gathered by limit.

interface Counted {
  readonly limit: string
  readonly used: number | null
  readonly max: number
  readonly refused: number
}

export interface LimitUsage<T> {
  readonly limit: string
  /** Counters with use or refusals, the fullest first. */
  readonly used: readonly T[]
  /** Counters that nothing has touched. */
  readonly idle: readonly T[]
}

/** Counters of each limit, in the order of the limits of the policy. Those at zero stand apart. */
export function byLimit<T extends Counted>(
  counters: readonly T[],
  limits: readonly string[],
): readonly LimitUsage<T>[] {
  const groups = Map.groupBy(counters, ({ limit }) => limit)
  const place = (limit: string): number => (limits.includes(limit) ? limits.indexOf(limit) : limits.length)
  return [...groups]
    .sort(([one], [other]) => place(one) - place(other))
    .map(([limit, own]) => {
      const isIdle = ({ used, refused }: T): boolean => used === 0 && refused === 0
      const share = ({ used, max }: T): number => (used ?? 0) / max
      return {
        limit,
        used: own.filter((one) => !isIdle(one)).sort((one, other) => share(other) - share(one)),
        idle: own.filter(isIdle),
      }
    })
}
