import { z } from 'zod'
import { AuditEntry } from '../../model/audit.ts'
import { NOUNS, Time } from '../../model/common.ts'
import { SURFACES } from '../../model/record.ts'
import type { AuditFilter } from '../../store/ports/config.ts'
import { fromCursor, page, pageOf, toCursor } from '../crud.ts'
import { define } from '../define.ts'
import { findRef } from '../refs.ts'

const text = z.string().min(1).max(200)

/** The word of the trail for a resource type; the plural of the API is understood too. */
const SINGULAR: Readonly<Record<string, string>> = { ...NOUNS, access_tokens: 'access_token' }

export const listAudit = define({
  resource: 'audit',
  action: 'list',
  effect: 'read',
  tool: 'list_audit_logs',
  group: 'query_audit',
  summary: 'Search the audit trail, newest first',
  input: z.strictObject({
    ...page,
    resource_type: text.optional().describe('Such as collection'),
    resource: text.optional().describe('Id or slug'),
    action: z.enum(['CREATE', 'UPDATE', 'DELETE', 'READ']).optional(),
    actor: text.optional().describe('Id or name'),
    operation: text.optional().describe('Such as collections.update'),
    surface: z.enum(SURFACES).optional(),
    outcome: z.enum(['ok', 'denied', 'failed']).optional(),
    collection: text.optional().describe('Id or slug: the collection itself and what belongs to it'),
    text: text.optional().describe('Part of any text in the entry'),
    from: Time.optional().describe('Not before, such as 2026-05-01T00:00:00Z'),
    to: Time.optional().describe('Before, such as 2026-05-02T00:00:00Z'),
  }),
  output: pageOf(AuditEntry),
  permission: 'audit:read',
  refuses: [],
  columns: ['time', 'actor.name', 'surface', 'operation', 'resource.slug', 'outcome'],
  subject: () => ({ type: 'audit', id: null, slug: null }),
  handle: async ({ cursor, resource_type, collection, from, to, ...rest }, context) => {
    // The slug that a collection has now also means its entries from before it had it.
    const known =
      collection === undefined ? undefined : await findRef(context.reader, 'collections', collection)
    const filter = {
      ...rest,
      before: cursor === undefined ? undefined : Number(fromCursor(cursor, /^[0-9]{1,15}$/)),
      resource_type: resource_type && (SINGULAR[resource_type] ?? resource_type),
      collection: known?.id ?? collection,
      from: from && new Date(from).toISOString(),
      to: to && new Date(to).toISOString(),
    }
    const { items, next } = await context.reader.auditEntries(defined(filter))
    return { items: [...items], next_cursor: next === null ? null : toCursor(String(next)) }
  },
})

/** Drops members that are undefined. */
function defined(filter: { [K in keyof AuditFilter]: AuditFilter[K] | undefined }): AuditFilter {
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined),
  ) as unknown as AuditFilter
}
