import { z } from 'zod'
import { HttpMethod, Ref, type ResourceType, Time } from '../../model/common.ts'
import type { OperationContext } from '../context.ts'
import { page, pageOf } from '../crud.ts'
import { define } from '../define.ts'
import { findRef } from '../refs.ts'
import { ShownRecord, withSlugs } from './slugs.ts'

const text = z.string().min(1).max(200)

const REFS: readonly (readonly [string, ResourceType])[] = [
  ['client', 'clients'],
  ['profile', 'profiles'],
  ['collection', 'collections'],
  ['proxy', 'proxies'],
]

export const listRecords = define({
  resource: 'records',
  action: 'list',
  effect: 'read',
  tool: 'query_request_logs',
  group: 'query_logs',
  summary: 'Search the records of calls through the gateway, newest first',
  input: z.strictObject({
    ...page,
    cursor: z.string().max(1000).optional().describe('next_cursor of the page before'),
    client: Ref.optional(),
    profile: Ref.optional(),
    collection: Ref.optional(),
    proxy: Ref.optional(),
    credential_id: text.optional().describe('Token of a profile'),
    status: z
      .union([z.int(), z.string().max(100)])
      .optional()
      .describe('429, 4xx, or several separated by commas'),
    code: text.optional().describe('Problem code, such as rate_limit_exceeded'),
    surface: z.enum(['gateway', 'gateway_mcp']).optional(),
    method: HttpMethod.optional(),
    path: z.string().max(2000).optional().describe('Start of the path'),
    mcp_method: text.optional().describe('Such as tools/list'),
    tool: text.optional(),
    agent_name: text.optional(),
    session_id: text.optional(),
    conversation_id: text.optional(),
    ip: text.optional(),
    request_id: text.optional(),
    min_duration_ms: z.coerce.number().min(0).optional(),
    from: Time.optional().describe('Not before, such as 2026-05-01T00:00:00Z'),
    to: Time.optional().describe('Before, such as 2026-05-02T00:00:00Z'),
  }),
  output: pageOf(ShownRecord),
  permission: 'records:read',
  refuses: ['records_unavailable'],
  columns: ['time', 'surface', 'method', 'path', 'client_slug', 'status', 'code', 'duration_ms', 'id'],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async (input, context) => {
    const { items, next_cursor } = await context.records.list(await withIds(input, context))
    return { items: await withSlugs(items, context.reader), next_cursor }
  },
})

/** Records name resources by id. What no longer exists is looked for as it was written. */
async function withIds(
  input: Readonly<Record<string, unknown>>,
  context: OperationContext,
): Promise<Record<string, unknown>> {
  const filter: Record<string, unknown> = { ...input }
  for (const [field, type] of REFS) {
    const ref = filter[field]
    if (typeof ref !== 'string') continue
    // A bare slug of a profile or proxy means the one below the client or collection that is asked for.
    const parent =
      type === 'profiles' ? filter['client'] : type === 'proxies' ? filter['collection'] : undefined
    const whole =
      typeof parent === 'string' && !ref.includes(':') && !ref.includes('_') ? `${parent}:${ref}` : ref
    filter[field] = (await findRef(context.reader, type, whole, `/${field}`))?.id ?? ref
  }
  return filter
}
