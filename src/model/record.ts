import { z } from 'zod'
import { refersTo, unit } from './annotations.ts'
import { Time } from './members.ts'
import { RECORD_SURFACES } from './resource-types.ts'
import { WorkflowTrace } from './workflow/trace.ts'

/** The doors through which calls and changes come. */
export const SURFACES = [
  ...RECORD_SURFACES,
  'admin_ui',
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
  time: z.string().describe('Time at which the request header was complete'),
  environment: z.string().nullable().describe('Environment of the instance (POSTERN_ENV) at that time'),
  surface: z.enum(RECORD_SURFACES),
  method: z.string(),
  path: z
    .string()
    .describe('Canonical path without the query. For aggregated records, the path of the first request'),
  route: z.string().nullable().describe('Matching pattern, with the base path'),
  collection: z.string().meta(refersTo('collections')).nullable().describe('Id'),
  proxy: z.string().meta(refersTo('proxies')).nullable().describe('Id'),
  virtual_mcp: z.string().meta(refersTo('virtual_mcps')).nullable().describe('Id'),
  origin: z.string().meta(refersTo('origins')).nullable().describe('Id of the origin that was called'),
  client: z.string().meta(refersTo('clients')).nullable().describe('Id'),
  profile: z.string().meta(refersTo('profiles')).nullable().describe('Id'),
  credential_id: z.string().nullable().describe('Id of the profile credential that the caller used'),
  user: z
    .string()
    .meta(refersTo('users'))
    .nullable()
    .describe('Id of the user for whom the call was made, or who requested the replay'),
  subject: z
    .string()
    .nullable()
    .describe('Subject (sub) of a token of another issuer, or name in the client certificate; verified'),
  ip: z.string(),
  status: z.int(),
  code: z.string().nullable().describe('Problem code if the request was refused or failed'),
  reason: z
    .string()
    .nullable()
    .describe('Internal cause that callers do not see, such as why a token was refused'),
  contract_code: z.string().nullable().describe('Contract violation that was only reported'),
  contract_pointer: z.string().nullable().describe('Location of the first violation; * matches any index'),
  contract_faults: z.int().nullable().describe('Number of violations'),
  stopped_at: z.int().nullable().describe('Number of the check that ended the request'),
  check: z.string().nullable().describe('Name of the check that ended the request, such as limits'),
  outcome_class: z
    .enum(OUTCOME_CLASSES)
    .nullable()
    .describe(
      'application_error: the upstream returned 4xx; upstream_error: it returned 5xx or did not respond; gateway_error: Postern refused the request or failed. Null if the caller disconnected before a response',
    ),
  failure_origin: z.enum(FAILURE_ORIGINS).nullable().describe('Origin of the failure; null for success'),
  duration_ms: z.number().meta(unit('ms')),
  gateway_ms: z.number().meta(unit('ms')).describe('Total time minus the time of the upstream'),
  upstream_ms: z.number().meta(unit('ms')).nullable(),
  bytes_in: z.int().meta(unit('bytes')),
  bytes_out: z.int().meta(unit('bytes')),
  upstream_status: z.int().nullable(),
  upstream_target: z.string().nullable().describe('Last upstream target'),
  retries: z.int().nullable().describe('Number of retries with another target'),
  cache: z.enum(CACHES).nullable().describe('Cache result; null if the endpoint has no cache'),
  nearest_limit: z
    .string()
    .nullable()
    .describe('policy/limit with the fewest requests left, or that refused the request'),
  trace_id: z.string().nullable().describe('Trace id (W3C Trace Context) sent to the upstream'),
  aborted: z.boolean().describe('The caller disconnected or cancelled the call before the end'),
  agent_name: z.string().nullable().describe('Declared by the caller, not verified'),
  agent_version: z.string().nullable(),
  agent_host: z
    .string()
    .nullable()
    .describe('OAuth client that the token was issued to (azp or client_id); verified'),
  session_id: z.string().nullable().describe('MCP session, hashed'),
  conversation_id: z.string().nullable(),
  mcp_method: z.string().nullable(),
  tool: z.string().nullable().describe('Tool that was called at /mcp'),
  capability: z
    .string()
    .nullable()
    .describe('Capability that was called at a virtual MCP: its public name, or the URI of a resource'),
  mcp_request_id: z.string().nullable().describe('JSON-RPC id'),
  tokens_in: z
    .int()
    .meta(unit('tokens'))
    .nullable()
    .describe(
      'Tokens of the arguments, estimated from their bytes. Null except for messages at virtual MCPs',
    ),
  tokens_out: z
    .int()
    .meta(unit('tokens'))
    .nullable()
    .describe('Tokens of the result, estimated from the bytes of the response. Null like tokens_in'),
  call_reason: z.string().nullable().describe('Reason that the agent gave for the call'),
  replay_of: z
    .string()
    .meta(refersTo('records'))
    .nullable()
    .describe('Id of the record that this call replays'),
  replayed_over: z.string().nullable().describe('Interface over which the replay was requested'),
  guardrail_hits: z
    .array(
      z.object({
        rule: z.string().meta(refersTo('guardrails')).describe('Id of the guardrail'),
        detector: z.string(),
        leg: z.string().describe('request or response'),
        action: z
          .string()
          .describe('Action of the guardrail; failed if the guardrail could not check the content'),
        observed: z.boolean().describe('The guardrail only observes, and changed nothing'),
        count: z.int(),
      }),
    )
    .nullable()
    .describe('What guardrails found, without the values'),
  count: z
    .int()
    .min(1)
    .describe(
      'Number of requests in this record: more than 1 if refusals without a credential were aggregated',
    ),
})
export type RequestRecord = z.infer<typeof RequestRecord>

/** One record as it is shown alone. */
export const WholeRecord = RequestRecord.extend({
  workflow_trace: WorkflowTrace.nullable().describe(
    'Trace of the nodes of the workflow; null without a workflow',
  ),
})
export type WholeRecord = z.infer<typeof WholeRecord>

export const FORMATS = ['csv', 'ndjson'] as const

/** An export as it is shown. */
export const ExportView = z.object({
  id: z.string(),
  of: z.enum(['records', 'audit']),
  format: z.enum(FORMATS),
  state: z
    .enum(['queued', 'running', 'ready', 'failed', 'expired'])
    .describe('expired: the file was deleted after its retention time, or by cancel'),
  filters: z.record(z.string(), z.json()).describe('Filters of the request'),
  rows: z.int(),
  bytes: z.int().meta(unit('bytes')),
  truncated: z
    .boolean()
    .describe('True if the result exceeds the maximum file size; the file has the newest entries'),
  error: z.string().nullable().describe('Reason why no file exists'),
  created_at: Time,
  created_by: z.string(),
  finished_at: Time.nullable(),
  expires_at: Time.nullable().describe('Time at which the file is deleted'),
})

/** An export as it is kept. */
export const KeptExport = ExportView.extend({
  /** Id of who asked for it. */
  owner: z.string(),
  /** Ids of the collections whose rows it may hold; null for all rows. */
  collections: z.array(z.string()).nullable(),
  /** The filters as the stores are asked by them. */
  filter: z.record(z.string(), z.json()),
})
export type KeptExport = z.output<typeof KeptExport>
