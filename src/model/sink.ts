/** Sinks: where Postern sends what happened, such as a SIEM. */
import { z } from 'zod'
import { URL_FORMAT, unit } from './annotations.ts'
import { SecretInput } from './api/secret.ts'
import { Description, Duration, Name, Slug, Tags } from './members.ts'
import { OUTCOME_CLASSES } from './record.ts'
import { RECORD_SURFACES } from './resource-types.ts'

export const SINK_STREAMS = ['records', 'audit'] as const
export type SinkStream = (typeof SINK_STREAMS)[number]

/** A name that is no path, so that a sink cannot leave its directory. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
const HOST = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$|^\[[0-9A-Fa-f:.]{2,45}\]$/

const DAY_MS = 86_400_000

const SinkDestination = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('webhook').describe('POST requests with signed batches, as Standard Webhooks specifies'),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2048)
      .meta(URL_FORMAT)
      .describe('https, or http for this machine. The egress rule applies'),
  }),
  z.strictObject({
    type: z.literal('file').describe('NDJSON files in the directory POSTERN_SINK_DIR, one for each stream'),
    file: z
      .string()
      .regex(FILE_NAME, 'letters, digits, "_" and "-"')
      .describe('Start of the file names, such as siem for siem.records.ndjson'),
    rotate_bytes: z
      .int()
      .min(65_536)
      .max(10_000_000_000)
      .meta(unit('bytes'))
      .default(100_000_000)
      .describe('Size at which a new file begins'),
    rotate_every: Duration.default('1d').describe('Age at which a new file begins'),
    keep: z.int().min(1).max(1000).default(10).describe('Number of completed files to keep for each stream'),
  }),
  z.strictObject({
    type: z
      .literal('syslog')
      .describe('RFC 5424 messages over TCP (RFC 6587, octet counting) or TLS (RFC 5425)'),
    host: z.string().regex(HOST, 'a host name or an address').describe('Host name or address of the server'),
    port: z.int().min(1).max(65_535).default(6514),
    tls: z
      .boolean()
      .default(true)
      .describe('Encrypt the connection and verify the certificate of the server'),
    ca_pem: z
      .string()
      .max(65_536)
      .meta(unit('pem'))
      .nullable()
      .default(null)
      .describe('Certificate authorities in PEM for the server. null: those of Node.js'),
    facility: z.int().min(0).max(23).default(13).describe('RFC 5424 section 6.2.1. 13: log audit'),
  }),
])
export type SinkDestination = z.output<typeof SinkDestination>

const SinkAuth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({
    type: z.literal('webhook_signature').describe('HMAC-SHA-256 in the header webhook-signature'),
    secret: SecretInput,
  }),
])

/** The auth type that each type of destination takes. */
export const SINK_AUTH: Readonly<Record<SinkDestination['type'], z.output<typeof SinkAuth>['type']>> = {
  webhook: 'webhook_signature',
  file: 'none',
  syslog: 'none',
}

/** Which records a sink gets. All members must fit. */
const SinkFilter = z.strictObject({
  status: z
    .string()
    .max(200)
    .regex(
      /^\s*[1-5](\d\d|xx)\s*(,\s*[1-5](\d\d|xx)\s*)*$/,
      'a status such as 404, a class such as 4xx, or several separated by commas',
    )
    .optional(),
  outcome_class: z.enum(OUTCOME_CLASSES).optional(),
  surface: z
    .enum([...RECORD_SURFACES, 'agent'])
    .optional()
    .describe('agent: all MCP interfaces'),
  code: z.string().min(1).max(64).optional().describe('Refusal code'),
  method: z.string().min(1).max(32).optional(),
  min_duration_ms: z.number().min(0).max(DAY_MS).meta(unit('ms')).optional(),
  proved: z.literal(true).optional().describe('Only calls with a verified identity'),
})

export const SinkSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  active: z
    .boolean()
    .default(true)
    .describe(
      'If inactive, nothing is sent. What happens meanwhile is sent afterwards, as far as it is kept',
    ),
  streams: z
    .array(z.enum(SINK_STREAMS))
    .min(1)
    .max(SINK_STREAMS.length)
    .refine((streams) => new Set(streams).size === streams.length, 'each stream once')
    .describe('records: request records, as with records.list; audit: audit entries'),
  destination: SinkDestination,
  auth: SinkAuth.default({ type: 'none' }).describe(
    'Secret of the destination. A new destination needs its secret again',
  ),
  filter: SinkFilter.default({}).describe('Only these request records; audit entries are not filtered'),
})
export type SinkSpec = z.output<typeof SinkSpec>

/** How one stream of a sink is. Times in RFC 3339. */
export const SinkStreamView = z.object({
  stream: z.enum(SINK_STREAMS),
  sent: z.int().describe('Number of events that the destination has accepted. Repeated events count again'),
  dropped: z
    .int()
    .describe('Number of events that were deleted from the store, or were damaged, before they were sent'),
  missed_until: z
    .string()
    .nullable()
    .describe('Retention deleted request records up to this time before all of them were sent; null: none'),
  lag_ms: z
    .int()
    .meta(unit('ms'))
    .describe('Age of the oldest event that is not accepted yet; 0: none is waiting'),
  last_sent_at: z.string().nullable(),
  last_error: z.string().nullable().describe('Why the last attempt failed; null once a batch is accepted'),
  last_error_at: z.string().nullable(),
})
export type SinkStreamView = z.output<typeof SinkStreamView>

/** What came of a test event. */
export const SinkTest = z.object({
  ok: z.boolean(),
  summary: z.string().describe('What the destination answered, or why it got nothing'),
  latency_ms: z.int().meta(unit('ms')),
})
export type SinkTest = z.output<typeof SinkTest>

// Secrets of webhooks, as Standard Webhooks has them.

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/
const KEY_BYTES_MIN = 24
const KEY_BYTES_MAX = 64

/** Why a text cannot be the secret of a webhook, without repeating it; null when it can. */
export function webhookSecretFault(text: string): string | null {
  const length = webhookKeyOf(text)?.length ?? 0
  return length >= KEY_BYTES_MIN && length <= KEY_BYTES_MAX
    ? null
    : `must be whsec_ and ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes in base64`
}

/** The key of a secret; null for another text. */
export function webhookKeyOf(text: string): Uint8Array | null {
  const match = SECRET.exec(text)
  return match === null ? null : Buffer.from(match[1]!, 'base64')
}
