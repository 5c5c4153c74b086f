/** Limits of policies, read as sentences. */
import type { JsonObject } from '../../../build/document.ts'
import { durationWords } from '../../schema/reading.ts'

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
    limit.mode === 'observe' && 'It refuses nothing: it records what it would refuse.',
  ].filter((one) => typeof one === 'string')
  return [`${amountWords(limit)}, ${holderWords(limit.key)}.`, ...more].join(' ')
}
