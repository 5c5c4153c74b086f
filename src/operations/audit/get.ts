import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { AuditEntry } from '../../model/audit.ts'
import { define } from '../engine/define.ts'

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
