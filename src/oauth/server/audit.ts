/** Audit entries of the authorization server. */
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Sender } from '../../access/sender.ts'
import type { Clock } from '../../base/clock.ts'
import { type AuditEntry, newAuditEntry } from '../../model/access/audit.ts'
import type { ConfigStore } from '../../store/ports/config.ts'

/** Who sent a request, as far as anybody knows. */
export interface Asker extends Sender {
  readonly requestId: string | null
}

/** Something that the authorization server did, or refused to someone it knows. */
export interface Happening {
  readonly operation:
    | 'consent'
    | 'issue_token'
    | 'register_client'
    | 'revoke'
    | 'connect'
    | 'disconnect'
    | 'refresh_connection'
    | 'sign_in'
    | 'sign_out'
  readonly actor: Omit<AuditEntry['actor'], 'auth_method'>
  /** Id of the OAuth client that it is about; empty where it is about {@link about}. */
  readonly client: string
  /** What it is about, where that is no client. */
  readonly about?: { readonly type: 'origin'; readonly id: string; readonly slug: string }
  readonly asker: Asker
  /** What was agreed or issued; never a credential. */
  readonly facts?: Readonly<Record<string, string>>
  /** Why it was refused; absent when it was not. */
  readonly denied?: string
}

/** The sender of a request, as the engine has it. */
export function askerOf({ req }: Pick<KoaContextWithOIDC, 'req'>): Asker {
  const text = (name: string): string | null => {
    const value = req.headers[name]
    return typeof value === 'string' ? value : null
  }
  return {
    ip: text('x-forwarded-for'),
    userAgent: text('user-agent'),
    requestId: text('x-postern-request-id'),
  }
}

export const NOBODY: Happening['actor'] = { id: 'anonymous', type: 'anonymous', name: 'anonymous' }

/** Writes happenings into the trail. */
export function createOAuthAudit(store: ConfigStore, clock: Clock): (happening: Happening) => Promise<void> {
  return (happening) => store.write((writer) => writer.appendAudit(toEntry(happening, clock)))
}

function toEntry(happening: Happening, clock: Clock): AuditEntry {
  const { operation, actor, client, about, asker, facts = {}, denied } = happening
  return newAuditEntry(clock, {
    actor: { ...actor, auth_method: actor.type === 'anonymous' ? 'none' : 'oauth' },
    surface: 'oauth',
    operation: `oauth.${operation}`,
    action: operation === 'register_client' ? 'CREATE' : 'UPDATE',
    resource: { type: 'oauth_client', id: client, slug: null, ...about, collection: null },
    diff: Object.entries(facts).map(([name, value]) => ({ op: 'add' as const, path: `/${name}`, value })),
    ip: asker.ip,
    user_agent: asker.userAgent,
    request_id: asker.requestId,
    outcome: denied === undefined ? 'ok' : 'denied',
    error: denied ?? null,
  })
}
