import type { Sender } from '../../access/sender.ts'
import type { Clock } from '../../base/clock.ts'
import type { AuditEntry } from '../../model/audit.ts'
import { newAuditEntry } from '../../model/new-audit-entry.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

/** Who sent a request, as far as anybody knows. */
export interface Asker extends Sender {
  readonly requestId: string | null
}

/** Something that the authorization server did, or refused to someone it knows. */
export interface Happening {
  readonly operation: 'consent' | 'issue_token' | 'register_client' | 'revoke'
  readonly actor: Omit<AuditEntry['actor'], 'auth_method'>
  readonly client: string
  readonly asker: Asker
  /** What was agreed or issued; never a credential. */
  readonly facts?: Readonly<Record<string, string>>
  /** Why it was refused; absent when it was not. */
  readonly denied?: string
}

export const NOBODY: Happening['actor'] = { id: 'anonymous', type: 'anonymous', name: 'anonymous' }

/** Writes happenings into the trail. */
export function createOAuthAudit(store: ConfigStore, clock: Clock): (happening: Happening) => Promise<void> {
  return (happening) => store.write((writer) => writer.appendAudit(toEntry(happening, clock)))
}

function toEntry(happening: Happening, clock: Clock): AuditEntry {
  const { operation, actor, client, asker, facts = {}, denied } = happening
  return newAuditEntry(clock, {
    actor: { ...actor, auth_method: actor.type === 'anonymous' ? 'none' : 'oauth' },
    surface: 'oauth',
    operation: `oauth.${operation}`,
    action: operation === 'register_client' ? 'CREATE' : 'UPDATE',
    resource: { type: 'oauth_client', id: client, slug: null, collection: null },
    diff: Object.entries(facts).map(([name, value]) => ({ op: 'add' as const, path: `/${name}`, value })),
    ip: asker.ip,
    user_agent: asker.userAgent,
    request_id: asker.requestId,
    outcome: denied === undefined ? 'ok' : 'denied',
    error: denied ?? null,
  })
}
