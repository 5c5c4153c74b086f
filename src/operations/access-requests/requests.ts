import { z } from 'zod'
import { permits } from '../../access/roles.ts'
import { toTime } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { type FieldError, type Refusal, refuse } from '../../base/refusal.ts'
import { refersTo } from '../../model/annotations.ts'
import { Ref, Time } from '../../model/members.ts'
import { type StoredAccessRequest, stateAt } from '../../store/ports/access-requests.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { assign } from '../clients/kind.ts'
import type { OperationContext } from '../engine/context.ts'
import { CHANGE_REFUSES, define, subjectById } from '../engine/define.ts'
import { firstThat, hasText, page, pageOf, textFilter, timeCursors, timeOrder } from '../engine/lists.ts'
import { findRef } from '../engine/refs.ts'

const DAY_MS = 86_400_000
/** How long one waits for an answer. */
const OPEN_MS = 30 * DAY_MS
/** How long one is kept: the trail tells of it for longer. */
const KEPT_MS = 120 * DAY_MS

const STATES = ['open', 'rejected', 'expired', 'applied'] as const

const AccessRequestId = z
  .string()
  .max(40)
  .regex(/^acr_[0-9a-hjkmnp-tv-z]{26}$/, 'an id such as acr_…')
  .describe('Id of the access request')

export const AccessRequest = z.object({
  id: z.string(),
  requester: z.string().describe('Name of the requester'),
  client: z.string().meta(refersTo('clients')).describe('Slug of the client that needs access'),
  collections: z
    .array(z.string().meta(refersTo('collections')))
    .describe('Slugs of the requested collections'),
  message: z.string().describe('Reason that the requester gave'),
  state: z
    .enum(STATES)
    .describe(
      'applied: approved, and the collections are assigned; expired: too old, or a named resource was deleted',
    ),
  created_at: Time,
  expires_at: Time.describe('Time at which an open request expires'),
  decided_at: Time.nullable(),
  decided_by: z.string().nullable().describe('Name of the user who approved or rejected it'),
  reason: z.string().nullable().describe('Reason of the decision'),
})

const COLUMNS = ['id', 'requester', 'client', 'collections', 'state', 'expires_at', 'decided_by']

/** What the audit calls it. */
const subject = subjectById('access_request')

/** Requests as callers read them. */
async function viewsOf(
  requests: readonly StoredAccessRequest[],
  { reader, clock }: Pick<OperationContext, 'reader' | 'clock'>,
): Promise<z.output<typeof AccessRequest>[]> {
  const slugs = await reader.slugs([
    ...new Set(requests.flatMap(({ client, collections }) => [client, ...collections])),
  ])
  const nameOf = (id: string): string => slugs.get(id) ?? id
  return requests.map((request) => ({
    id: request.id,
    requester: request.requester_name,
    client: nameOf(request.client),
    collections: request.collections.map(nameOf),
    message: request.message,
    state: stateAt(request, clock.now()),
    created_at: toTime(request.created_at),
    expires_at: toTime(request.expires_at),
    decided_at: request.decided_at === null ? null : toTime(request.decided_at),
    decided_by: request.decided_by,
    reason: request.reason,
  }))
}

/** Stores a request. */
async function keep(
  request: StoredAccessRequest,
  { change, clock }: Pick<OperationContext, 'change' | 'clock'>,
): Promise<void> {
  await change.writer.putAccessRequest(request, clock.now() - KEPT_MS)
}

// Access requests are stored beside the configuration and count no revision. Approving a request is the assignment
// itself, in the same transaction, with the permissions of the approver. The clock decides at each read whether a
// request has expired.

const common = {
  resource: 'access_requests',
  effect: 'act',
  group: 'manage_clients',
  input: z.strictObject({ id: AccessRequestId }),
  output: AccessRequest,
  permission: 'clients:update',
  columns: COLUMNS,
  subject,
} as const

/** It is written like an assignment of one's own, and so by nobody who could not make that. */
export const approveAccessRequest = define({
  ...common,
  action: 'approve',
  tool: 'approve_access_request',
  summary: 'Approve an access request: the client can call the collections immediately',
  refuses: [...CHANGE_REFUSES, 'already_decided'],
  handle: async ({ id }, context) => {
    const request = await findOpen(id, context)
    await assign(request.client, { collections: { add: request.collections } }, context)
    context.change.finding = `Approved ${id}, requested by ${request.requester_name}.`
    return decide(request, 'applied', context)
  },
})

export const rejectAccessRequest = define({
  ...common,
  action: 'reject',
  tool: 'reject_access_request',
  summary: 'Reject an access request with a reason, or withdraw your own',
  own: () => true,
  refuses: ['not_found', 'already_decided', 'idempotency_conflict'],
  handle: async ({ id }, context) => {
    const request = await findOpen(id, context)
    const { change, principal, options } = context
    const isOwn = request.requester === principal.id
    if (!isOwn && options.reason === undefined)
      throw refuse('input_invalid', {
        detail: 'Give a reason: the requester reads it.',
        errors: [{ pointer: '/reason', reason: 'required to reject a request of another user' }],
      })
    change.finding = isOwn
      ? `${request.requester_name} withdrew ${id}.`
      : `Rejected ${id}, requested by ${request.requester_name}.`
    return decide(request, 'rejected', context)
  },
})

/** Ends an open request by a decision. */
async function decide(
  request: StoredAccessRequest,
  state: 'applied' | 'rejected',
  context: OperationContext,
): Promise<z.output<typeof AccessRequest>> {
  const { change, clock, principal, options } = context
  const decided: StoredAccessRequest = {
    ...request,
    state,
    decided_at: clock.now(),
    decided_by: principal.name,
    reason: options.reason ?? null,
  }
  await keep(decided, context)
  change.tell({ op: 'replace', path: `/access_requests/${request.id}/state`, from: 'open', value: state })
  return (await viewsOf([decided], context))[0]!
}

