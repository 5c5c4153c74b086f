import { z } from 'zod'
import { unit } from '../annotations.ts'
import { isNeverPassed, isOverride, isReserved, RESERVED_PATHS } from '../http-names.ts'
import { Description, Duration, HttpMethod, Name, Ref, Slug, Status, Tags } from '../members.ts'
import { InjectedHeaders } from './injected-header.ts'
import { ValidationMode } from './proxy.ts'
import { UpstreamSpec } from './upstream.ts'

/** An origin as browsers send it, `https://*.` for every host below a name, or `*` for all. */
const Origin = z
  .string()
  .max(255)
  .regex(
    /^(\*|https?:\/\/(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?)$/,
    'an origin such as https://app.example.com or https://*.example.com, without a path, or *',
  )

const FieldName = z
  .string()
  .meta(unit('http-header-name'))
  .max(128)
  .regex(/^[!#$%&'+.^_`|~0-9A-Za-z-]+$/, 'a header name')

/** Cross-origin rules of a collection (Fetch standard, CORS protocol). */
export const Cors = z
  .strictObject({
    origins: z.array(Origin).min(1).max(100).describe('Allowed origins'),
    methods: z.array(HttpMethod).max(7).default([]).describe('Allowed methods; empty: all'),
    headers: z
      .array(FieldName)
      .max(50)
      .default(['Authorization', 'Content-Type', 'X-Client-ID', 'X-Profile-ID', 'Idempotency-Key'])
      .describe('Allowed request headers'),
    expose: z
      .array(FieldName)
      .max(50)
      .default(['X-Request-ID', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Cache'])
      .describe('Response headers that scripts can read'),
    credentials: z.boolean().default(false).describe('Allow cookies; not allowed with origin *'),
    max_age: Duration.default('10m').describe('Time for which a browser may cache the preflight response'),
  })
  .refine((cors) => !(cors.credentials && cors.origins.includes('*')), {
    path: ['credentials'],
    error: 'credentials need named origins: with *, every web page could act for its visitors',
  })
export type Cors = z.output<typeof Cors>

/** One path segment in canonical form: unreserved and sub-delims characters, `:` and `@`, or `%XX` of others. */
const SEGMENT = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+"

export const BasePath = z
  .string()
  .max(512)
  .regex(new RegExp(`^(/${SEGMENT})+$`), 'a path such as /orders, without a trailing slash or parameters')
  .refine((path) => !/(^|\/)\.{1,2}(\/|$)/.test(path), 'no dot segments')
  .refine((path) => !isReserved(path), { error: `reserved: ${RESERVED_PATHS.join(', ')}` })
  .describe('Path under which the collection is published')

const PassedHeader = z
  .string()
  .meta(unit('http-header-name'))
  .max(128)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a header name')
  .refine((name) => !isNeverPassed(name), 'the gateway writes this header itself and never passes it on')

const KEY_PLACES_MAX = 5

const KeyHeader = FieldName.refine(
  (name) => !isNeverPassed(name) && !isOverride(name) && name.toLowerCase() !== 'cookie',
  'the gateway gives this header another meaning',
)

const KeyParameter = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[!-~]+$/, 'the name of a query parameter')

/** Where callers may send their token, beside `Authorization`. */
export const KeyPlaces = z
  .strictObject({
    headers: z.array(KeyHeader).max(KEY_PLACES_MAX).default([]).describe('Names of request headers'),
    query: z
      .array(KeyParameter)
      .max(KEY_PLACES_MAX)
      .default([])
      .describe('Names of query parameters. URLs are often logged: prefer a header'),
  })
  .refine(({ headers, query }) => headers.length + query.length > 0, 'at least one header or query parameter')

/** The fields of a collection that a caller may write. Defaults make a full collection of it. */
export const CollectionSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  base_path: BasePath,
  hosts: z
    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'a lower-case host name without port'))
    .max(50)
    .default([])
    .describe('Host names of the collection; empty: all'),
  upstream: UpstreamSpec.nullable()
    .default(null)
    .describe(
      'Upstream servers, required before publishing, such as {"targets":[{"url":"http://127.0.0.1:9000"}]}',
    ),
  headers: InjectedHeaders.describe(
    'Sent to the upstream with every call, such as [{"name":"X-Stage","value":"test"}] or [{"name":"X-Key","secret":{"env":"SECRET_KEY"}}]',
  ),
  pass_headers: z
    .array(PassedHeader)
    .max(50)
    .default([])
    .describe(
      'Request headers to forward although they are removed by default, such as ["X-HTTP-Method-Override"]',
    ),
  key_places: KeyPlaces.nullable()
    .default(null)
    .describe(
      'Where callers may also send the token of their profile, such as {"headers":["apikey"]}; null: only in Authorization. The upstream does not get the token',
    ),
  credential: Ref.nullable().default(null).describe('Credential for the upstream'),
  policy: Ref.nullable().default(null).describe('Policy with limits, counted per client'),
  max_body: z
    .int()
    .meta(unit('bytes'))
    .min(0)
    .max(4 * 1024 ** 3)
    .default(10 * 1024 ** 2)
    .describe('Largest request body in bytes'),
  cors: Cors.nullable().default(null).describe('CORS rules for calls from browsers; null: CORS is off'),
  request_validation: ValidationMode.default('enforce').describe(
    'Default for its proxies: what to do with requests that break the contract',
  ),
  response_validation: ValidationMode.default('report').describe(
    'Default for its proxies: what to do with successful JSON responses that break the contract',
  ),
  requestable: z
    .boolean()
    .default(false)
    .describe('Users who can read the collection can request access to it for a client'),
  hide_unassigned: z
    .boolean()
    .default(false)
    .describe('Callers without access get 404 instead of 403, as for an unknown path'),
  teams: z
    .array(Ref)
    .max(100)
    .default([])
    .describe(
      'Teams whose members, including teams below them, may call it at /mcp after signing in; empty: everyone who may use the profile. Clients with their own credentials are not affected',
    ),
  all_users: z
    .boolean()
    .default(false)
    .describe('true: everyone who may use the profile may call it after signing in, whatever teams it names'),
  status: Status.default('draft'),
  schemas: z
    .string()
    .regex(/^sha256-[A-Za-z0-9_-]{43}$/)
    .nullable()
    .default(null)
    .describe('Content hash of the shared schemas of its contracts; set by import'),
})
export type CollectionSpec = z.output<typeof CollectionSpec>

/**
 * Switches that checks of requests read: fragments have each of them as it is, where it is on. A switch that restricts what is served
 * also needs a rule in `needs` of `snapshot/compile/kinds.ts`.
 */
export const CHECKED_SWITCHES = ['hide_unassigned'] as const satisfies readonly (keyof CollectionSpec)[]
export type CheckedSwitches = { readonly [S in (typeof CHECKED_SWITCHES)[number]]?: true | undefined }
