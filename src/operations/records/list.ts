import { z } from 'zod'
import { SEALED_CHARS_MAX } from '../../base/crypto/sealing.ts'
import { refuse } from '../../base/refusal.ts'
import { refersTo, unit } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { page, pageOf, period } from '../engine/lists.ts'
import { selection, shortText, toSelection } from './selection.ts'
import { ShownRecord, ShownWholeRecord, withSlugs } from './slugs.ts'

const path = z.string().min(1).max(2000)

/** Members by which records are found. */
export const recordFilters = {
  ...selection,
  credential_id: shortText.optional().describe('Token of a profile'),
  code: shortText.optional().describe('Problem code, such as rate_limit_exceeded'),
  path: path.optional().describe('Start of the path'),
  path_exact: path.optional().describe('The whole path'),
  path_contains: path.optional().describe('Part of the path'),
  route: path.optional().describe('Pattern that matched, with the base path'),
  mcp_method: shortText.optional().describe('Such as tools/list'),
  tool: shortText.optional().describe('Tool that was called at /mcp'),
  capability: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Public name or URI of a capability of a virtual MCP'),
  session_id: z
    .string()
    .min(1)
    .max(SEALED_CHARS_MAX)
    .optional()
    .describe('MCP session: its id as the client sends it, or the hash that records have'),
  conversation_id: shortText.optional(),
  user: shortText.meta(refersTo('users')).optional().describe('Id of the user for whom the call was made'),
  trace_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/, '32 hexadecimal digits in lower case')
    .optional(),
  nearest_limit: shortText.optional().describe('policy/limit with the fewest requests left'),
  guardrail: Ref.optional().describe('Guardrail that found something'),
  min_retries: z.coerce.number().int().min(0).max(254).optional(),
  ip: shortText.optional(),
  request_id: shortText.optional(),
  min_duration_ms: z.coerce.number().meta(unit('ms')).min(0).optional(),
  max_duration_ms: z.coerce.number().meta(unit('ms')).min(0).optional(),
  aborted: z.boolean().optional().describe('The caller disconnected before the end'),
  text: shortText
    .optional()
    .describe('Part of any text of the record: path, route, address, code, reason, agent, in any case'),
  ...period,
}

export const listRecords = define({
  resource: 'records',
  action: 'list',
  effect: 'read',
  tool: 'query_request_logs',
  group: 'query_logs',
  summary: 'Search the records of calls through the gateway, newest first. Bodies are not kept',
  input: z.strictObject({
    ...page,
    cursor: z.string().max(1000).optional().describe('next_cursor of the previous page'),
    order: z.enum(['newest', 'oldest']).default('newest').describe('Sort order'),
    ...recordFilters,
  }),
  output: pageOf(ShownRecord),
  permission: 'records:read',
  refuses: ['records_unavailable'],
  columns: [
    ...['time', 'surface', 'method', 'path', 'mcp_method', 'capability', 'client_slug'],
    ...['status', 'code', 'duration_ms', 'id'],
  ],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async (input, context) => {
    const { items, next_cursor } = await context.records.list(await toSelection(input, context))
    return { items: await withSlugs(items, context.reader), next_cursor }
  },
})

export const getRecord = define({
  resource: 'records',
  action: 'get',
  effect: 'read',
  tool: 'get_request_log',
  group: 'query_logs',
  summary: 'Show the record of one call by its request id, with the trace of its workflow',
  input: z.strictObject({ id: z.string().min(1).max(64) }),
  output: ShownWholeRecord,
  permission: 'records:read',
  refuses: ['not_found', 'records_unavailable'],
  columns: ['time', 'surface', 'method', 'path', 'status', 'code', 'check', 'duration_ms'],
  subject: ({ id }) => ({ type: 'record', id, slug: null }),
  handle: async ({ id }, context) => {
    const record = await context.records.get(id)
    if (record === undefined) throw refuse('not_found', { detail: `There is no request record "${id}".` })
    return (await withSlugs([record], context.reader))[0]!
  },
})
