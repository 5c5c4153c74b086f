/** The filters of records, as operations and interfaces name them. */
import { z } from 'zod'
import { refuse } from '../base/refusal.ts'
import { Time } from '../model/members.ts'
import { CACHES, FAILURE_ORIGINS, OUTCOME_CLASSES } from '../model/record.ts'
import { RECORD_SURFACES } from '../model/resource-types.ts'

const STATUS = /^[1-5]([0-9]{2}|xx)$/

/** Which records are meant. Resources are named by id here. All members must fit. */
export const RecordSelection = z.object({
  client: z.string().optional(),
  profile: z.string().optional(),
  collection: z.string().optional(),
  proxy: z.string().optional(),
  virtual_mcp: z.string().optional(),
  origin: z.string().optional(),
  collections: z.array(z.string()).optional().describe('The record must belong to one of these'),
  credential_id: z.string().optional(),
  code: z.string().optional(),
  status: z
    .union([z.int().transform(String), z.string()])
    .refine((text) => text.split(',').every((part) => STATUS.test(part.trim())), {
      error: 'a status such as 404, a class such as 4xx, or several separated by commas',
    })
    .optional(),
  surface: z
    .enum([...RECORD_SURFACES, 'agent'])
    .optional()
    .describe('agent: all MCP interfaces'),
  method: z.string().optional(),
  path: z.string().optional().describe('Start of the path'),
  path_exact: z.string().optional(),
  path_contains: z.string().optional(),
  route: z.string().optional(),
  check: z.string().optional(),
  outcome_class: z.enum(OUTCOME_CLASSES).optional(),
  failure_origin: z.enum(FAILURE_ORIGINS).optional(),
  user: z.string().optional(),
  subject: z.string().optional(),
  agent_host: z.string().optional(),
  trace_id: z.string().optional(),
  upstream_target: z.string().optional(),
  min_retries: z.int().min(0).optional(),
  cache: z.enum(CACHES).optional(),
  nearest_limit: z.string().optional(),
  guardrail: z.string().optional().describe('Guardrail that found something'),
  mcp_method: z.string().optional(),
  tool: z.string().optional(),
  capability: z.string().optional(),
  agent_name: z.string().optional(),
  session_id: z.string().optional(),
  conversation_id: z.string().optional(),
  ip: z.string().optional(),
  request_id: z.string().optional(),
  min_duration_ms: z.number().min(0).optional(),
  max_duration_ms: z.number().min(0).optional(),
  aborted: z.boolean().optional(),
  proved: z.literal(true).optional().describe('Only calls with a verified identity'),
  text: z.string().optional().describe('Part of any text of the record, in any case'),
  from: Time.optional().describe('Inclusive'),
  to: Time.optional().describe('Exclusive'),
})
export type RecordSelection = z.output<typeof RecordSelection>

/** On one page. Surfaces offer less; exports take as much. */
const LIST_ROWS_MAX = 500

/** A page of records. */
export const RecordFilter = RecordSelection.extend({
  order: z.enum(['newest', 'oldest']).default('newest').describe('Sort order'),
  limit: z.int().min(1).max(LIST_ROWS_MAX).default(50),
  cursor: z.string().nullish(),
})
export type RecordFilter = z.output<typeof RecordFilter>

/** Refuses with input_invalid what is none. */
export function toRecordSelection(given: Readonly<Record<string, unknown>>): RecordSelection {
  return parse(RecordSelection, given)
}

/** Refuses with input_invalid what is none. */
export function toRecordFilter(given: Readonly<Record<string, unknown>>): RecordFilter {
  return parse(RecordFilter, given)
}

function parse<T>(schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw refuse('input_invalid', {
    errors: parsed.error.issues.map(({ path, message }) => ({
      pointer: path.map((part) => `/${String(part)}`).join(''),
      reason: message,
    })),
  })
}
