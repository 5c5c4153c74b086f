import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { Ref } from '../../model/members.ts'
import { define } from '../engine/define.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { findRef } from '../engine/refs.ts'
import { findRequest, mayRead } from './find.ts'
import { AccessRequest, AccessRequestId, COLUMNS, STATES, subject, viewsOf } from './view.ts'

const common = {
  resource: 'access_requests',
  effect: 'read',
  group: 'manage_clients',
  permission: 'clients:update',
  own: () => true,
  columns: COLUMNS,
  subject,
} as const

export const listAccessRequests = define({
  ...common,
  action: 'list',
  tool: 'list_access_requests',
  summary: 'List your access requests and those you may decide',
  input: z.strictObject({
    ...page,
    state: z.enum(STATES).optional(),
    client: Ref.optional().describe('Only those for this client'),
    text: textFilter('name of the requester, message, or reason of the decision'),
    order: timeOrder('oldest'),
  }),
  output: pageOf(AccessRequest),
  refuses: [],
  handle: async ({ limit, cursor, state, client: ref, text, order }, context) => {
    const { principal, clock, reader, whole } = context
    const client = ref === undefined ? undefined : ((await findRef(reader, 'clients', ref))?.id ?? ref)
    const cursors = timeCursors('oldest', order, 'acr_[0-9a-z]{26}')
    const query = {
      now: clock.now(),
      order,
      ...(state === undefined ? {} : { state }),
      ...(client === undefined ? {} : { client }),
      ...(permits(principal, 'clients:update') ? {} : { requester: principal.id }),
    }
    const found = await firstThat(
      limit + 1,
      (count, last) =>
        whole.accessRequests({ ...query, limit: count, ...(last === undefined ? {} : { after: last }) }),
      cursors.from(cursor),
      async (request) =>
        hasText(text, [request.requester_name, request.message, request.reason]) &&
        (await mayRead(request, context)),
    )
    const items = found.slice(0, limit)
    return {
      items: await viewsOf(items, context),
      next_cursor: found.length > limit ? cursors.to(items.at(-1)!.id) : null,
    }
  },
})

export const getAccessRequest = define({
  ...common,
  action: 'get',
  tool: 'get_access_request',
  summary: 'Get an access request of yours, or one that you may decide',
  input: z.strictObject({ id: AccessRequestId }),
  output: AccessRequest,
  refuses: ['not_found'],
  handle: async ({ id }, context) => (await viewsOf([await findRequest(id, context)], context))[0]!,
})
