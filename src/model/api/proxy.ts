import { z } from 'zod'
import { unit } from '../annotations.ts'
import { PATH_PARAMETER } from '../http-names.ts'
import { Description, Duration, HttpMethod, jsonValue, Name, Ref, Slug, Status, Tags } from '../members.ts'
import { InjectedHeaders } from './injected-header.ts'
import { ProxyTimeouts } from './upstream.ts'

/** What is done about messages that break a contract. */
const VALIDATION_MODES = ['off', 'report', 'enforce'] as const
export const ValidationMode = z
  .enum(VALIDATION_MODES)
  .describe('off: no check; report: violations are recorded; enforce: violations are refused')
export type ValidationMode = z.infer<typeof ValidationMode>

/** Of a new collection that is made of a description: how well that tells what its API takes is not known yet. */
export const IMPORTED_VALIDATION: ValidationMode = 'report'

/** A media type or range, without parameters: `application/json`, `image/*`. */
export const MediaType = z
  .string()
  .max(128)
  .regex(/^(\*\/\*|[a-z0-9!#$&^_.+-]+\/(\*|[a-z0-9!#$&^_.+-]+))$/, 'a media type in lower case')

/** RFC 9111, held by the gateway: a shared cache in the sense of that document. */
const Cache = z.strictObject({
  ttl: Duration.default('1m').describe(
    'Time for which a response is fresh, unless the upstream sets a shorter one',
  ),
  vary: z
    .array(z.string().regex(/^[a-z0-9-]{1,64}$/, 'a header name in lower case'))
    .max(10)
    .default(['accept', 'accept-encoding'])
    .describe('Request headers in the cache key. A response whose Vary names other headers is not cached'),
  scope: z
    .enum(['profile', 'client', 'shared'])
    .default('profile')
    .describe(
      'Callers that share a cached response: only the same profile, profiles of the same client, or all',
    ),
  stale_if_error: Duration.nullable()
    .default(null)
    .describe('Time after expiry for which a response is still served if the upstream fails'),
})

/** Bounds of the operations that a graphql proxy lets through. */
export const GraphqlLimits = z.strictObject({
  max_depth: z
    .int()
    .min(1)
    .max(100)
    .default(10)
    .describe('Maximum depth of nested fields, after fragments are expanded'),
  max_complexity: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(500)
    .describe('Maximum number of fields in an operation, after fragments are expanded'),
  introspection: z.boolean().default(false).describe('Allow introspection (`__schema` and `__type`)'),
})
export type GraphqlLimits = z.output<typeof GraphqlLimits>

/**
 * A path pattern below the base path: literal segments, `{name}` for one segment, `{name}` inside a segment
 * (`{id}:cancel`, `v{major}.{minor}`), and a final `/*` for the rest. `/` alone is the base path itself; a trailing slash counts.
 */
export const PathPattern = z
  .string()
  .max(1024)
  .refine((text) => patternFault(text) === null, {
    error: (issue) => patternFault(String(issue.input)) ?? 'a path pattern',
  })
  .describe('Path below the base path, such as /v1/orders/{id}')

const LITERAL = /^(?:[A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-F]{2})*$/

/** What is wrong with a pattern, as a sentence, or null. */
export function patternFault(pattern: string): string | null {
  if (!pattern.startsWith('/')) return 'a path must start with /'
  const names = new Set<string>()
  const segments = pattern.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1
    if (segment === '*' && last) continue
    if (segment === '') {
      if (last) continue
      return 'no empty segments'
    }
    if (segment === '.' || segment === '..') return 'no dot segments'
    for (const match of segment.matchAll(PATH_PARAMETER)) {
      if (names.has(match[1]!)) return `parameter {${match[1]}} occurs twice`
      names.add(match[1]!)
    }
    if (/\}\{/.test(segment)) return 'two parameters in one segment need a literal between them'
    if (!LITERAL.test(segment.replace(PATH_PARAMETER, '')))
      return `segment "${segment}" has a character that must be percent-encoded (upper-case hex) or is not allowed`
  }
  return null
}

/** JSON Schema (2020-12). `$ref` may point at `#/$defs/<name>` of the collection's shared schemas. */
export const JsonSchema = z.union([z.boolean(), z.record(z.string(), jsonValue())]).meta(unit('json-schema'))
export type JsonSchema = z.infer<typeof JsonSchema>

/** How lists and objects are written (OpenAPI 3.1.1 section 4.8.12.2). */
export const PARAMETER_STYLES = [
  'form',
  'simple',
  'label',
  'matrix',
  'spaceDelimited',
  'pipeDelimited',
  'deepObject',
] as const

export const Parameter = z.strictObject({
  name: z.string().min(1).max(256),
  in: z.enum(['path', 'query', 'header', 'cookie']),
  type: z.enum(['string', 'integer', 'number', 'boolean', 'array', 'object']).default('string'),
  required: z.boolean().default(false),
  description: z.string().max(20_000).meta(unit('markdown')).default(''),
  default: jsonValue().optional(),
  enum: z.array(jsonValue()).max(2000).optional(),
  pattern: z.string().max(4096).meta({ format: 'regex' }).optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  schema: JsonSchema.optional().describe(
    'JSON Schema of the value; replaces type, enum, pattern, min and max',
  ),
  style: z
    .enum(PARAMETER_STYLES)
    .optional()
    .describe('Serialization of lists and objects. Default: form in query and cookie, otherwise simple'),
  explode: z
    .boolean()
    .optional()
    .describe('Serialize lists as repeated values. Default: true for style form'),
  allow_empty: z.boolean().optional().describe('Allow an empty value'),
  content_type: MediaType.optional().describe('Media type of the value, such as application/json'),
})
export type Parameter = z.output<typeof Parameter>

const contractMembers = {
  parameters: z.array(Parameter).max(200),
  request_schema: JsonSchema.nullable().describe('JSON Schema of the request body'),
  request_schemas: z
    .record(MediaType, JsonSchema)
    .describe('JSON Schema by media type, for types that differ from request_schema'),
  request_types: z
    .array(MediaType)
    .max(20)
    .describe('Media types of the request body; empty: JSON if there is a schema, otherwise any'),
  request_required: z.boolean().describe('Require a body on POST, PUT and PATCH if a schema exists'),
  response_schema: JsonSchema.nullable().describe('JSON Schema of the successful response body'),
  request_example: jsonValue(),
  response_example: jsonValue(),
}

/** What holds for one method alone; members that are left out are those of the proxy. */
const MethodContract = z.strictObject(contractMembers).partial()

/** How its endpoints appear at virtual MCPs that have an origin of kind `collection` for its collection. */
export const EndpointCapability = z.strictObject({
  as: z
    .enum(['tool', 'prompt', 'resource', 'hidden'])
    .default('tool')
    .describe(
      'resource and prompt: the GET endpoint is offered as such, other methods as tools; hidden: not offered at virtual MCPs, while execute_call and REST are not affected',
    ),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,60}$/, '1 to 60 characters of A-Z, a-z, 0-9, _ . -')
    .optional()
    .describe('Default: the operation_id, otherwise the slug. With several methods, the method is prepended'),
  title: z.string().min(1).max(200).optional().describe('Default: the name of the proxy'),
  description: z.string().min(1).max(2000).optional().describe('Default: the description of the proxy'),
  annotations: z
    .strictObject({
      readOnlyHint: z.boolean(),
      destructiveHint: z.boolean(),
      idempotentHint: z.boolean(),
      openWorldHint: z.boolean(),
    })
    .partial()
    .optional()
    .describe('Hints of the tool, instead of the hints for the method'),
})
export type EndpointCapability = z.output<typeof EndpointCapability>

