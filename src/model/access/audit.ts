import { z } from 'zod'
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
