import { z } from 'zod'
import { SEALED_CHARS_MAX, sessionNameOf } from '../../base/crypto/sealing.ts'
import { refuse } from '../../base/refusal.ts'
import { AuditEntry } from '../../model/access/audit.ts'
import { refersTo } from '../../model/annotations.ts'
import { HttpMethod } from '../../model/members.ts'
import { SURFACES } from '../../model/record.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { AuditFilter } from '../../store/ports/config.ts'
import type { OperationContext } from '../engine/context.ts'
import { define } from '../engine/define.ts'
import { booleanFilter, page, pageOf, period, timeCursors, timeOrder, toPeriod } from '../engine/lists.ts'
import { findRef } from '../engine/refs.ts'

const text = z.string().min(1).max(200)

/** The word of the trail for a resource type; the plural of the API is understood too. */
const SINGULAR: ReadonlyMap<string, string> = new Map([
  ...Object.entries(NOUNS),
  ['access_tokens', 'access_token'],
])

const CHANGES = ['CREATE', 'UPDATE', 'DELETE'] as const
const STATUSES = /^[1-5]([0-9]{2}|xx)( *, *[1-5]([0-9]{2}|xx)){0,19}$/

/** Members by which entries are found. */
export const auditFilters = {
  resource_type: text.optional().describe('Such as collection'),
  resource: text.optional().describe('Id or slug'),
  action: z
    .enum([...CHANGES, 'READ', 'CHANGE'])
    .optional()
    .describe('CHANGE matches CREATE, UPDATE and DELETE'),
  actor: text.optional().describe('Id or name'),
  approver: text.optional().describe('Id or name of the approver'),
  actor_type: AuditEntry.shape.actor.shape.type.optional(),
  auth_method: text.optional().describe('Authentication method of the actor, such as access_token'),
  agent: text.optional().describe('Name that the AI agent declared'),
  agent_version: text.optional(),
  session_id: z
    .string()
    .min(1)
    .max(SEALED_CHARS_MAX)
    .optional()
    .describe('MCP session of the agent: its id as the client sends it, or the hash that entries have'),
  conversation_id: text.optional(),
  operation: text.optional().describe('Such as collections.update'),
  surface: z.enum(SURFACES).optional(),
  outcome: z.enum(['ok', 'denied', 'failed']).optional(),
  error: text.optional().describe('Problem code, such as permission_denied'),
  status: z
    .union([z.int().transform(String), z.string()])
    .refine(
      (given) => STATUSES.test(given),
      'a status such as 403, a class such as 4xx, or several with commas',
    )
    .optional()
    .describe('HTTP status: 403, 4xx, or several separated by commas'),
  method: HttpMethod.optional().describe('Of the HTTP request'),
  path_contains: text.optional().describe('Part of the path and query of the HTTP request'),
  ip: text.optional(),
  user_agent: text.optional().describe('Part of the user agent'),
  request_id: text.optional(),
  plan_id: text.optional().describe('Entries of one change of many resources'),
  revision: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Revision of the resource, before or after the change'),
  config_revision: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Revision of the configuration that the change created'),
  diff: text.optional().describe('Part of the difference, such as the name of a member'),
  request: text.optional().describe('Part of the request'),
  response: text.optional().describe('Part of the response'),
  detail: text.optional().describe('Part of the detail text'),
  reason: text.optional().describe('Part of the reason that was given'),
  collection: text
    .meta(refersTo('collections'))
    .optional()
    .describe('Id or slug: the collection itself and what belongs to it'),
  text: text.optional().describe('Part of any text in the entry'),
  ...period,
}

export const listAudit = define({
  resource: 'audit',
  action: 'list',
  effect: 'read',
  tool: 'list_audit_logs',
  group: 'query_audit',
  summary: 'Search the audit trail',
  input: z.strictObject({
    ...page,
    ...auditFilters,
    order: timeOrder('newest'),
    bodies: booleanFilter.optional().describe('Include requests and responses'),
  }),
  output: pageOf(AuditEntry),
  permission: 'audit:read',
  refuses: [],
  columns: ['time', 'actor.name', 'surface', 'operation', 'resource.slug', 'outcome'],
  subject: () => ({ type: 'audit', id: null, slug: null }),
  handle: async (input, context) => {
    const { cursor, limit, order, ...asked } = input
    const cursors = timeCursors('newest', order, '[0-9]{1,15}')
    const last = cursors.from(cursor)
    const filter = {
      ...(await toAuditFilter(asked, context)),
      ...(last !== undefined && { last: Number(last) }),
      order,
      limit,
    }
    const { items, next } = await context.reader.auditEntries(filter)
    return { items: [...items], next_cursor: next === null ? null : cursors.to(String(next)) }
  },
})

/** What was asked as the store is asked for it: the collection by id, times absolute. */
export async function toAuditFilter(
  input: z.output<z.ZodObject<typeof auditFilters>>,
  context: OperationContext,
): Promise<Omit<AuditFilter, 'limit'>> {
  const { resource_type, collection, action, status, session_id, from, to, ...rest } = input
  // The slug that a collection has now also means its entries from before it had it.
  const known =
    collection === undefined ? undefined : await findRef(context.reader, 'collections', collection)
  return defined({
    ...rest,
    resource_type: resource_type && (SINGULAR.get(resource_type) ?? resource_type),
    collection: known?.id ?? collection,
    session_id: session_id && sessionNameOf(session_id),
    actions: action && (action === 'CHANGE' ? CHANGES : [action]),
    statuses: status === undefined ? undefined : statusesOf(status),
    ...toPeriod({ from, to }, context),
  })
}

function statusesOf(text: string): AuditFilter['statuses'] {
  const parts = text.split(',').map((part) => part.trim())
  return {
    exact: parts.filter((part) => !part.endsWith('xx')).map(Number),
    hundreds: parts.filter((part) => part.endsWith('xx')).map((part) => Number(part[0])),
  }
}

/** Drops members that are undefined. */
function defined(filter: { [K in Exclude<keyof AuditFilter, 'limit'>]?: AuditFilter[K] | undefined }) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as Omit<
    AuditFilter,
    'limit'
  >
}

export const getAudit = define({
  resource: 'audit',
  action: 'get',
  effect: 'read',
  tool: 'get_audit_log',
  group: 'query_audit',
  summary: 'Show an audit entry with its difference',
  input: z.strictObject({ id: z.string().min(1).max(64) }),
  output: AuditEntry,
  permission: 'audit:read',
  refuses: ['not_found'],
  columns: ['time', 'actor.name', 'surface', 'operation', 'resource.slug', 'outcome', 'reason'],
  subject: ({ id }) => ({ type: 'audit', id, slug: null }),
  handle: async ({ id }, context) => {
    const entry = await context.reader.auditEntry(id)
    if (entry === undefined) throw refuse('not_found', { detail: `There is no audit entry "${id}".` })
    return entry
  },
})
