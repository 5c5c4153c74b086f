import { z } from 'zod'
import { certificatesOf } from '../../base/crypto/certificate.ts'
import { urlTextFault, withoutEndSlashes } from '../../base/text/url.ts'
import { URL_FORMAT, unit } from '../annotations.ts'
import { Duration } from '../members.ts'

const PEM_MAX = 262_144

/** Certificates in PEM. They are no secret. */
export const CertificatesPem = z
  .string()
  .meta(unit('pem'))
  .max(PEM_MAX)
  .superRefine((pem, context) => {
    try {
      certificatesOf(pem)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as RangeError).message })
    }
  })

/** How the gateway speaks TLS to an upstream. */
export const UpstreamTlsSpec = z.strictObject({
  ca: CertificatesPem.nullable()
    .default(null)
    .describe('Trusted certificates in PEM, instead of those of the system'),
  server_name: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'a host name without port')
    .nullable()
    .default(null)
    .describe('Server name (SNI), which the certificate must contain; null: the host of the target'),
  min_version: z.enum(['1.2', '1.3']).default('1.2').describe('Minimum TLS version'),
  verify: z
    .boolean()
    .default(true)
    .describe('false: any certificate is accepted, which allows man-in-the-middle attacks; for tests only'),
})
export type UpstreamTlsSpec = z.output<typeof UpstreamTlsSpec>

/** An absolute http(s) URL of an upstream: no query, fragment or user information. A path is put before every call's path. */
export const UpstreamUrl = z
  .string()
  .max(2048)
  .meta(URL_FORMAT)
  .refine((text) => isUpstreamUrl(text), {
    error: ({ input }) =>
      urlTextFault(String(input)) ?? 'an http:// or https:// URL without query, fragment or user information',
  })

