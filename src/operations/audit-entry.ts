import type { Principal } from '../access/principal.ts'
import type { Clock } from '../base/clock.ts'
import type { AuditEntry } from '../model/audit.ts'
import { NOUNS } from '../model/common.ts'
import { newAuditEntry } from '../model/new-audit-entry.ts'
import type { Resource } from '../store/ports/config.ts'
import type { Operation, Subject, Via, WriteOptions } from './define.ts'
import { masked, type Told, toTold } from './told.ts'
import { fromWriteOptions } from './write-options.ts'

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
  /** See {@link toTold}; absent where another entry of the same change tells it. */
  readonly request?: Told
  readonly response?: Told
}

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
  return newAuditEntry(clock, {
    ...toCaller(principal, via),
    operation: `${operation.resource}.${operation.action}`,
    action:
      ending.action ??
      (ending.outcome === 'ok' && ending.before === null && ending.after === 1
        ? 'CREATE'
        : (operation.noted ?? ACTIONS[operation.effect])),
    resource: toResource(subject),
    revision_before: ending.before ?? null,
    revision_after: ending.after ?? null,
    config_revision: ending.configRevision ?? null,
    ...(ending.planId === undefined ? {} : { plan_id: ending.planId }),
    diff: (ending.diff ?? []).map(maskedDiff),
    reason: reason ?? null,
    approver: via.approver ?? null,
    http: via.http && { ...via.http, status: ending.status },
    outcome: ending.outcome,
    error: ending.error ?? null,
    detail: ending.detail ?? null,
    request: ending.request ?? null,
    response: ending.response ?? null,
  })
}

/** Values of a difference may hold what people should not have written there. */
function maskedDiff({ op, path, from, value }: AuditEntry['diff'][number]): AuditEntry['diff'][number] {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return {
    op,
    path,
    ...(from === undefined ? {} : { from: masked(from, name) }),
    ...(value === undefined ? {} : { value: masked(value, name) }),
  }
}

/** What was asked, with the options as they are sent; the reason has a place of its own. */
export function requestOf({
  operation,
  input,
  options,
}: {
  readonly operation: Operation
  /** Parsed: what was not understood may hold anything. */
  readonly input: Readonly<Record<string, unknown>>
  readonly options: WriteOptions
}): Told {
  const { reason, ...others } = fromWriteOptions(options)
  return toTold({ ...input, ...others }, operation.input)
}

/** Who called, and from where, as the trail names them. */
export function toCaller(
  { id, type, name, authMethod }: Pick<Principal, 'id' | 'type' | 'name' | 'authMethod'>,
  { agent, surface, ip, userAgent, requestId }: Via,
): Pick<AuditEntry, 'actor' | 'agent' | 'surface' | 'ip' | 'user_agent' | 'request_id'> {
  return {
    actor: { id, type, name, auth_method: authMethod },
    agent: {
      name: agent?.name ?? null,
      version: agent?.version ?? null,
      session_id: agent?.sessionId ?? null,
      conversation_id: agent?.conversationId ?? null,
    },
    surface,
    ip,
    user_agent: userAgent,
    request_id: requestId,
  }
}

/** A subject as the trail names it. */
export function toResource({ type, id, slug, collection = null }: Subject): AuditEntry['resource'] {
  return { type, id, slug, collection }
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
