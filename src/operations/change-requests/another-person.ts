import { isPlain } from '../../base/json/plain.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { ChangeRequestFacts } from '../../store/ports/change-requests.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { askerOf, reaches } from '../engine/change-request.ts'
import type { OperationContext } from '../engine/context.ts'
import { isUser } from '../personal-tokens/view.ts'

/** Of the trail that are read at a time. */
const ENTRIES = 100

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