/** Open ones of one requester. */
const OPEN_MAX = 20

export const createAccessRequest = define({
  resource: 'access_requests',
  action: 'create',
  effect: 'create',
  tool: 'create_access_request',
  group: 'manage_clients',
  summary: 'Request access to collections for a client',
  input: z.strictObject({
    client: Ref.describe('Client that needs access'),
    collections: z
      .array(Ref)
      .min(1)
      .max(50)
      .describe('Requested collections; each must have requestable: true'),
    message: z.string().trim().max(2000).default('').describe('Reason for the request, for the approver'),
  }),
  output: AccessRequest,
  permission: 'clients:read',
  own: () => true,
  refuses: ['not_found', 'already_exists', 'configuration_invalid', 'idempotency_conflict'],
  columns: COLUMNS,
  subject,
  handle: async ({ client: ref, collections: refs, message }, context) => {
    const { change, clock, principal } = context
    const client = await context.find('clients', ref)
    const found = new Map<string, Resource>()
    for (const one of refs) {
      const collection = await context.find('collections', one, 'collections:read')
      found.set(collection.id, collection)
    }
    refuseUnaskable([...found.values()])
    const assigned = client.spec['collections'] as readonly string[]
    const collections = [...found.keys()].filter((id) => !assigned.includes(id))
    if (collections.length === 0)
      throw refuse('already_exists', { detail: `The client "${client.slug}" already has access to them.` })
    await refuseOpen(client, collections, context)
    const now = clock.now()
    const request = {
      id: newId('acr', clock),
      requester: principal.id,
      requester_name: principal.name,
      client: client.id,
      collections,
      message,
      state: 'open' as const,
      created_at: now,
      expires_at: now + OPEN_MS,
      decided_at: null,
      decided_by: null,
      reason: null,
    }
    await keep(request, context)
    const view = (await viewsOf([request], context))[0]!
    for (const path of ['client', 'collections', 'message'] as const)
      change.tell({ op: 'add', path: `/${path}`, value: view[path] })
    return view
  },
})

function refuseUnaskable(collections: readonly Resource[]): void {
  const errors = collections.flatMap(({ slug, spec }, index): FieldError[] =>
    spec['requestable'] === true
      ? []
      : [{ pointer: `/collections/${index}`, reason: `access to "${slug}" cannot be requested` }],
  )
  if (errors.length > 0)
    throw refuse('configuration_invalid', {
      detail: `${errors[0]!.reason}: its requestable is false.`,
      errors,
    })
}

/** Nobody asks twice for the same, nor for too much at once. */
async function refuseOpen(
  client: Resource,
  collections: readonly string[],
  { whole, clock, principal }: OperationContext,
): Promise<void> {
  const open = await whole.accessRequests({
    limit: OPEN_MAX,
    requester: principal.id,
    state: 'open',
    now: clock.now(),
  })
  const same = open.find(
    (one) => one.client === client.id && collections.every((id) => one.collections.includes(id)),
  )
  if (same !== undefined)
    throw refuse('already_exists', {
      detail: `You have already requested this: the access request ${same.id} is open.`,
    })
  if (open.length >= OPEN_MAX)
    throw refuse('configuration_invalid', {
      detail: `You already have ${OPEN_MAX} open access requests, which is the maximum. First withdraw one with reject.`,
      errors: [{ pointer: '', reason: `at most ${OPEN_MAX} open access requests of one requester` }],
    })
}

/** True for one of the principal's own, and for one that they could carry out themselves. */
async function mayRead(request: StoredAccessRequest, context: OperationContext): Promise<boolean> {
  return request.requester === context.principal.id || mayDecide(request, context)
}

async function mayDecide(request: StoredAccessRequest, context: OperationContext): Promise<boolean> {
  if (!permits(context.principal, 'clients:update')) return false
  const client = await context.reader.byId('clients', request.client)
  if (client === undefined || !(await context.allows('clients:update', client))) return false
  for (const id of request.collections)
    if ((await context.reader.byId('collections', id)) === undefined) return false
  return true
}

/** One that the principal may read. Refuses with not_found: what is others' is not told. */
async function findRequest(id: string, context: OperationContext): Promise<StoredAccessRequest> {
  const request = await context.whole.accessRequest(id)
  if (request === undefined || !(await mayRead(request, context))) throw missing(id)
  return request
}

/** As {@link findRequest}; refuses with already_decided unless it is open. */
async function findOpen(id: string, context: OperationContext): Promise<StoredAccessRequest> {
  const request = await findRequest(id, context)
  const state = stateAt(request, context.clock.now())
  if (state === 'open') return request
  const what = { rejected: 'was rejected', applied: 'was approved', expired: 'has expired' }[state]
  throw refuse('already_decided', { detail: `The access request "${id}" ${what}.`, members: { state } })
}

function missing(id: string): Refusal {
  return refuse('not_found', { detail: `There is no access request "${id}".` })
}

const readCommon = {
  resource: 'access_requests',
  effect: 'read',
  group: 'manage_clients',
  permission: 'clients:update',
  own: () => true,
  columns: COLUMNS,
  subject,
} as const

export const listAccessRequests = define({
  ...readCommon,
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
  ...readCommon,
  action: 'get',
  tool: 'get_access_request',
  summary: 'Show an access request: your own, or one that you may decide',
  input: z.strictObject({ id: AccessRequestId }),
  output: AccessRequest,
  refuses: ['not_found'],
  handle: async ({ id }, context) => (await viewsOf([await findRequest(id, context)], context))[0]!,
})
