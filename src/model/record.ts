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

/** Legs of time are milliseconds; sizes are bytes of bodies. */
export const RequestRecord = z.object({
  id: z.string().describe('The request id'),
  time: z.string().describe('When its head had arrived'),
  environment: z.string().nullable().describe('Of the instance (POSTERN_ENV) when it was recorded'),
  surface: z.enum(['gateway', 'gateway_mcp']),
  method: z.string(),
  path: z.string().describe('Canonical path without the query'),
  route: z.string().nullable().describe('Pattern that matched, with the base path'),
  collection: z.string().nullable().describe('Id'),
  proxy: z.string().nullable().describe('Id'),
  client: z.string().nullable().describe('Id'),
  profile: z.string().nullable().describe('Id'),
  credential_id: z.string().nullable().describe('Token of the profile that was used'),
  ip: z.string(),
  status: z.int(),
  code: z.string().nullable().describe('Problem code when refused or failed'),
  reason: z.string().nullable().describe('What callers are not told, such as why a token was refused'),
  stopped_at: z.int().nullable().describe('Number of the check that ended it'),
  duration_ms: z.number(),
  gateway_ms: z.number().describe('Total without the time spent at the upstream'),
  upstream_ms: z.number().nullable(),
  bytes_in: z.int(),
  bytes_out: z.int(),
  upstream_status: z.int().nullable(),
  aborted: z.boolean().describe('The caller went away, or took the call back, before the end'),
  agent_name: z.string().nullable().describe('Declared by the caller, not verified'),
  agent_version: z.string().nullable(),
  session_id: z.string().nullable().describe('MCP session, hashed'),
  conversation_id: z.string().nullable(),
  mcp_method: z.string().nullable(),
  tool: z.string().nullable(),
  mcp_request_id: z.string().nullable().describe('JSON-RPC id'),
  call_reason: z.string().nullable().describe('Why the agent said it calls'),
  replay_of: z.string().nullable().describe('The record that was replayed by it'),
  replayed_over: z.string().nullable().describe('Surface by which that was asked for'),
})
export type RequestRecord = z.infer<typeof RequestRecord>
