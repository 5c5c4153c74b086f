import { z } from 'zod'
import { toTime } from '../../base/clock.ts'
import { type CredentialAuth, previousUntil } from '../../model/api/credential.ts'
import { Ref } from '../../model/members.ts'
import type { StoredSecret } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { about, define } from '../engine/define.ts'
import { toMinute } from '../profiles/tokens.ts'
import { expiryOf, rotationDueAt, secretChangedAt } from './expiry.ts'
import { credentialKind, judge, lastTestOf, STATES } from './kind.ts'

const USERS_MAX = 100

export const getCredentialState = define({
  resource: 'credentials',
  action: 'state',
  effect: 'read',
  tool: 'get_credential_state',
  group: credentialKind.group,
  summary: 'Show the state of a credential: expiry, last use, last test and users of it; never the secret',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: z.string(),
    type: z.string(),
    state: z
      .enum(STATES)
      .describe(
        'unresolved: a secret cannot be read from its source; failing: the last test failed; expiring: within 7 days',
      ),
    reason: z.string().nullable().describe('Why it is unresolved or failing'),
    expires_at: z.string().nullable(),
    secret_changed_at: z.string().nullable().describe('null for one that is read elsewhere'),
    rotation_due_at: z
      .string()
      .nullable()
      .describe('When its secret is as old as rotate_every says; null where that is not set or not known'),
    previous_until: z
      .string()
      .nullable()
      .describe('End of the overlap in which the previous secret is used if the current one is refused'),
    last_used_at: z.string().nullable().describe('Time of the last call with it, to the minute'),
    last_test: z.object({ time: z.string(), summary: z.string() }).nullable(),
    used_by: z.array(z.string()).describe('Such as collections/orders'),
  }),
  permission: 'credentials:read',
  refuses: ['not_found'],
  columns: ['slug', 'type', 'state', 'reason', 'expires_at', 'last_used_at'],
  ...about(credentialKind),
  handle: async (input, context) => {
    const credential = await context.find('credentials', input.id)
    const { id, slug, spec } = credential
    // Stored by the schema of this type.
    const auth = spec['auth'] as CredentialAuth
    const expires = expiryOf(spec)
    const secrets = await context.reader.secretsOf([id])
    const test = await lastTestOf(id, context)
    const users = await context.reader.usersOf(id)
    return {
      id,
      slug,
      type: auth.type,
      ...judge(credential, test, context),
      expires_at: expires,
      secret_changed_at: secretChangedAt(credential, secrets),
      rotation_due_at: rotationDueAt(credential, secrets),
      previous_until: previousEnd(secrets, context.clock.now()),
      last_used_at: toMinute((await context.credentials.uses()).get(id) ?? null),
      last_test: test === undefined ? null : { time: test.time, summary: test.detail ?? '' },
      used_by: users.slice(0, USERS_MAX).map(nameOf),
    }
  },
})

/** When what it was before a rotation ends; null when there is nothing, or it has ended. */
function previousEnd(secrets: readonly StoredSecret[], now: number): string | null {
  const ends = secrets.map(({ field }) => previousUntil(field)).find((until) => until !== null && until > now)
  return ends === undefined || ends === null ? null : toTime(ends)
}

const nameOf = ({ type, slug }: Resource): string => `${type}/${slug}`
