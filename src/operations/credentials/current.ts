import { z } from 'zod'
import type { AuditEntry } from '../../model/access/audit.ts'
import { tellsFailure } from '../../model/api/credential-facts.ts'
import { EXPIRES_SOON_MS } from '../../model/bounds.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { toMinute } from '../profiles/tokens.ts'
import { expiryOf } from './expiry.ts'
import { rotationDueAt } from './rotation-due.ts'

export const STATES = ['ok', 'unresolved', 'expired', 'failing', 'expiring'] as const

/** What get and list show of how a credential is. */
export const currentCredentialShape = {
  state: z.enum(STATES).optional().describe('State, as in credentials.state. Shown by get and list'),
  ends_at: z
    .string()
    .nullable()
    .optional()
    .describe('The earlier of expires_at and the end of its certificate. Shown by get and list'),
  rotation_due_at: z
    .string()
    .nullable()
    .optional()
    .describe('When its secret is as old as rotate_every says. Shown by get and list'),
  last_used_at: z
    .string()
    .nullable()
    .optional()
    .describe('Last call with it, to the minute. Shown by get and list'),
}

/** How credentials are now, by id. Of one alone its last test is looked up, of many among the last thousand. */
export async function currentCredentials(credentials: readonly Resource[], context: OperationContext) {
  const uses = await context.credentials.uses()
  const rotated = credentials.filter(({ spec }) => spec['rotate_every'] != null).map(({ id }) => id)
  const secrets = rotated.length === 0 ? [] : await context.reader.secretsOf(rotated)
  const byOwner = Map.groupBy(secrets, ({ owner }) => owner)
  const [only] = credentials
  const tests =
    credentials.length === 1 && only !== undefined
      ? new Map([[only.id, await lastTestOf(only.id, context)]])
      : await lastTests(context)
  return new Map(
    credentials.map((credential) => {
      const { state } = judge(credential, tests.get(credential.id), context)
      const shown = {
        state,
        ends_at: expiryOf(credential.spec),
        rotation_due_at: rotationDueAt(credential, byOwner.get(credential.id) ?? []),
        last_used_at: toMinute(uses.get(credential.id) ?? null),
      }
      return [credential.id, shown] as const
    }),
  )
}

const TESTS = { resource_type: NOUNS.credentials, operation: 'credentials.test', outcome: 'ok' }
/** Tests that a list looks back. */
const TESTS_MAX = 1000

/** The last time that a credential was tried. */
export async function lastTestOf(id: string, { whole }: OperationContext): Promise<AuditEntry | undefined> {
  return (await whole.auditEntries({ ...TESTS, limit: 1, resource: id })).items[0]
}

/** The last time that each credential was tried, by id. */
async function lastTests({ whole }: OperationContext): Promise<ReadonlyMap<string, AuditEntry>> {
  const { items } = await whole.auditEntries({ ...TESTS, limit: TESTS_MAX })
  // Newest first
  return new Map(
    items.toReversed().flatMap((entry) => (entry.resource.id === null ? [] : [[entry.resource.id, entry]])),
  )
}

/** How a credential is at the moment, and why it is not well. */
export function judge(
  { id, spec, revision }: Resource,
  test: AuditEntry | undefined,
  { credentials, clock }: OperationContext,
): { readonly state: (typeof STATES)[number]; readonly reason: string | null } {
  const fault = credentials.faultOf(id)
  if (fault !== null) return { state: 'unresolved', reason: fault }
  const expires = expiryOf(spec)
  const left = expires === null ? Number.POSITIVE_INFINITY : Date.parse(expires) - clock.now()
  if (left <= 0) return { state: 'expired', reason: null }
  // Of what the credential is now
  const finding = test?.revision_after === revision ? (test.detail ?? '') : ''
  if (tellsFailure(finding)) return { state: 'failing', reason: finding }
  return { state: left <= EXPIRES_SOON_MS ? 'expiring' : 'ok', reason: null }
}
