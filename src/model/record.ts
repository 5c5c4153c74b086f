import { z } from 'zod'

/** The doors through which calls and changes come. */
export const SURFACES = [
  'gateway',
  'gateway_mcp',
  'management_api',
  'management_mcp',
  'cli',
  'oauth',
  'system',
] as const
export type Surface = (typeof SURFACES)[number]

/** Who ended a request, and how. */
export const OUTCOME_CLASSES = ['success', 'application_error', 'gateway_error', 'upstream_error'] as const
export type OutcomeClass = (typeof OUTCOME_CLASSES)[number]
/** Where a failure arose. */
export const FAILURE_ORIGINS = ['client', 'policy', 'gateway', 'upstream'] as const
export type FailureOrigin = (typeof FAILURE_ORIGINS)[number]
/** What the cache did. */
export const CACHES = ['hit', 'miss', 'stale', 'bypass'] as const

/** Legs of time are milliseconds; sizes are bytes of bodies. */
export const RequestRecord = z.object({
  id: z.string().describe('The request id'),
  time: z.string().describe('When its head had arrived'),
  environment: z.string().nullable().describe('Of the instance (POSTERN_ENV) when it was recorded'),
  surface: z.enum(['gateway', 'gateway_mcp']),
  method: z.string(),
  path: z.string().describe('Canonical path without the query. Of several requests, the path of the first'),
  route: z.string().nullable().describe('Pattern that matched, with the base path'),
  collection: z.string().nullable().describe('Id'),
  proxy: z.string().nullable().describe('Id'),
  client: z.string().nullable().describe('Id'),
  profile: z.string().nullable().describe('Id'),
  credential_id: z.string().nullable().describe('Token of the profile that was used'),
  user: z.string().nullable().describe('Id of the user for whom the call was made: who asked for a replay'),
  subject: z
    .string()
    .nullable()
    .describe('Subject (sub) of a token of another issuer, or name in the client certificate; verified'),
  ip: z.string(),
  status: z.int(),
  code: z.string().nullable().describe('Problem code when refused or failed'),
  reason: z.string().nullable().describe('What callers are not told, such as why a token was refused'),
  contract_code: z
    .string()
    .nullable()
    .describe('How the contract would have refused the request, where that is only reported'),
  contract_pointer: z.string().nullable().describe('Where the first fault is; * stands for any index'),
  contract_faults: z.int().nullable().describe('Number of faults'),
  stopped_at: z.int().nullable().describe('Number of the check that ended it'),
  check: z.string().nullable().describe('Name of that check, such as limits'),
  outcome_class: z
    .enum(OUTCOME_CLASSES)
    .nullable()
    .describe(
      'application_error: the upstream answered 4xx; upstream_error: it answered 5xx, or not at all; gateway_error: Postern refused or failed. Null where the caller left before an answer',
    ),
  failure_origin: z.enum(FAILURE_ORIGINS).nullable().describe('Where a failure arose; null for success'),
  duration_ms: z.number(),
  gateway_ms: z.number().describe('Total without the time spent at the upstream'),
  upstream_ms: z.number().nullable(),
  bytes_in: z.int(),
  bytes_out: z.int(),
  upstream_status: z.int().nullable(),
  upstream_target: z.string().nullable().describe('Server that was asked last'),
  retries: z.int().nullable().describe('How often another server was asked'),
  cache: z.enum(CACHES).nullable().describe('What the cache did; null where the endpoint has none'),
  nearest_limit: z
    .string()
    .nullable()
    .describe('policy/limit that had the fewest requests left, or that refused the request'),
  trace_id: z.string().nullable().describe('Trace id (W3C Trace Context) that the upstream got'),
  aborted: z.boolean().describe('The caller went away, or took the call back, before the end'),
  agent_name: z.string().nullable().describe('Declared by the caller, not verified'),
  agent_version: z.string().nullable(),
  agent_host: z
    .string()
    .nullable()
    .describe('OAuth client that the token was issued to (azp or client_id); verified'),
  session_id: z.string().nullable().describe('MCP session, hashed'),
  conversation_id: z.string().nullable(),
  mcp_method: z.string().nullable(),
  tool: z.string().nullable(),
  mcp_request_id: z.string().nullable().describe('JSON-RPC id'),
  call_reason: z.string().nullable().describe('Why the agent said it calls'),
  replay_of: z.string().nullable().describe('The record that was replayed by it'),
  replayed_over: z.string().nullable().describe('Surface by which that was asked for'),
  count: z
    .int()
    .min(1)
    .describe(
      'Requests that the record stands for: more than 1 where refusals without a credential were aggregated',
    ),
})
export type RequestRecord = z.infer<typeof RequestRecord>
