import { type Clock, toTime } from '../base/clock.ts'
import { newId } from '../base/ids.ts'
import { maskText } from '../base/mask.ts'
import type { AuditEntry } from './audit.ts'

/** What callers say of themselves is kept up to this length; the rest says nothing more. */
const USER_AGENT_CHARS_MAX = 512

type Told = Pick<AuditEntry, 'actor' | 'surface' | 'operation' | 'action' | 'resource'> & Partial<AuditEntry>

/** An entry of this moment. What is not told is null; it went well, once, and changed nothing. */
export function newAuditEntry(clock: Clock, told: Told): AuditEntry {
  return {
    id: newId('aud', clock),
    time: toTime(clock.now()),
    environment: null,
    agent: { name: null, version: null, session_id: null, conversation_id: null },
    revision_before: null,
    revision_after: null,
    config_revision: null,
    diff: [],
    approver: null,
    ip: null,
    request_id: null,
    outcome: 'ok',
    error: null,
    count: 1,
    ...told,
    resource: { ...told.resource, id: maskedRef(told.resource.id), slug: maskedRef(told.resource.slug) },
    reason: maskedText(told.reason),
    detail: maskedText(told.detail),
    http: told.http == null ? null : { ...told.http, url: maskText(told.http.url) },
    user_agent: maskedText(told.user_agent?.slice(0, USER_AGENT_CHARS_MAX)),
    request: told.request ?? null,
    response: told.response ?? null,
  }
}

function maskedText(text: string | null | undefined): string | null {
  return text == null ? null : maskText(text)
}

/** Of what was asked for as a resource, and may be anything: a slug or an id is itself. */
function maskedRef(ref: string | null): string | null {
  return ref === null || /^([a-z0-9][a-z0-9:.-]*|[a-z]{2,4}_[0-9a-z]{26})$/.test(ref) ? ref : maskText(ref)
}
