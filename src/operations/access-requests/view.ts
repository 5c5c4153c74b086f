import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { refersTo } from '../../model/annotations.ts'
import { Time } from '../../model/members.ts'
import { type StoredAccessRequest, stateAt } from '../../store/ports/access-requests.ts'
import type { OperationContext } from '../engine/context.ts'
import { subjectById } from '../engine/define.ts'

const DAY_MS = 86_400_000
/** How long one waits for an answer. */
export const OPEN_MS = 30 * DAY_MS
/** How long one is kept: the trail tells of it for longer. */
const KEPT_MS = 120 * DAY_MS

export const STATES = ['open', 'rejected', 'expired', 'applied'] as const

export const AccessRequestId = z
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

export const COLUMNS = ['id', 'requester', 'client', 'collections', 'state', 'expires_at', 'decided_by']

/** What the audit calls it. */
export const subject = subjectById('access_request')

/** Requests as callers read them. */
export async function viewsOf(
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
export async function keep(
  request: StoredAccessRequest,
  { change, clock }: Pick<OperationContext, 'change' | 'clock'>,
): Promise<void> {
  await change.writer.putAccessRequest(request, clock.now() - KEPT_MS)
}
