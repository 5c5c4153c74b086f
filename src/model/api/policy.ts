import { z } from 'zod'
import { DURATION_PATTERN, toMs } from '../../base/clock.ts'
import { unit } from '../annotations.ts'
import {
  BURST_MAX,
  isTimeZone,
  LIMITS_MAX,
  MAX_MAX,
  RATE_WINDOW,
  ROLLING_WINDOW,
  WAIT_MS_MAX,
} from '../bounds.ts'
import { Description, Duration, Name, Slug, Tags } from '../members.ts'

/** Where a policy is attached: it decides whose calls share a counter. */
export const ATTACHMENTS = ['profile', 'client', 'collection', 'proxy', 'origin', 'virtual_mcp'] as const
export type Attachment = (typeof ATTACHMENTS)[number]

export const LIMIT_KINDS = ['rate', 'quota', 'concurrency'] as const
export type LimitKind = (typeof LIMIT_KINDS)[number]

const ACCURACIES = ['leased', 'exact'] as const
const STORE_FAILURES = ['local', 'deny', 'allow'] as const

const CALENDAR_WINDOWS = ['1d', '7d', '30d'] as const
/** Share of `max` from which usage says `warning`, where a limit does not say its own. */
export const WARN_AT_DEFAULT = 0.8

/** Names of headers that cannot be a key: they never reach the limits, or are secrets. */
const NO_KEYS =
  /^(?:authorization|proxy-authorization|cookie|x-client-id|x-profile-id|x-postern-.*|x-forwarded-.*)$/

const LimitKey = z
  .string()
  .regex(
    /^(?:ip|global|tool|user|claim:[A-Za-z0-9_.:/-]{1,64}|header:[A-Za-z0-9-]{1,64})$/,
    'ip, global, tool, user, claim:<name> or header:<name>',
  )
  .refine(
    (key) => !key.startsWith('header:') || !NO_KEYS.test(key.slice(7).toLowerCase()),
    'this header cannot be a key: the gateway reserves it',
  )

const StatusRange = z
  .string()
  .regex(/^[1-5][0-9]{2}(?:-[1-5][0-9]{2})?$/, 'a status or a range such as 200-299')
  .refine((range) => range.length === 3 || range.slice(0, 3) <= range.slice(4), 'the range runs backwards')

/** One limit. The name goes into the RateLimit fields, so it is a token. */
export const Limit = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'lower-case letters, digits, _ and -, at most 32'),
    kind: z
      .enum(LIMIT_KINDS)
      .describe(
        'rate: at most max in any trailing window; quota: per calendar period or rolling, survives a restart; concurrency: calls at the same time',
      ),
    max: z
      .int()
      .min(1)
      .max(MAX_MAX)
      .meta(unit('requests'))
      .describe('Requests in the window, or at the same time'),
    window: Duration.optional().describe(
      'rate: 1s to 24h; quota: 1d (day), 7d (week from Monday) or 30d (calendar month), with rolling 1h to 30d; concurrency: none',
    ),
    burst: z
      .int()
      .min(1)
      .max(BURST_MAX)
      .optional()
      .describe(
        'For a rate: use a bucket with the size burst that is refilled with max per window, instead of a sliding window',
      ),
    rolling: z.boolean().optional().describe('For a quota: any trailing window instead of a calendar period'),
    timezone: z
      .string()
      .meta(unit('timezone'))
      .max(64)
      .refine(isTimeZone, 'an IANA time zone such as Europe/Berlin')
      .optional()
      .describe('For a calendar quota: time zone of its day, week or month. Default UTC'),
    wait: Duration.optional().describe(
      'For a concurrency limit: how long a call waits for a free place, at most 1s. Default: it is refused at once',
    ),
    key: LimitKey.optional().describe(
      'Key of the counters: ip, global, tool, user (the subject of the token of the caller), claim:<name> or header:<name>. Default: the client or profile that the policy is attached to; elsewhere each client',
    ),
    cost: z.int().min(1).max(MAX_MAX).optional().describe('Cost of one call, taken from max. Default 1'),
    mode: z
      .enum(['enforce', 'observe'])
      .optional()
      .describe('observe: counts and records what it would refuse, and refuses nothing. Default enforce'),
    warn_at: z
      .number()
      .meta(unit('fraction'))
      .min(0.01)
      .max(1)
      .optional()
      .describe('Share of max from which the state is warning. Default 0.8'),
    count: z
      .array(StatusRange)
      .min(1)
      .max(8)
      .optional()
      .describe(
        'Statuses that count, such as ["200-299"]; a running call counts until its status is known. Default: every admitted call. Not for concurrency',
      ),
  })
  .superRefine((limit, context) => {
    for (const [path, message] of faultsOf(limit)) context.addIssue({ code: 'custom', path: [path], message })
  })

interface LimitForm {
  readonly kind: LimitKind
  readonly max: number
  readonly window?: string | undefined
  readonly burst?: number | undefined
  readonly rolling?: boolean | undefined
  readonly timezone?: string | undefined
  readonly wait?: string | undefined
  readonly cost?: number | undefined
  readonly count?: readonly string[] | undefined
}

