import { z } from 'zod'
import type { Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { PERMISSIONS } from '../../model/access.ts'
import { CHANGE_REQUEST_STATES, ChangeRequest } from '../../model/approval.ts'
import type { ChangeRequestFacts } from '../../store/ports/change-requests.ts'
import { askerOf, sees, viewOfRequest } from '../approvals/request.ts'
import { breathe } from '../breathe.ts'
import { fromCursor, page, pageOf, toCursor } from '../crud.ts'
import { define } from '../define.ts'
import { subject } from './find.ts'

// The model lists permissions in their form.
const READS = (PERMISSIONS as readonly Permission[]).filter((permission) => permission.endsWith(':read'))

export const COLUMNS = ['id', 'state', 'operation', 'resource.slug', 'requester.name', 'rules', 'expires_at']

export const listChangeRequests = define({
  resource: 'change_requests',
  action: 'list',
  effect: 'read',
  tool: 'list_change_requests',
  group: 'manage_config',
  summary:
    'List writes that wait for another person, or did, newest first: your own, and those whose resources you may read',
  input: z.strictObject({
    ...page,
    state: z.enum(CHANGE_REQUEST_STATES).optional().describe('Only those in this state'),
  }),
  output: pageOf(ChangeRequest),
  permission: 'config:read',
  own: () => true,
  refuses: [],
  columns: COLUMNS,
  subject,
  handle: async ({ limit, cursor, state }, context) => {
    const now = context.clock.now()
    const found: ChangeRequestFacts[] = []
    let before = cursor === undefined ? undefined : fromCursor(cursor, /^chg_[0-9a-z]{26}$/)
    // Whoever may read nothing has nobody else's to be shown
    const isBlind = !READS.some((permission) => permits(context.principal, permission))
    let looked = 0
    for (let isMore = true; isMore && found.length <= limit; ) {
      const some = await context.whole.changeRequests({
        limit: limit + 1,
        ...(isBlind ? { asker: askerOf(context.principal) } : {}),
        ...(before === undefined ? {} : { before }),
      })
      for (const one of some) {
        // Each is as large as its difference
        await breathe(++looked)
        if (
          (state === undefined || viewOfRequest(one, now).state === state) &&
          (await sees(context.principal, one, context.whole))
        )
          found.push(one)
      }
      before = some.at(-1)?.id
      isMore = some.length > limit
    }
    const items = found.slice(0, limit)
    return {
      items: items.map((one) => viewOfRequest(one, now)),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})
