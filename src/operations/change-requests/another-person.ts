import { type Refusal, refuse } from '../../base/refusal.ts'
import type { ChangeRequestFacts } from '../../store/ports/change-requests.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { askerOf, reaches } from '../approvals/request.ts'
import type { OperationContext } from '../context.ts'
import { isUser } from '../personal-tokens/view.ts'

/**
 * Refuses with permission_denied unless the principal may approve all that the request touches, and is another person than
 * whoever asked: a user under a name of their own, who has had no hand in a service identity that asked.
 */
export async function demandAnotherPerson(
  request: ChangeRequestFacts,
  context: OperationContext,
): Promise<void> {
  const { principal, whole } = context
  await demandApprover(request, context)
  if (!isUser(principal)) throw notAnother('Only a user approves: sign in under a name of your own.')
  const { requester } = request
  if (request.asker === askerOf(principal)) throw notAnother('Another person than whoever asked approves it.')
  if (requester.id.startsWith('svc_') && (await hadAHandIn(requester.id, principal, whole)))
    throw notAnother(
      `You have made or changed "${requester.name}", which asked for it, and could act as it: another person approves it.`,
    )
}

/** Refuses with permission_denied unless the principal may approve all that the request touches. */
export async function demandApprover(
  request: ChangeRequestFacts,
  { principal, whole }: OperationContext,
): Promise<void> {
  if (await reaches(principal, () => 'config:approve', request, whole)) return
  throw refuse('permission_denied', {
    detail: 'This needs the permission config:approve for everything that the change request touches.',
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
  for (const resource of [service, ...rules.map(({ id }) => id)]) {
    const { items } = await whole.auditEntries({ resource, actor, outcome: 'ok', limit: 1 })
    if (items.length > 0) return true
  }
  return false
}

function notAnother(detail: string): Refusal {
  return refuse('permission_denied', { detail })
}
