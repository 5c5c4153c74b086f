import { type Clock, toTime } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import type { AuditEntry } from '../../model/audit.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

/** From where a request came. */
export interface Asker {
  readonly ip: string | null
  readonly userAgent: string | null
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
  return {
    id: newId('aud', clock),
    time: toTime(clock.now()),
    actor: { ...actor, auth_method: actor.type === 'anonymous' ? 'none' : 'oauth' },
    agent: { name: null, version: null, session_id: null, conversation_id: null },
    surface: 'oauth',
    operation: `oauth.${operation}`,
    action: operation === 'register_client' ? 'CREATE' : 'UPDATE',
    resource: { type: 'oauth_client', id: client, slug: null, collection: null },
    revision_before: null,
    revision_after: null,
    config_revision: null,
    diff: Object.entries(facts).map(([name, value]) => ({ op: 'add' as const, path: `/${name}`, value })),
    reason: null,
    http: null,
    ip: asker.ip,
    user_agent: asker.userAgent?.slice(0, 512) ?? null,
    request_id: asker.requestId,
    outcome: denied === undefined ? 'ok' : 'denied',
    error: denied ?? null,
    detail: null,
    count: 1,
  }
}
