import { z } from 'zod'
import { urlTextFault } from '../../base/text/url.ts'
import { URL_FORMAT, unit } from '../annotations.ts'
import { UpstreamTlsSpec } from '../api/upstream.ts'
import { Description, Duration, HeaderName, Name, Ref, Slug, Tags } from '../members.ts'
import type { CatalogueState } from './capability-drift.ts'

/** What a header of the runner holds. */
const PARAMETERS_BYTES_MAX = 8192

/** An absolute http(s) URL of an MCP endpoint: no fragment and no user information. A query is sent with every request. */
const OriginUrl = z
  .string()
  .max(2048)
  .meta(URL_FORMAT)
  .refine((text) => isOriginUrl(text), {
    error: ({ input }) =>
      urlTextFault(String(input)) ?? 'an http:// or https:// URL without fragment or user information',
  })

function isOriginUrl(text: string): boolean {
  if (!URL.canParse(text) || urlTextFault(text) !== null) return false
  const { protocol, hash, username, password } = new URL(text)
  return (
    (protocol === 'http:' || protocol === 'https:') &&
    hash === '' &&
    username === '' &&
    password === '' &&
    !text.includes('#')
  )
}

/** Values that the arguments of a program may have: the runner holds each to what its entry declares. */
const RunnerParameters = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_]{0,31}$/, 'the name of a parameter'),
    z
      .string()
      .max(1024)
      .refine((text) => text.isWellFormed(), 'well-formed Unicode'),
  )
  .refine((given) => Object.keys(given).length <= 32, 'at most 32 parameters')
  .refine(
    (given) => Buffer.byteLength(JSON.stringify(given)) <= PARAMETERS_BYTES_MAX,
    `at most ${PARAMETERS_BYTES_MAX} bytes of JSON`,
  )

/** How Postern proves itself at an origin, in the words of the API. */
const AUTH_MODES = ['static', 'user_key', 'user_oauth', 'shared_oauth', 'token_exchange', 'id_jag'] as const

/** True for modes in which Postern exchanges tokens of the identity provider, so that people connect nothing. */
export function isExchanging(mode: unknown): boolean {
  return mode === 'token_exchange' || mode === 'id_jag'
}

