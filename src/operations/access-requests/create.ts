import { z } from 'zod'
import { newId } from '../../base/ids.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { Ref } from '../../model/members.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { AccessRequest, COLUMNS, keep, OPEN_MS, subject, viewsOf } from './view.ts'

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
      throw refuse('already_exists', { detail: `The client "${client.slug}" may call them already.` })
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
      : [{ pointer: `/collections/${index}`, reason: `"${slug}" cannot be asked for` }],
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
    throw refuse('already_exists', { detail: `You have asked for that already: ${same.id} is open.` })
  if (open.length >= OPEN_MAX)
    throw refuse('configuration_invalid', {
      detail: `You have ${OPEN_MAX} open access requests already. Reject one that is no longer wanted first.`,
      errors: [{ pointer: '', reason: `at most ${OPEN_MAX} open ones of a requester` }],
    })
}
