import { z } from 'zod'
import { withoutEndSlashes } from '../base/slashes.ts'
import { urlTextFault } from '../base/url-text.ts'
import { Duration } from './common.ts'
import { UpstreamTlsSpec } from './upstream-tls.ts'

/** An absolute http(s) URL of an upstream: no query, fragment or user information. A path is put before every call's path. */
export const UpstreamUrl = z
  .string()
  .max(2048)
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
  url: UpstreamUrl.describe('Where the API runs'),
  weight: z
    .int()
    .min(1)
    .max(1000)
    .default(1)
    .describe('Share of the requests, against the weights of the others'),
})

const Breaker = z.strictObject({
  errors: z.int().min(1).max(100).default(50).describe('Per cent of failed requests that open it'),
  requests: z.int().min(1).max(1_000_000).default(20).describe('It never opens below so many in the window'),
  window: Duration.default('10s'),
  open: Duration.default('5s').describe('Then one request tries whether the upstream is back'),
})

const PassiveHealth = z.strictObject({
  failures: z.int().min(1).max(1000).default(5).describe('In a row'),
  eject: Duration.default('10s').describe('For how long the target gets no requests'),
})

const ActiveHealth = z.strictObject({
  path: z
    .string()
    .max(512)
    .regex(/^\/[!-~]*$/, 'a path such as /healthz')
    .default('/')
    .describe('Asked by GET at each target, without the path of its URL'),
  interval: Duration.default('10s').describe('Between two questions of a gateway thread'),
  timeout: Duration.default('2s'),
  failures: z.int().min(1).max(100).default(3).describe('In a row, until the target gets no requests'),
  successes: z
    .int()
    .min(1)
    .max(100)
    .default(2)
    .describe('In a row (2xx or 3xx), until it gets requests again'),
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
      'How targets are chosen: in turn, the one with the fewest requests under way, or by `hash_key`, so that equal ones meet the same target',
    ),
  hash_key: z
    .string()
    .regex(/^(client|ip|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128})$/, 'client, ip or header:NAME')
    .default('client')
    .describe('With balance hash: client, ip or header:NAME'),
  retries: z
    .strictObject({
      max: z
        .int()
        .min(0)
        .max(3)
        .default(1)
        .describe(
          'Further targets for a request of an idempotent method that could not be handed to the first',
        ),
    })
    .prefault({}),
  health: z
    .strictObject({
      passive: PassiveHealth.nullable()
        .prefault({})
        .describe('By the answers to requests; never the last target. null: off'),
      active: ActiveHealth.nullable().default(null).describe('By questions of their own. null: off'),
    })
    .prefault({}),
  breaker: Breaker.nullable().prefault({}).describe('Stops requests to an upstream that fails. null: off'),
  timeouts: z
    .strictObject({
      connect: Duration.default('2s').describe('Until the connection is made'),
      first_byte: Duration.default('30s').describe('From the sent request to the head of the answer'),
      idle: Duration.default('60s').describe('Between two pieces of the answer'),
    })
    .prefault({}),
  pool_max: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Connections per gateway thread and target; one client uses at most as many as remain free'),
  host_header: z.enum(['target', 'preserve']).default('target').describe('The Host that the upstream sees'),
  tls: UpstreamTlsSpec.nullable()
    .default(null)
    .describe('For https targets; null trusts what the system trusts, and checks the host of each target'),
})
export type UpstreamSpec = z.infer<typeof UpstreamSpec>

/** Timeouts of one proxy in the place of those of the upstream. */
export const ProxyTimeouts = z.strictObject({
  connect: Duration.optional(),
  first_byte: Duration.optional().describe('Such as 5m for a slow report'),
  idle: Duration.optional(),
})
export type ProxyTimeouts = z.infer<typeof ProxyTimeouts>
