import { z } from 'zod'
import { type Clock, toTime } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { withStorable } from '../../base/json/storable.ts'
import { maskText } from '../../base/text/mask.ts'
import { refersTo } from '../annotations.ts'
import { SURFACES } from '../record.ts'
import { Diff } from './approval.ts'

/** One line of the trail: who did what to which thing, from where, and how it ended. */
export const AuditEntry = z.object({
  id: z.string(),
  time: z.string(),
  environment: z.string().nullable().describe('Environment of the instance (POSTERN_ENV) at that time'),
  actor: z.object({
    id: z.string(),
    type: z.enum(['user', 'service', 'system', 'anonymous']),
    name: z.string(),
    auth_method: z.string().describe('Authentication method of the actor'),
  }),
  agent: z
    .object({
      name: z.string().nullable(),
      version: z.string().nullable(),
      session_id: z.string().nullable(),
      conversation_id: z.string().nullable(),
    })
    .describe('Declared by an AI agent, not verified'),
  surface: z.enum(SURFACES),
  operation: z.string().describe('resource.action, such as collections.update'),
  action: z.enum(['CREATE', 'UPDATE', 'DELETE', 'READ']),
  resource: z.object({
    type: z.string(),
    id: z.string().nullable(),
    slug: z.string().nullable(),
    collection: z.string().meta(refersTo('collections')).nullable(),
  }),
  revision_before: z.int().nullable(),
  revision_after: z.int().nullable(),
  config_revision: z.int().nullable().describe('Revision of the whole configuration after the change'),
  diff: Diff.describe('JSON patch with the old values; secrets as "changed"'),
  plan_id: z.string().optional().describe('Id shared by the entries of one change of many resources'),
  reason: z.string().nullable(),
  approver: z
    .object({ id: z.string(), type: z.enum(['user', 'service', 'system']), name: z.string() })
    .nullable()
    .describe('Approver of the change, if it needed approval'),
  http: z.object({ method: z.string(), url: z.string(), status: z.int() }).nullable(),
  ip: z.string().nullable(),
  user_agent: z.string().nullable(),
  request_id: z.string().nullable(),
  outcome: z.enum(['ok', 'denied', 'failed']),
  error: z.string().nullable().describe('Problem code'),
  detail: z.string().nullable(),
  request: z
    .json()
    .optional()
    .describe(
      'Request, with secrets masked and long values cut; null if it could not be parsed. Lists include it with bodies',
    ),
  response: z.json().optional().describe('Response, masked and cut the same way; null for reads'),
  count: z.int().min(1).describe('More than 1 if refusals of unauthenticated callers were aggregated'),
})
export type AuditEntry = z.infer<typeof AuditEntry>

/** Characters that an entry keeps of each text. docs/audit.md shows them. */
export const AUDIT_CHARS_MAX = {
  /** What callers say of themselves: name, agent, session, conversation. */
  name: 256,
  userAgent: 512,
  /** Of a resource that was asked for, which may be anything. */
  ref: 256,
  url: 2048,
  /** Reason and detail. */
  text: 2000,
  /** One value of the diff, as JSON, and the whole diff. */
  value: 16_384,
  diff: 65_536,
  /** The same for entries of callers who have not signed in. */
  anonymousValue: 1000,
  anonymousDiff: 4000,
} as const

type KnownMembers = Pick<AuditEntry, 'actor' | 'surface' | 'operation' | 'action' | 'resource'> &
  Partial<AuditEntry>

/**
 * An entry of this moment. Omitted members are null; the defaults are one successful call that changed nothing. Every text is
 * cut at its bound, with a mark that says how long it was. U+FFFD stands for characters that no store keeps: callers name
 * themselves, their agents and what they ask for.
 */
