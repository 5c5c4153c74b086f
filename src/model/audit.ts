import { z } from 'zod'
import { Diff } from './diff.ts'
import { SURFACES } from './record.ts'

/** One line of the trail: who did what to which thing, from where, and how it ended. */
export const AuditEntry = z.object({
  id: z.string(),
  time: z.string(),
  environment: z.string().nullable().describe('Of the instance (POSTERN_ENV) when it was written'),
  actor: z.object({
    id: z.string(),
    type: z.enum(['user', 'service', 'system', 'anonymous']),
    name: z.string(),
    auth_method: z.string().describe('How the actor proved to be it'),
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
    collection: z.string().nullable(),
  }),
  revision_before: z.int().nullable(),
  revision_after: z.int().nullable(),
  config_revision: z.int().nullable().describe('Revision of the whole configuration after the change'),
  diff: Diff.describe('JSON patch with the old values; secrets as "changed"'),
  plan_id: z.string().optional().describe('Ties the entries of a change of many resources'),
  reason: z.string().nullable(),
  approver: z
    .object({ id: z.string(), type: z.enum(['user', 'service', 'system']), name: z.string() })
    .nullable()
    .describe('Who approved the change, where it needed another person'),
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
      'What was asked, with secrets masked and what is long cut; null where it was not understood. Lists have it with bodies',
    ),
  response: z.json().optional().describe('What was answered, likewise; null for what was read'),
  count: z.int().min(1).describe('More than 1 where refusals of unknown callers were aggregated'),
})
export type AuditEntry = z.infer<typeof AuditEntry>