/** A scope token (RFC 6749 section 3.3). */
const Scope = z.string().regex(/^[!#-[\]-~]{1,256}$/, 'a scope without spaces, quotes and backslashes')

/** Postern as an OAuth client of the authorization server that protects an origin. */
const OriginOAuth = z.strictObject({
  scopes: z
    .array(Scope)
    .max(50)
    .default([])
    .describe('Scopes to request; empty: the scopes that the origin asks for in its challenge or metadata'),
  scope_delimiter: z.enum([' ', ',']).default(' ').describe('Delimiter of scopes; RFC 6749 has a space'),
  send_scope: z.boolean().default(true).describe('false: send no scope parameter'),
  send_resource: z
    .boolean()
    .default(true)
    .describe('false: send no resource parameter (RFC 8707), for servers that refuse it'),
  resource_metadata_url: OriginUrl.nullable()
    .default(null)
    .describe(
      'URL of the protected resource metadata (RFC 9728); null: found from the challenge or at the well-known URLs',
    ),
  registration: z
    .enum(['auto', 'cimd', 'dcr', 'manual'])
    .default('auto')
    .describe(
      'How the authorization server knows Postern. cimd: by the URL of its client metadata document; dcr: by dynamic registration (RFC 7591); manual: by client_id or client_credential; auto: manual if given, else cimd, else dcr',
    ),
  client_id: z
    .string()
    .regex(/^[!-~]{1,2048}$/)
    .nullable()
    .default(null)
    .describe('Client id of a manually registered public client'),
  client_credential: Ref.nullable()
    .default(null)
    .describe('Credential of type basic: client id and client secret of a manually registered client'),
})

/** An upstream MCP server. */
export const OriginSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  kind: z
    .enum(['http', 'collection', 'stdio'])
    .default('http')
    .describe(
      'http: an MCP server at url; collection: published endpoints of a collection; stdio: an entry of postern runner',
    ),
  url: OriginUrl.nullable()
    .default(null)
    .describe('For kind http: the MCP endpoint, such as https://mcp.example.com/mcp'),
  collection: Ref.nullable()
    .default(null)
    .describe('For kind collection: the collection whose endpoints become capabilities'),
  entry: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63')
    .nullable()
    .default(null)
    .describe('For kind stdio: the entry in the file of the runner'),
  parameters: RunnerParameters.default({}).describe(
    'For kind stdio: values of the parameters that the entry declares, by name',
  ),
  credential: Ref.nullable()
    .default(null)
    .describe('Credential that Postern sends to the origin; the token of a caller is never sent'),
  auth_mode: z
    .enum(AUTH_MODES)
    .default('static')
    .describe(
      'Authentication at the origin. static: the credential, if there is one. user_oauth: the access token of the account that each person connects at /connect. shared_oauth: the token of one account that an administrator connects for all callers. user_key: a key that each person enters at /connect. token_exchange, id_jag: a token that Postern gets for the person from the identity provider (RFC 8693, ID-JAG)',
    ),
  oauth: OriginOAuth.prefault({}).describe(
    'For modes with OAuth: Postern as client of the authorization server',
  ),
  key_header: z
    .strictObject({
      name: HeaderName.default('Authorization'),
      prefix: z
        .string()
        .regex(/^([!-~]{1,32} )?$/, 'a word and a space, such as "Bearer ", or nothing')
        .default('Bearer '),
    })
    .prefault({})
    .describe('For user_key: header of the key, and the text before the key'),
  policy: Ref.nullable().default(null).describe('Policy with limits for all calls to the origin'),
  active: z
    .boolean()
    .default(true)
    .describe('false: its capabilities leave all lists, and calls are refused'),
  timeouts: z
    .strictObject({
      connect: Duration.default('2s').describe('Timeout until the connection is established'),
      first_byte: Duration.default('30s').describe('Timeout from the sent request to the response header'),
      idle: Duration.default('10m').describe(
        'Timeout between two parts of the response; a tool may run for minutes without output',
      ),
      total: Duration.default('10m').describe(
        'Timeout from the start of a request to the end of its response, even if progress messages arrive',
      ),
    })
    .prefault({}),
  sessions: z
    .enum(['separate', 'shared'])
    .default('separate')
    .describe(
      'For origins up to 2025-11-25. separate: each client has its own session; shared: all clients with the same capabilities share one',
    ),
  pool_max: z
    .int()
    .meta(unit('connections'))
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Connections per gateway thread'),
  tls: UpstreamTlsSpec.nullable()
    .default(null)
    .describe('TLS settings for an https URL; null: system certificates'),
  catalog_refresh: Duration.default('15m').describe(
    'Interval after which the catalogue is read again, unless the origin states one (ttlMs)',
  ),
})
export type OriginSpec = z.output<typeof OriginSpec>

/** What came to be known about the lists of an origin. */
export type OriginNews =
  /** They have changed, or the origin was away. */
  | 'changed'
  /** They may have changed in the moment in which no stream stood. */
  | 'reopened'
  /** A thread has begun to watch the origin. */
  | 'opened'

/** One request of a probe, or several of one list. */
export const ProbeStep = z.object({
  step: z.enum([
    'entries',
    'discover',
    'initialize',
    'sse',
    'tools',
    'prompts',
    'resources',
    'resource_templates',
  ]),
  ok: z.boolean(),
  latency_ms: z.number().meta(unit('ms')),
  status: z.int().nullable().describe('HTTP status; null without a response'),
  error: z.string().nullable().describe('Unexpected response'),
})
export type ProbeStep = z.infer<typeof ProbeStep>

/** What a probe of an origin came to. `found` is null when it could not be spoken to. */
export interface OriginProbed {
  readonly steps: readonly ProbeStep[]
  readonly found: CatalogueState | null
  /** The server cannot be reached, or fails (5xx). */
  readonly isOutage?: boolean
  /** The server wants to know who asks (401): its catalogue is read with the account of a person, or of all callers. */
  readonly needsSignIn?: true
}
