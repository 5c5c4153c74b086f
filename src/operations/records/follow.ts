import { z } from 'zod'
import { unit } from '../../model/annotations.ts'
import { define } from '../engine/define.ts'
import { pageOf } from '../engine/lists.ts'
import { recordFilters } from './list.ts'
import { toSelection } from './selection.ts'
import { ShownRecord, withSlugs } from './slugs.ts'

/** Seconds. More than a minute would look like a dead connection to proxies. */
const WAIT_MAX = 25

const { from: _from, to: _to, ...filters } = recordFilters

export const followRecords = define({
  resource: 'records',
  action: 'follow',
  effect: 'read',
  follows: true,
  tool: 'follow_request_logs',
  group: 'query_logs',
  summary: 'Wait for the next calls through the gateway, and show their records as they are stored',
  input: z.strictObject({
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(200)
      .default(50)
      .describe('Maximum number of items in one answer'),
    cursor: z
      .string()
      .max(100)
      .optional()
      .describe(
        'next_cursor of the previous answer. Default: from now on; the first answer has a cursor and no items',
      ),
    wait: z.coerce
      .number()
      .int()
      .meta(unit('s'))
      .min(0)
      .max(WAIT_MAX)
      .default(20)
      .describe('Seconds after which an answer without items comes'),
    ...filters,
  }),
  output: pageOf(ShownRecord).extend({
    next_cursor: z.string().describe('Send it as cursor to get what follows'),
    missed: z
      .boolean()
      .describe(
        'True if records between the cursor and these items are not kept any more: list them with from',
      ),
  }),
  permission: 'records:read',
  refuses: ['records_unavailable'],
  columns: [
    ...['time', 'surface', 'method', 'path', 'mcp_method', 'capability', 'client_slug'],
    ...['status', 'code', 'duration_ms', 'id'],
  ],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async ({ wait, ...input }, context) => {
    const filter = await toSelection(input, context)
    const { records, principal } = context
    const { items, next_cursor, missed } = await records.follow(filter, wait * 1000, principal.id)
    return { items: await withSlugs(items, context.reader), next_cursor, missed }
  },
})
