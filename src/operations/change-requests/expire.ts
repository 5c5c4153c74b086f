import type { Clock } from '../../base/clock.ts'
import { newAuditEntry } from '../../model/access/new-audit-entry.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

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
            detail: `${request.operation}, which "${request.requester.name}" had asked for.`,
          }),
        )
      }
    })
  await store.write((writer) => writer.forgetChangeRequests(now - KEPT_MS))
}
