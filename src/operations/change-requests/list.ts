import { z } from 'zod'
import type { Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import { PERMISSIONS } from '../../model/access/access.ts'
import { CHANGE_REQUEST_STATES, ChangeRequest } from '../../model/access/approval.ts'
import { Ref } from '../../model/members.ts'
import { askerOf, sees, stateAt, viewOfRequest } from '../engine/change-request.ts'
import { define } from '../engine/define.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { findRequest, subject } from './find.ts'

// The model lists permissions in their form.
const READS = (PERMISSIONS as readonly Permission[]).filter((permission) => permission.endsWith(':read'))

export const COLUMNS = ['id', 'state', 'operation', 'resource.slug', 'requester.name', 'rules', 'expires_at']

export const listChangeRequests = define({
  resource: 'change_requests',
  action: 'list',
  effect: 'read',
  tool: 'list_change_requests',
  group: 'manage_config',
  summary: 'List change requests: your own, and those whose resources you may read',
  input: z.strictObject({
    ...page,
    state: z.enum(CHANGE_REQUEST_STATES).optional().describe('Only those in this state'),
    text: textFilter('operation, slug, name of the requester, rules or reason'),
    order: timeOrder('newest'),
  }),
  output: pageOf(ChangeRequest),
  permission: 'config:read',
  own: () => true,
  refuses: [],
  columns: COLUMNS,
  subject,
  handle: async ({ limit, cursor, state, text, order }, context) => {
    const { clock, principal, whole } = context
    const now = clock.now()
    const cursors = timeCursors('newest', order, 'chg_[0-9a-z]{26}')
    // Whoever may read nothing has nobody else's to be shown
    const isBlind = !READS.some((permission) => permits(principal, permission))
    const query = isBlind ? { asker: askerOf(principal) } : {}
    const found = await firstThat(
      limit + 1,
      (count, last) =>
        whole.changeRequests({ ...query, order, limit: count, ...(last === undefined ? {} : { last }) }),
      cursors.from(cursor),
      async (one) =>
        (state === undefined || stateAt(one, now) === state) &&
        hasText(text, [one.operation, one.resource.slug, one.requester.name, one.reason, ...one.rules]) &&
        (await sees(principal, one, whole)),
    )
    const items = found.slice(0, limit)
    return {
      items: items.map((one) => viewOfRequest(one, now)),
      next_cursor: found.length > limit ? cursors.to(items.at(-1)!.id) : null,
    }
  },
})

export const getChangeRequest = define({
  resource: 'change_requests',
  action: 'get',
  effect: 'read',
  tool: 'get_change_request',
  group: 'manage_config',
  summary: 'Show a change request and its difference',
  input: z.strictObject({ id: Ref }),
  output: ChangeRequest,
  permission: 'config:read',
  own: () => true,
  refuses: ['not_found'],
  columns: COLUMNS,
  subject,
  handle: async ({ id }, context) => viewOfRequest(await findRequest(id, context), context.clock.now()),
})