export function newAuditEntry(clock: Clock, known: KnownMembers): AuditEntry {
  const { actor, agent, resource, http } = known
  const isAnonymous = actor.type === 'anonymous'
  return withStorable({
    id: newId('aud', clock),
    time: toTime(clock.now()),
    environment: null,
    revision_before: null,
    revision_after: null,
    config_revision: null,
    approver: null,
    ip: null,
    request_id: null,
    outcome: 'ok',
    error: null,
    count: 1,
    ...known,
    actor: { ...actor, id: cut(actor.id, AUDIT_CHARS_MAX.name), name: cut(actor.name, AUDIT_CHARS_MAX.name) },
    agent: {
      name: cutOrNull(agent?.name, AUDIT_CHARS_MAX.name),
      version: cutOrNull(agent?.version, AUDIT_CHARS_MAX.name),
      session_id: cutOrNull(agent?.session_id, AUDIT_CHARS_MAX.name),
      conversation_id: cutOrNull(agent?.conversation_id, AUDIT_CHARS_MAX.name),
    },
    resource: { ...resource, id: maskedRef(resource.id), slug: maskedRef(resource.slug) },
    diff: boundedDiff(
      known.diff ?? [],
      isAnonymous ? AUDIT_CHARS_MAX.anonymousValue : AUDIT_CHARS_MAX.value,
      isAnonymous ? AUDIT_CHARS_MAX.anonymousDiff : AUDIT_CHARS_MAX.diff,
    ),
    reason: maskedText(known.reason),
    detail: maskedText(known.detail),
    http: http == null ? null : { ...http, url: cut(maskText(http.url), AUDIT_CHARS_MAX.url) },
    user_agent: maskedText(known.user_agent, AUDIT_CHARS_MAX.userAgent),
    request: known.request ?? null,
    response: known.response ?? null,
  })
}

function maskedText(text: string | null | undefined, max: number = AUDIT_CHARS_MAX.text): string | null {
  return text == null ? null : cut(maskText(text), max)
}

/** Of what was asked for as a resource, and may be anything: a slug or an id is itself. Denied before it was parsed, it may be absent. */
function maskedRef(ref: string | null | undefined): string | null {
  if (ref == null) return null
  const isPlain = /^([a-z0-9][a-z0-9:.-]*|[a-z]{2,4}_[0-9a-z]{26})$/.test(ref)
  return cut(isPlain ? ref : maskText(ref), AUDIT_CHARS_MAX.ref)
}

function cutOrNull(text: string | null | undefined, max: number): string | null {
  return text == null ? null : cut(text, max)
}

/** The text, or its beginning with a mark that says how long it was; at most `max` UTF-16 units. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text
  const mark = `… (${text.length} characters)`
  return text.slice(0, Math.max(0, max - mark.length)) + mark
}

/** A diff of which each value has at most `valueMax` characters of JSON, and all together about `diffMax`. */
function boundedDiff(diff: AuditEntry['diff'], valueMax: number, diffMax: number): AuditEntry['diff'] {
  let room = diffMax
  const bounded = <T extends AuditEntry['diff'][number]['value']>(value: T): T | string => {
    const json = JSON.stringify(value)
    const most = Math.max(0, Math.min(valueMax, room))
    room -= Math.min(json.length, most)
    return json.length <= most ? value : shortened(value, json, most)
  }
  const kept: AuditEntry['diff'] = []
  for (const { path, from, value, ...change } of diff) {
    if (room <= 0) break
    room -= path.length
    kept.push({
      ...change,
      path: cut(path, AUDIT_CHARS_MAX.url),
      ...(from === undefined ? {} : { from: bounded(from) }),
      ...(value === undefined ? {} : { value: bounded(value) }),
    })
  }
  const more = diff.length - kept.length
  return more === 0 ? kept : [...kept, { op: 'replace', path: '', value: `… and ${more} more changes` }]
}

/** The beginning of a text, or of the JSON of anything else. */
function shortened(value: unknown, json: string, max: number): string {
  return cut(typeof value === 'string' ? value : json, Math.min(max, json.length - 1))
}