function isUpstreamUrl(text: string): boolean {
  if (!URL.canParse(text) || urlTextFault(text) !== null) return false
  const url = new URL(text)
  return (
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === '' &&
    !/[?#]/.test(text)
  )
}

/** More would not fit the set of bits in which a request remembers what it has tried. */
const TARGETS_MAX = 30

/** Equal for two spellings of one server; of text that is no URL, the text. */
function serverOf(text: string): string {
  return isUpstreamUrl(text) ? withoutEndSlashes(new URL(text).href) : text
}

const Target = z.strictObject({
  url: UpstreamUrl.describe('URL of the API'),
  weight: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .describe('Share of the requests, relative to the weights of the other targets'),
})

const Breaker = z.strictObject({
  errors: z
    .int()
    .meta(unit('percent'))
    .min(1)
    .max(100)
    .default(50)
    .describe('Percentage of failed requests that opens the breaker'),
  requests: z
    .int()
    .meta(unit('requests'))
    .min(1)
    .max(1_000_000)
    .default(20)
    .describe('Minimum number of requests in the window before the breaker can open'),
  window: Duration.default('10s'),
  open: Duration.default('5s').describe(
    'Time until one trial request checks whether the upstream works again',
  ),
})

const PassiveHealth = z.strictObject({
  failures: z.int().min(1).max(1000).default(5).describe('Consecutive failures'),
  eject: Duration.default('10s').describe('Time for which the target gets no requests'),
})

const ActiveHealth = z.strictObject({
  path: z
    .string()
    .max(512)
    .regex(/^\/[!-~]*$/, 'a path such as /healthz')
    .default('/')
    .describe('Path of the health check: GET at each target, without the path of its URL'),
  interval: Duration.default('10s').describe('Interval between two health checks of a gateway thread'),
  timeout: Duration.default('2s'),
  failures: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('Consecutive failures after which the target gets no requests'),
  successes: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe('Consecutive successes (2xx or 3xx) after which it gets requests again'),
})

/** Where the calls of a collection go, and what happens when a server there fails. */
export const UpstreamSpec = z.strictObject({
  targets: z
    .array(Target)
    .min(1)
    .max(TARGETS_MAX)
    .refine(
      (targets) => new Set(targets.map(({ url }) => serverOf(url))).size === targets.length,
      'each target once; give it a weight instead',
    )
    .describe('The servers behind the collection'),
  balance: z
    .enum(['round_robin', 'least_pending', 'hash'])
    .default('round_robin')
    .describe(
      'Load balancing: in turn, to the target with the fewest running requests, or by a hash of `hash_key`, which sends equal keys to the same target',
    ),
  hash_key: z
    .string()
    .regex(/^(client|ip|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$/, 'client, ip or header:NAME')
    .default('client')
    .describe('Key for balance hash: client, ip or header:NAME'),
  retries: z
    .strictObject({
      max: z
        .int()
        .min(0)
        .max(3)
        .default(1)
        .describe(
          'Maximum number of further targets if a request with an idempotent method cannot be sent to the first',
        ),
    })
    .prefault({}),
  health: z
    .strictObject({
      passive: PassiveHealth.nullable()
        .prefault({})
        .describe('Ejects targets by the responses to requests, but never the last target; null: off'),
      active: ActiveHealth.nullable().default(null).describe('Active health checks; null: off'),
    })
    .prefault({}),
  breaker: Breaker.nullable()
    .prefault({})
    .describe('Circuit breaker: stops requests to a failing upstream; null: off'),
  timeouts: z
    .strictObject({
      connect: Duration.default('2s').describe('Timeout until the connection is established'),
      first_byte: Duration.default('30s').describe('Timeout from the sent request to the response header'),
      idle: Duration.default('60s').describe('Timeout between two parts of the response'),
    })
    .prefault({}),
  pool_max: z
    .int()
    .meta(unit('connections'))
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Connections per gateway thread and target; one client can use at most as many as remain free'),
  host_header: z.enum(['target', 'preserve']).default('target').describe('Host header sent to the upstream'),
  tls: UpstreamTlsSpec.nullable()
    .default(null)
    .describe('TLS settings for https targets; null: system certificates, with a host check for each target'),
})
export type UpstreamSpec = z.infer<typeof UpstreamSpec>

/** Timeouts of one proxy in the place of those of the upstream. */
export const ProxyTimeouts = z.strictObject({
  connect: Duration.optional(),
  first_byte: Duration.optional().describe('Such as 5m for a slow report'),
  idle: Duration.optional(),
})
export type ProxyTimeouts = z.infer<typeof ProxyTimeouts>

const TARGET_STATES = ['healthy', 'ejected', 'down'] as const

/** How one server is, as the gateway threads see it. */
const TargetHealth = z.object({
  server: z.string().describe('Scheme, host, port and path'),
  weight: z.int(),
  state: z
    .enum(TARGET_STATES)
    .describe('ejected: too many consecutive failures; down: its health checks fail'),
  until: z
    .string()
    .nullable()
    .describe(
      'Time at which it gets requests again; null if it already gets requests, or if the time is unknown',
    ),
  threads: z.int().describe('Number of gateway threads that do not use it'),
  pending: z.int().describe('Running requests'),
  failures: z.int().describe('Consecutive failures, on the thread with the most'),
})
export type TargetHealth = z.output<typeof TargetHealth>

const BREAKER_STATES = ['off', 'closed', 'trying', 'open'] as const

export const UpstreamHealth = z.object({
  breaker: z
    .enum(BREAKER_STATES)
    .describe(
      'closed: requests pass; open: no request passes; trying: one trial request passes. The worst state of all threads',
    ),
  targets: z.array(TargetHealth),
})
export type UpstreamHealth = z.output<typeof UpstreamHealth>

/** What several threads see, as one: the worst of each server. Null when none sees anything. */
export function mergeHealth(seen: readonly UpstreamHealth[]): UpstreamHealth | null {
  const [first, ...rest] = seen
  if (first === undefined) return null
  return rest.reduce(
    (all, { breaker, targets }) => ({
      breaker: worse(BREAKER_STATES, all.breaker, breaker),
      targets: all.targets.map((target) => {
        const other = targets.find(({ server }) => server === target.server)
        return other === undefined ? target : mergeTarget(target, other)
      }),
    }),
    first,
  )
}

function mergeTarget(one: TargetHealth, other: TargetHealth): TargetHealth {
  const state = worse(TARGET_STATES, one.state, other.state)
  const until = [one.until, other.until].filter((time) => time !== null).sort()
  return {
    ...one,
    state,
    until: state === 'ejected' ? (until.at(-1) ?? null) : null,
    threads: one.threads + other.threads,
    pending: one.pending + other.pending,
    failures: Math.max(one.failures, other.failures),
  }
}

/** The one that stands later in a list from good to bad. */
function worse<T>(order: readonly T[], one: T, other: T): T {
  return order.indexOf(one) >= order.indexOf(other) ? one : other
}
