import { z } from 'zod'
import type { Permission } from '../../access/principal.ts'
import { permits } from '../../access/roles.ts'
import type { Clock } from '../../base/clock.ts'
import { isPlain } from '../../base/json/storable.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { PERMISSIONS } from '../../model/access/access.ts'
import { CHANGE_REQUEST_STATES, ChangeRequest, Difference } from '../../model/access/approval.ts'
import { type AuditEntry, newAuditEntry } from '../../model/access/audit.ts'
import { Ref } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { ChangeRequestFacts, StoredChangeRequest } from '../../store/ports/change-requests.ts'
import type { ConfigReader, ConfigStore } from '../../store/ports/config.ts'
import { askerOf, reaches, sees, stateAt, viewOfRequest } from '../engine/change-request.ts'
import type { OperationContext } from '../engine/context.ts'
import { define, subjectById } from '../engine/define.ts'
import {
  firstThat,
  fromCursor,
  hasText,
  page,
  pageOf,
  textFilter,
  timeCursors,
  timeOrder,
  toCursor,
} from '../engine/lists.ts'
import { holdsLengths, tooLargeToReview } from '../engine/review.ts'
import { DIFF_COLUMNS } from '../engine/write-options.ts'
import { isUser } from '../personal-tokens/personal-tokens.ts'

const COLUMNS = ['id', 'state', 'operation', 'resource.slug', 'requester.name', 'rules', 'expires_at']

/** What the audit calls it. */
const subject = subjectById('change_request')

export const approveChangeRequest = define({
  resource: 'change_requests',
  action: 'approve',
  effect: 'act',
  tool: 'approve_change_request',
  group: 'manage_config',
  summary:
    "Approve a change request of another user. The change runs with the requester's current permissions, unless an affected resource has changed",
  input: z.strictObject({ id: Ref }),
  output: ChangeRequest,
  permission: 'config:approve',
  refuses: [
    'not_found',
    'already_decided',
    'change_too_large',
    'change_request_outdated',
    'idempotency_conflict',
  ],
  destroys: () => true,
  columns: COLUMNS,
  subject,
  prepare: async ({ id }, context) => {
    const request = await findRequest(id, context)
    await demandAnotherPerson(request, context)
    demandState(request, ['open'], context.clock.now())
    if (request.is_whole !== true && holdsLengths(request.diff)) throw tooLargeToReview()
    return { id, prepared: request.repeats ? null : await context.carryOut.prepare(request) }
  },
  handle: async ({ id, prepared }, context) => {
    const { change, clock } = context
    const now = clock.now()
    const request = await findRequest(id, context)
    await demandAnotherPerson(request, context)
    demandState(request, ['open'], now)
    const approved = toDecided(request, 'approved', context)
    await change.writer.putChangeRequest(approved)
    if (request.repeats) {
      change.finding = `${request.operation} runs when "${request.requester.name}" repeats the call.`
      change.tell({ op: 'replace', path: '/state', from: 'open', value: 'approved' })
      return viewOfRequest(approved, now)
    }
    const revision = await context.carryOut.carryOut(approved, prepared)
    change.finding = `${request.operation} was carried out, as requested by "${request.requester.name}".`
    change.tell({ op: 'replace', path: '/state', from: 'open', value: 'applied' })
    return viewOfRequest({ ...approved, state: 'applied', config_revision: revision }, now)
  },
})

export const rejectChangeRequest = define({
  resource: 'change_requests',
  action: 'reject',
  effect: 'act',
  tool: 'reject_change_request',
  group: 'manage_config',
  summary: 'Reject a change request with a reason, or withdraw your own',
  input: z.strictObject({ id: Ref }),
  output: ChangeRequest,
  permission: 'config:approve',
  own: () => true,
  refuses: ['not_found', 'already_decided', 'idempotency_conflict'],
  columns: COLUMNS,
  subject,
  handle: async ({ id }, context) => {
    const { change, clock, principal } = context
    const now = clock.now()
    const request = await findRequest(id, context)
    if (request.asker !== askerOf(principal)) await demandApprover(request, context)
    demandState(request, ['open', 'approved'], now)
    const rejected = { ...toDecided(request, 'rejected', context), sealed: null }
    await change.writer.putChangeRequest(rejected)
    change.finding = `${request.operation}, requested by "${request.requester.name}".`
    change.tell({ op: 'replace', path: '/state', from: request.state, value: 'rejected' })
    return viewOfRequest(rejected, now)
  },
})

/** Of the trail that are read at a time. */
const ENTRIES = 100

/**
 * Refuses with permission_denied unless the principal may approve all that the request touches, and is another person than
 * whoever asked: a user under a name of their own, who has had no hand in a service identity that asked.
 */
async function demandAnotherPerson(request: ChangeRequestFacts, context: OperationContext): Promise<void> {
  const { principal, whole } = context
  await demandApprover(request, context)
  if (!isUser(principal)) throw notAnother('Only a user can approve: sign in as a user.')
  const { requester } = request
  if (request.asker === askerOf(principal))
    throw notAnother('You cannot approve your own change request: another person must approve it.')
  if (requester.id.startsWith('svc_') && (await hadAHandIn(requester.id, principal, whole)))
    throw notAnother(
      `You have created or changed the requester "${requester.name}" and could act as it: another person must approve it.`,
    )
}

