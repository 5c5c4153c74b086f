/** The short form of limits: `--limit 1000/1m` and `--quota 50000/1d`, for each resource whose spec has `limits`. */
import { Option } from 'commander'
import { isPlain } from '../../base/json/storable.ts'
import { Limit, type LimitSpec, windowed } from '../../model/api/policy.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { EXPECTED, fromText } from '../fields.ts'
import { repeated } from './common-flags.ts'
import { UsageError } from './exit.ts'

/** By flag: the kind of limit, and an example. */
const KINDS = { limit: ['rate', '1000/1m'], quota: ['quota', '50000/1d'] } as const
type LimitFlag = keyof typeof KINDS
const FLAGS = Object.keys(KINDS) as LimitFlag[]

/** `[name=]max/window`. */
const SHORT = /^(?:([^=/]*)=)?([^=/]*)\/([^=/]*)$/

/** True if a member `limits` of the input holds limits. */
export function takesLimits({ input }: Operation): boolean {
  return Object.hasOwn(input.shape, 'limits') && Object.hasOwn(input.shape, 'quota')
}

/** The flags; `--quota` also takes the JSON of the member `quota`. */
export function limitOptions(): Option[] {
  const text = (what: string, [, example]: readonly [string, string]): string =>
    `${what} as max/window, such as ${example}; name=${example} names it; repeat for more`
  return [
    new Option('--limit <limit>', text('Rate limit', KINDS.limit)).argParser(repeated),
    new Option('--quota <quota>', `${text('Quota', KINDS.quota)}. JSON sets the member quota`).argParser(
      repeated,
    ),
  ]
}

/** The limits that flags give, in their order; one with a name replaces the limit with this name. */
export function limitsIn(given: Readonly<Record<string, unknown>>): readonly LimitSpec[] {
  return FLAGS.flatMap((flag) => shortOf(given[flag]).map((text) => toLimit(flag, text)))
}

/** The value of the member `quota` where it is given as JSON; undefined where it is not. */
export function quotaJsonIn(given: Readonly<Record<string, unknown>>): unknown {
  const text = listOf(given['quota']).findLast(isJson)
  const value = text === undefined ? null : fromText('json', text)
  if (value === undefined)
    throw new UsageError(`--quota must be ${EXPECTED.json} or max/window, not "${text}".`)
  return text === undefined ? undefined : value
}

/** Limits with others in the place of those with the same names, or behind them. */
export function withLimits(known: unknown, more: readonly LimitSpec[]): unknown[] {
  const limits: unknown[] = Array.isArray(known) ? [...known] : []
  for (const limit of more) {
    const at = limits.findIndex((one) => isPlain(one) && one['name'] === limit.name)
    if (at < 0) limits.push(limit)
    else limits[at] = limit
  }
  return limits
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function shortOf(value: unknown): string[] {
  return listOf(value).filter((text) => !isJson(text))
}

function isJson(text: string): boolean {
  return text === 'null' || text.startsWith('{')
}

function toLimit(flag: LimitFlag, text: string): LimitSpec {
  const [kind, example] = KINDS[flag]
  const wrong = (reason: string): UsageError => new UsageError(`--${flag} ${text}: ${reason}.`)
  const [, name, max = '', window = ''] = SHORT.exec(text) ?? []
  if (max === '' || window === '') throw wrong(`expected max/window, such as ${example}`)
  if (!/^[0-9]{1,15}$/.test(max)) throw wrong(`"${max}" is not a whole number`)
  const parsed = Limit.safeParse(windowed(name ?? `${kind}-${window}`, kind, Number(max), window))
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  const member = path.join('.')
  throw wrong(message.includes(member) ? message : `${member}: ${message}`)
}
