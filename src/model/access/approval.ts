import { z } from 'zod'
import { Ref, Time } from '../members.ts'
import { GrantSpec, PERMISSIONS } from './access.ts'

/**
 * A JSON patch (RFC 6902) that also says what was before. Entries with `line` or `part` are for readers alone: they show long
 * texts piece by piece.
 */
export const Difference = z.object({
  op: z.enum(['add', 'remove', 'replace']),
  path: z.string(),
  from: z.json().optional(),
  value: z.json().optional(),
  item: z.string().optional().describe('Id, slug or name of the changed list item'),
  line: z.int().optional().describe('Long texts only: number of the first line in from and value'),
  part: z.string().optional().describe('Part of a text that is split into several entries, such as 2/3'),
})
export const Diff = z.array(Difference)

/** Verbs of permissions by which something is changed. */
const CHANGING = ['create', 'update', 'delete', 'publish', 'rotate']

/** Permissions that writes need and a rule may hold back. */
export const APPROVABLE: readonly string[] = PERMISSIONS.filter((permission) =>
  CHANGING.includes(permission.slice(permission.indexOf(':') + 1)),
)

/** The permissions that a pattern such as `proxies:update`, `*:delete` or `keys:*` means. */
export function permissionsMeant(pattern: string): readonly string[] {
  const [resource, verb] = pattern.split(':')
  return APPROVABLE.filter((permission) => {
    const [ownResource, ownVerb] = permission.split(':')
    return (resource === '*' || resource === ownResource) && (verb === '*' || verb === ownVerb)
  })
}

const Pattern = z
  .string()
  .regex(/^(\*|[a-z_]+):(\*|[a-z_]+)$/, 'a permission such as proxies:update, *:delete or keys:*')
  .superRefine((text, context) => {
    if (permissionsMeant(text).length > 0) return
    const [resource] = text.split(':')
    const own = permissionsMeant(`${resource}:*`)
    const there = own.length > 0 ? own : [...new Set(APPROVABLE.map((one) => `${one.split(':')[0]}:*`))]
    context.addIssue(`"${text}" is not a permission for changes; use one of ${there.join(', ')}`)
  })

const NAMES_MAX = 100

/** Which writes another person has to approve. */
export const ApprovalRule = z.strictObject({
  name: z.string().trim().min(1).max(120).describe('Name of the rule, shown when a write waits for approval'),
  permissions: z
    .array(Pattern)
    .min(1)
    .max(APPROVABLE.length)
    .describe(
      'Writes that need one of these permissions wait for approval, such as ["proxies:update", "*:delete"]',
    ),
  scope: GrantSpec.shape.scope.describe('Resources that the rule applies to. An empty list sets no limit'),
  subjects: z
    .strictObject({
      users: z.array(Ref).max(NAMES_MAX).default([]),
      teams: z.array(Ref).max(NAMES_MAX).default([]).describe('Members of the team and of its subteams'),
      service_identities: z.array(Ref).max(NAMES_MAX).default([]),
    })
    .prefault({})
    .describe('Requesters that the rule applies to. If all three lists are empty, it applies to everyone'),
})
export type ApprovalRule = z.output<typeof ApprovalRule>

/** `approved`: carried out when whoever asked repeats the call. */
export const CHANGE_REQUEST_STATES = ['open', 'approved', 'applied', 'rejected', 'expired'] as const

const Person = z.object({ id: z.string(), name: z.string() })

/** A write that waits for another person, or did. */
export const ChangeRequest = z.object({
  id: z.string(),
  state: z
    .enum(CHANGE_REQUEST_STATES)
    .describe('approved: runs when the requester repeats the same call; applied: done'),
  operation: z.string().describe('resource.action, such as proxies.update'),
  resource: z.object({
    type: z.string(),
    id: z.string().nullable(),
    slug: z.string().nullable(),
    parent: z
      .string()
      .nullable()
      .describe('Slug of the collection, client or host that it belonged to at the time of the request'),
  }),
  requester: Person.extend({ type: z.enum(['user', 'service', 'system']) }),
  rules: z.array(z.string()).describe('Names of the approval rules that apply'),
  reason: z.string().nullable(),
  diff: Diff.describe(
    'Proposed difference, secrets as "changed". A large change shows only the first entries; the operation diff shows all',
  ),
  diff_entries: z.int().describe('Number of entries in the whole difference'),
  base_revision: z.int().describe('Revision of the configuration that the change was checked against'),
  repeats: z
    .boolean()
    .describe('True if approval does not apply the change: the requester must repeat the call'),
  created_at: Time,
  expires_at: Time,
  decided_at: Time.nullable(),
  decided_by: Person.nullable().describe('User who approved or rejected it'),
  decision_reason: z.string().nullable(),
  config_revision: z.int().nullable().describe('Revision of the configuration that the change created'),
})
export type ChangeRequest = z.output<typeof ChangeRequest>
