import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { Ref } from '../../model/common.ts'
import type { StoredAccessRequest } from '../../store/ports/access-requests.ts'
import type { OperationContext } from '../context.ts'
import { fromCursor, page, pageOf, toCursor } from '../crud.ts'
import { define } from '../define.ts'
import { findRef } from '../refs.ts'
import {
  AccessRequest,
  AccessRequestId,
  COLUMNS,
  findRequest,
  mayRead,
  STATES,
  subject,
  viewsOf,
} from './shape.ts'

/** Read at a time to find those that the principal may see. */
const STEP = 200

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
  summary: 'List access requests, oldest first: your own, and those on which you may decide',
  input: z.strictObject({
    ...page,
    state: z.enum(STATES).optional(),
    client: Ref.optional().describe('Only those for this client'),
  }),
  output: pageOf(AccessRequest),
  refuses: [],
  handle: async ({ limit, cursor, state, client: ref }, context) => {
    const { principal, clock, reader } = context
    const client = ref === undefined ? undefined : ((await findRef(reader, 'clients', ref))?.id ?? ref)
    const after = cursor === undefined ? undefined : fromCursor(cursor, /^acr_[0-9a-z]{26}$/)
    const found = await readable(limit + 1, after, context, {
      now: clock.now(),
      ...(state === undefined ? {} : { state }),
      ...(client === undefined ? {} : { client }),
      ...(permits(principal, 'clients:update') ? {} : { requester: principal.id }),
    })
    const items = found.slice(0, limit)
    return {
      items: await viewsOf(items, context),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})

/** At most `count` that the principal may read. */
async function readable(
  count: number,
  after: string | undefined,
  context: OperationContext,
  query: Omit<Parameters<OperationContext['whole']['accessRequests']>[0], 'limit' | 'after'>,
): Promise<StoredAccessRequest[]> {
  const found: StoredAccessRequest[] = []
  let last = after
  for (;;) {
    const step = await context.whole.accessRequests({
      ...query,
      limit: STEP,
      ...(last === undefined ? {} : { after: last }),
    })
    for (const request of step) {
      if (await mayRead(request, context)) found.push(request)
      if (found.length === count) return found
    }
    if (step.length < STEP) return found
    last = step.at(-1)!.id
  }
}

export const getAccessRequest = define({
  ...common,
  action: 'get',
  tool: 'get_access_request',
  summary: 'Get an access request: your own, or one on which you may decide',
  input: z.strictObject({ id: AccessRequestId }),
  output: AccessRequest,
  refuses: ['not_found'],
  handle: async ({ id }, context) => (await viewsOf([await findRequest(id, context)], context))[0]!,
})
