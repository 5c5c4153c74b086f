import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { define } from '../engine/define.ts'
import { ShownRecord, withSlugs } from './slugs.ts'

export const getRecord = define({
  resource: 'records',
  action: 'get',
  effect: 'read',
  tool: 'get_request_log',
  group: 'query_logs',
  summary: 'Show the record of one call by its request id',
  input: z.strictObject({ id: z.string().min(1).max(64) }),
  output: ShownRecord,
  permission: 'records:read',
  refuses: ['not_found', 'records_unavailable'],
  columns: ['time', 'surface', 'method', 'path', 'status', 'code', 'stopped_at', 'duration_ms'],
  subject: ({ id }) => ({ type: 'record', id, slug: null }),
  handle: async ({ id }, context) => {
    const record = await context.records.get(id)
    if (record === undefined) throw refuse('not_found', { detail: `There is no request record "${id}".` })
    return (await withSlugs([record], context.reader))[0]!
  },
})
