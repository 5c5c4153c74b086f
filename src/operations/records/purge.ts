import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { define } from '../engine/define.ts'
import { period } from '../engine/lists.ts'
import { selection, toSelection } from './selection.ts'

const { client, profile, collection } = selection
const input = z.strictObject({ client, profile, collection, ...period })

/** What deleting is confirmed with: there is no one resource whose slug could be said. */
const CONFIRM = 'records'

export const purgeRecords = define({
  resource: 'records',
  action: 'purge',
  effect: 'delete',
  tool: 'delete_request_logs',
  group: 'query_logs',
  summary:
    'Delete request records permanently, by time, collection, client or profile; requires confirm "records". A dry run counts them',
  input,
  output: z.object({
    removed: z.int().describe('Records that were deleted; of a dry run, that would be'),
    more: z.boolean().describe('True if more records match than one call can delete: repeat the call'),
  }),
  permission: 'records:delete',
  refuses: ['confirmation_required', 'idempotency_conflict', 'records_unavailable'],
  columns: ['removed', 'more'],
  subject: () => ({ type: 'record', id: null, slug: null }),
  handle: async (input, context) => {
    const { change, options } = context
    const said = Object.entries(input).filter(([, value]) => value !== undefined)
    if (said.length === 0)
      throw refuse('input_invalid', {
        detail: 'Say which records: by from, to, collection, client or profile; to: now means all.',
        errors: [{ pointer: '', reason: 'at least one of from, to, collection, client, profile' }],
      })
    const isDryRun = options.dryRun === true
    if (!isDryRun && options.confirm !== CONFIRM)
      throw refuse('confirmation_required', {
        detail: `This cannot be undone. Send confirm: "${CONFIRM}".`,
        errors: [{ pointer: '/confirm', reason: `must be "${CONFIRM}"` }],
      })
    const selected = await toSelection(input, context)
    const { collection, client, profile } = selected
    const mustWait = change.mustWait('records', { collection, client, profile })
    // While the transaction is open, so that no deletion is without its entry
    const { removed, more } = await context.records.remove(selected, mustWait || isDryRun)
    if (mustWait)
      change.tell({
        op: 'remove',
        path: '/records',
        from: { ...Object.fromEntries(said), matching: removed },
      })
    const asked = said.map(([name, value]) => `${name} ${String(value)}`).join(', ')
    change.finding = `${removed} request records were deleted${more ? ', and there are more' : ''}: ${asked}.`
    return { removed, more }
  },
})