export const ProxySpec = z.strictObject({
  collection: Ref.describe('The collection it belongs to; cannot change'),
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name. Unique in the collection'),
  description: Description.default(''),
  tags: Tags.default([]),
  operation_id: z
    .string()
    .max(256)
    .nullable()
    .default(null)
    .describe('operationId of the imported description'),
  deprecated: z.boolean().default(false),
  methods: z.array(HttpMethod).min(1).max(7).describe('HTTP methods of the proxy; HEAD falls back to GET'),
  path: PathPattern,
  target_path: PathPattern.nullable()
    .default(null)
    .describe('Path at the upstream, with the same parameters; null: the same path'),
  headers: InjectedHeaders.describe(
    'Headers sent to the upstream; they override those of the collection. A secret can replace a value',
  ),
  credential: Ref.default('inherit').describe('inherit, none, or a credential'),
  policy: Ref.nullable().default(null).describe('Policy with limits, counted per client'),
  kind: z
    .enum(['http', 'graphql', 'websocket'])
    .default('http')
    .describe(
      'graphql: operations are checked against the limits in `graphql`; websocket: WebSocket connections (RFC 6455), opened with GET only',
    ),
  streaming: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'auto: bodies stream unless a step needs the whole body; always: steps that need the whole body are not allowed; never: both bodies are buffered',
    ),
  parameters: contractMembers.parameters.default([]),
  strict_query: z.boolean().default(false).describe('Refuse query parameters that are not declared'),
  request_schema: contractMembers.request_schema.default(null),
  request_schemas: contractMembers.request_schemas.optional(),
  request_types: contractMembers.request_types.default([]),
  request_required: contractMembers.request_required.default(true),
  request_validation: z
    .enum(['inherit', ...VALIDATION_MODES])
    .default('inherit')
    .describe('What to do with requests that break the contract; inherit: use the setting of the collection'),
  response_schema: contractMembers.response_schema.default(null),
  response_validation: z
    .enum(['inherit', ...VALIDATION_MODES])
    .default('inherit')
    .describe(
      'What to do with successful JSON responses that break response_schema; enforce buffers the response until it is checked; inherit: use the setting of the collection',
    ),
  request_example: contractMembers.request_example.optional(),
  response_example: contractMembers.response_example.optional(),
  contracts: z
    .partialRecord(HttpMethod, MethodContract)
    .default({})
    .describe(
      'Contract per method, if methods differ, such as {"POST":{"request_schema":{"type":"object"}}}',
    ),
  cache: Cache.nullable().default(null).describe('Cache responses to GET and HEAD; null: no cache'),
  idempotency: z
    .boolean()
    .default(false)
    .describe('Honour Idempotency-Key on POST, PUT, PATCH and DELETE for 24h per profile'),
  timeouts: ProxyTimeouts.nullable()
    .default(null)
    .describe('Overrides the timeouts of the upstream, such as {"first_byte":"5m"}'),
  graphql: GraphqlLimits.nullable().default(null).describe('Limits for kind graphql; null: the defaults'),
  workflow: z
    .union([Ref, z.record(z.string(), jsonValue())])
    .nullable()
    .default(null)
    .describe(
      'A shared workflow or an inline definition, which replaces the upstream; null: requests are forwarded',
    ),
  mcp: EndpointCapability.nullable()
    .optional()
    .describe('How virtual MCPs with its collection offer it; null: as a tool'),
  status: Status.default('draft'),
})
export type ProxySpec = z.output<typeof ProxySpec>