/** Refuses with permission_denied unless the principal may approve all that the request touches. */
async function demandApprover(
  request: ChangeRequestFacts,
  { principal, whole }: OperationContext,
): Promise<void> {
  if (await reaches(principal, () => 'config:approve', request, whole)) return
  throw refuse('permission_denied', {
    detail: 'This needs the permission config:approve for everything that the change request affects.',
    members: { permission: 'config:approve' },
  })
}

/** True for a user who has made or changed the service identity, or what proves it. */
async function hadAHandIn(
  service: string,
  { id: actor, name }: OperationContext['principal'],
  whole: ConfigReader,
): Promise<boolean> {
  // Which outlives the trail
  if ((await whole.byId('service_identities', service))?.created_by === name) return true
  const rules = await whole.all('trust_rules', service)
  if (rules.some(({ created_by }) => created_by === name)) return true
  for (const resource of [service, ...rules.map(({ id }) => id)]) {
    const { items } = await whole.auditEntries({ resource, actor, outcome: 'ok', limit: 1 })
    if (items.length > 0) return true
  }
  return hadOneThatIsGone(service, actor, whole)
}

/** True for who made, changed or deleted a trust rule that is gone and may have been of the service identity. */
async function hadOneThatIsGone(service: string, actor: string, whole: ConfigReader): Promise<boolean> {
  const slug = (await whole.byId('service_identities', service))?.slug
  for (let last: number | undefined; ; ) {
    const { items, next } = await whole.auditEntries({
      resource_type: NOUNS.trust_rules,
      actor,
      outcome: 'ok',
      limit: ENTRIES,
      ...(last === undefined ? {} : { last }),
    })
    for (const { resource, diff } of items) {
      const isGone = resource.id !== null && (await whole.byId('trust_rules', resource.id)) === undefined
      if (isGone && !isOfOther(diff, slug)) return true
    }
    if (next === null) return false
    last = next
  }
}

/** True when a difference says whole that the trust rule was of another service identity. */
function isOfOther(diff: AuditEntry['diff'], slug: string | undefined): boolean {
  return diff.some(({ path, from, value }) => {
    const whole = path === '' ? (from ?? value) : undefined
    const owner = isPlain(whole) ? whole['service_identity'] : undefined
    return typeof owner === 'string' && owner !== slug
  })
}

function notAnother(detail: string): Refusal {
  return refuse('permission_denied', { detail })
}

export const diffChangeRequest = define({
  resource: 'change_requests',
  action: 'diff',
  effect: 'read',
  tool: 'get_change_request_diff',
  group: 'manage_config',
  summary: 'Show the complete difference of a change request, page by page',
  input: z.strictObject({ id: Ref, ...page }),
  output: pageOf(Difference),
  permission: 'config:read',
  own: () => true,
  refuses: ['not_found'],
  columns: DIFF_COLUMNS,
  subject,
  handle: async ({ id, limit, cursor }, context) => {
    const { diff } = await findRequest(id, context)
    const start = cursor === undefined ? 0 : Number(fromCursor(cursor, /^\d{1,9}$/))
    const end = start + limit
    return { items: diff.slice(start, end), next_cursor: end < diff.length ? toCursor(String(end)) : null }
  },
})

/** So long after its time a change request can be looked at. */
const KEPT_MS = 90 * 86_400_000

/** Ends the change requests whose time is over, with an entry in the trail for each, and forgets those long over. */
export async function expireChangeRequests(store: ConfigStore, clock: Clock): Promise<void> {
  const now = clock.now()
  const isOver = ({ expires_at }: { readonly expires_at: number }): boolean => expires_at <= now
  if ((await store.read.pendingChangeRequests()).some(isOver))
    await store.write(async (writer) => {
      for (const request of (await writer.pendingChangeRequests()).filter(isOver)) {
        await writer.putChangeRequest({ ...request, state: 'expired', sealed: null })
        await writer.appendAudit(
          newAuditEntry(clock, {
            actor: { id: 'system', type: 'system', name: 'approvals', auth_method: 'none' },
            surface: 'system',
            operation: 'change_requests.expire',
            action: 'UPDATE',
            resource: { type: 'change_request', id: request.id, slug: null, collection: null },
            diff: [{ op: 'replace', path: '/state', from: request.state, value: 'expired' }],
            detail: `${request.operation}, requested by "${request.requester.name}".`,
          }),
        )
      }
    })
  await store.write((writer) => writer.forgetChangeRequests(now - KEPT_MS))
}

/** A change request that the principal may see. Refuses with not_found. */
async function findRequest(id: string, context: OperationContext): Promise<StoredChangeRequest> {
  const found = await context.whole.changeRequest(id)
  if (found !== undefined && (await sees(context.principal, found, context.whole))) return found
  throw refuse('not_found', { detail: `There is no change request "${id}".` })
}

/** The request with what the principal has decided. */
function toDecided(
  request: StoredChangeRequest,
  state: 'approved' | 'rejected',
  { clock, principal, options }: OperationContext,
): StoredChangeRequest {
  return {
    ...request,
    state,
    decided_at: clock.now(),
    decided_by: { id: principal.id, name: principal.name },
    decision_reason: options.reason ?? null,
  }
}

/** Refuses with already_decided one that is in none of the states. */
function demandState(
  request: ChangeRequestFacts,
  states: readonly ChangeRequestFacts['state'][],
  now: number,
): void {
  const state = stateAt(request, now)
  if (states.includes(state)) return
  throw refuse('already_decided', {
    detail: `The change request is ${state}.`,
    members: { state },
  })
}

// The model lists permissions in their form.
const READS = (PERMISSIONS as readonly Permission[]).filter((permission) => permission.endsWith(':read'))

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