/** Members that do not fit together, with what is wrong. */
function* faultsOf(limit: LimitForm): Generator<readonly [string, string]> {
  const { kind, window, rolling = false } = limit
  const alone = (member: keyof LimitForm, only: LimitKind): readonly [string, string][] =>
    limit[member] !== undefined && kind !== only ? [[member, `only a ${only} has ${member}`]] : []
  yield* alone('burst', 'rate')
  yield* alone('rolling', 'quota')
  yield* alone('timezone', 'quota')
  yield* alone('wait', 'concurrency')
  if (rolling && limit.timezone !== undefined)
    yield ['timezone', 'a rolling quota has no calendar period, so it has no time zone']
  if ((limit.cost ?? 1) > (limit.burst ?? limit.max))
    yield ['cost', `the cost of one call exceeds the limit: at most ${limit.burst ?? limit.max}`]
  if (limit.wait !== undefined && DURATION_PATTERN.test(limit.wait) && toMs(limit.wait) > WAIT_MS_MAX)
    yield ['wait', 'at most 1s']
  if (kind === 'concurrency') {
    if (window !== undefined) yield ['window', 'a concurrency limit has no window']
    if (limit.count !== undefined) yield ['count', 'a concurrency limit counts every running call']
    return
  }
  if (window === undefined) {
    yield ['window', `a ${kind} needs a window`]
    return
  }
  if (!DURATION_PATTERN.test(window)) return
  const ms = toMs(window)
  if (kind === 'rate' && (ms < RATE_WINDOW.min || ms > RATE_WINDOW.max))
    yield ['window', 'the window of a rate is 1s to 24h']
  if (kind === 'quota' && rolling && (ms < ROLLING_WINDOW.min || ms > ROLLING_WINDOW.max))
    yield ['window', 'the window of a rolling quota is 1h to 30d']
  if (kind === 'quota' && !rolling && !isCalendar(window))
    yield ['window', 'the window of a quota is 1d, 7d or 30d, or set rolling']
}

/** True for windows that mean a calendar day, week or month. */
function isCalendar(window: string): boolean {
  return (CALENDAR_WINDOWS as readonly string[]).includes(window)
}

const Max = z.int().min(1).max(MAX_MAX)

const ShortRate = z.strictObject({
  max: Max,
  interval: Duration.refine(
    (text) =>
      !DURATION_PATTERN.test(text) || (toMs(text) >= RATE_WINDOW.min && toMs(text) <= RATE_WINDOW.max),
    'the interval of a rate is 1s to 24h',
  ),
})

const ShortQuota = z.strictObject({
  max: Max,
  interval: Duration.refine(
    (text) =>
      isCalendar(text) ||
      !DURATION_PATTERN.test(text) ||
      (toMs(text) >= ROLLING_WINDOW.min && toMs(text) <= ROLLING_WINDOW.max),
    'the interval of a quota is 1d, 7d, 30d or any 1h to 30d',
  ),
})

export const PolicySpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  limits: z
    .array(Limit)
    .max(LIMITS_MAX)
    .default([])
    .refine(
      (limits) => new Set(limits.map((limit) => limit.name)).size === limits.length,
      'limit names must differ',
    )
    .describe(
      'All of them must admit a request; a refused request counts in none. Such as [{"name":"minute","kind":"rate","max":1000,"window":"1m"}]',
    ),
  rate: ShortRate.nullable()
    .optional()
    .describe('Short form of a limit named rate: {"max":100,"interval":"1m"}'),
  quota: ShortQuota.nullable()
    .optional()
    .describe(
      'Short form of a limit named quota: {"max":10000,"interval":"1d"}. Other intervals than 1d, 7d and 30d are rolling',
    ),
  x_ratelimit: z
    .boolean()
    .optional()
    .describe('Also send X-RateLimit-Limit, -Remaining and -Reset of the tightest limit. Default false'),
  accuracy: z
    .enum(ACCURACIES)
    .optional()
    .describe(
      'Where several nodes count in Valkey. leased: each node takes a share for up to 5s, so few calls wait for Valkey; exact: each call is counted there, so no share lies unused at a node. Neither admits more than max. Default leased',
    ),
  on_store_failure: z
    .enum(STORE_FAILURES)
    .optional()
    .describe(
      'While Valkey cannot be reached. local: each node admits its part, max divided by the number of nodes; deny: every call is refused; allow: every call is admitted. Calendar quotas are counted in the database and go on. Default local',
    ),
  active: z.boolean().default(true).describe('An inactive policy limits nothing'),
})
export type PolicySpec = z.output<typeof PolicySpec>
export type LimitSpec = PolicySpec['limits'][number]

/** All limits of a policy, those of the short form last. */
export function limitsOf(spec: Pick<PolicySpec, 'limits' | 'rate' | 'quota'>): readonly LimitSpec[] {
  const limits = [...spec.limits]
  if (spec.rate != null) limits.push(windowed('rate', 'rate', spec.rate.max, spec.rate.interval))
  if (spec.quota != null) limits.push(windowed('quota', 'quota', spec.quota.max, spec.quota.interval))
  return limits
}

/** A limit of its short form: a quota whose window is no calendar period is rolling. */
export function windowed(name: string, kind: 'rate' | 'quota', max: number, window: string): LimitSpec {
  const rolling = kind === 'rate' || isCalendar(window) ? {} : { rolling: true }
  return { name, kind, max, window, ...rolling }
}
