import type { Principal } from '../access/principal.ts'
import { type Clock, toTime } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import type { AuditEntry } from '../model/audit.ts'
import { NOUNS } from '../model/common.ts'
import type { Resource } from '../store/ports/config.ts'
import type { Operation, Subject, Via } from './define.ts'

/** How an operation ended, for its entry. */
export interface Ending {
  readonly outcome: AuditEntry['outcome']
  /** HTTP status that the caller gets. */
  readonly status: number
  readonly error?: string
  readonly detail?: string
  readonly diff?: AuditEntry['diff']
  readonly before?: number | null
  readonly after?: number | null
  readonly configRevision?: number | null
  /** Where it is not that of the operation. */
  readonly action?: AuditEntry['action']
  /** Ties the entries of one change of many resources. */
  readonly planId?: string | undefined
}

/** What callers say of themselves is kept up to this length; the rest says nothing more. */
const USER_AGENT_CHARS_MAX = 512

const ACTIONS = {
  read: 'READ',
  create: 'CREATE',
  update: 'UPDATE',
  act: 'UPDATE',
  delete: 'DELETE',
} as const

/** The line of the trail for one operation. */
export function toAuditEntry(
  operation: Operation,
  principal: Principal,
  via: Via,
  subject: Subject,
  reason: string | undefined,
  ending: Ending,
  clock: Clock,
): AuditEntry {
  return {
    id: newId('aud', clock),
    time: toTime(clock.now()),
    actor: {
      id: principal.id,
      type: principal.type,
      name: principal.name,
      auth_method: principal.authMethod,
    },
    agent: {
      name: via.agent?.name ?? null,
      version: via.agent?.version ?? null,
      session_id: via.agent?.sessionId ?? null,
      conversation_id: via.agent?.conversationId ?? null,
    },
    surface: via.surface,
    operation: `${operation.resource}.${operation.action}`,
    action:
      ending.action ??
      (ending.outcome === 'ok' && ending.before === null && ending.after === 1
        ? 'CREATE'
        : (operation.noted ?? ACTIONS[operation.effect])),
    resource: {
      type: subject.type,
      id: subject.id,
      slug: subject.slug,
      collection: subject.collection ?? null,
    },
    revision_before: ending.before ?? null,
    revision_after: ending.after ?? null,
    config_revision: ending.configRevision ?? null,
    ...(ending.planId === undefined ? {} : { plan_id: ending.planId }),
    diff: ending.diff ?? [],
    reason: reason ?? null,
    http: via.http && { ...via.http, status: ending.status },
    ip: via.ip,
    user_agent: via.userAgent?.slice(0, USER_AGENT_CHARS_MAX) ?? null,
    request_id: via.requestId,
    outcome: ending.outcome,
    error: ending.error ?? null,
    detail: ending.detail ?? null,
    count: 1,
  }
}

/** What the entry names, as the handler found it. */
export function toSubject(resource: Resource): Subject {
  return {
    type: NOUNS[resource.type],
    id: resource.id,
    slug: resource.slug,
    collection: collectionOf(resource),
  }
}

function collectionOf(resource: Resource): string | null {
  if (resource.type === 'collections') return resource.id
  return resource.type === 'proxies' ? resource.parent : null
}
