/**
 * Operations that set and change passwords. No interface publishes them, because the caller proves a set-up link or a
 * password, and no permission.
 */
import { z } from 'zod'
import type { Principal } from '../../access/principal.ts'
import type { Sender } from '../../access/sender.ts'
import { hasAdministrator, INVITATION_MS } from '../../access/set-up-links.ts'
import { type Clock, toTime } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import { GrantSpec, UserSpec } from '../../model/access/access.ts'
import { confidential } from '../../model/annotations.ts'
import { Ref, Slug, Time } from '../../model/members.ts'
import type { StoredSetUpLink } from '../../store/ports/config.ts'
import type { Via } from '../engine/call.ts'
import { about, define, type Invoke } from '../engine/define.ts'
import { createResource, parseSpec } from '../engine/write-resource.ts'
import { demandHoldsOf, grantKind } from '../grants/kind.ts'
import { userKind } from '../users/kind.ts'

/** What becomes of local users where they sign in: operations on no surface, for which something else was proved than a permission. */
export function createLocalUsers(clock: Clock, invoke: Invoke) {
  const viaOf = ({ ip, userAgent }: Sender): Via => {
    const requestId = newId('req', clock)
    return { surface: 'oauth', requestId, ip, userAgent, http: null, agent: null }
  }
  return {
    /** Makes the administrator that a link is for; refuses with not_found when it has been used. */
    async setUp(
      link: StoredSetUpLink,
      person: { readonly name: string; readonly email: string },
      hash: string,
      sender: Sender,
    ): Promise<void> {
      const door = doorOf('system', 'system', 'set-up link', 'set_up_link')
      await invoke(SET_UP, { ...person, link, hash }, {}, door, viaOf(sender))
    },

    /**
     * Ends the sessions and tokens that were issued for the user. Refuses with not_found when the link was used, or the
     * password changed, since it was proved.
     */
    async setPassword(
      user: { readonly id: string; readonly slug: string },
      proof: StoredSetUpLink | string,
      hash: string,
      sender: Sender,
    ): Promise<void> {
      const method = typeof proof === 'string' ? 'password' : 'set_up_link'
      const door = doorOf(user.id, 'user', user.slug, method)
      await invoke(SET_PASSWORD, { id: user.id, proof, hash }, {}, door, viaOf(sender))
    },
  }
}

/** For one operation on no surface: what was proved for it stands in the place of a permission. */
function doorOf(id: string, type: Principal['type'], name: string, authMethod: string): Principal {
  return { id, type, name, authMethod, grants: [{ role: 'admin' }], expiresAt: null }
}

const Link: z.ZodType<StoredSetUpLink> = confidential(
  'secret',
  z.strictObject({
    hash: z.string(),
    user: z.string().nullable(),
    purpose: z.enum(['first', 'reset', 'invite']),
    expires_at: z.int(),
  }),
)
const Hash = confidential('secret', z.string())

const SET_UP = define({
  resource: 'users',
  action: 'set_up',
  effect: 'act',
  tool: null,
  group: userKind.group,
  summary: 'Create an administrator with a password',
  input: z.strictObject({
    name: UserSpec.shape.name,
    email: UserSpec.shape.email.unwrap().unwrap(),
    link: Link,
    hash: Hash,
  }),
  output: z.object({ id: z.string() }),
  permission: 'users:create',
  refuses: ['not_found', 'already_exists'],
  columns: [],
  ...about(userKind),
  handle: async ({ name, email, link, hash }, context) => {
    const { change, clock } = context
    const now = clock.now()
    if (!(await change.writer.spendSetUpLink(link))) throw spent()
    if (link.purpose === 'first' && (await hasAdministrator(context.whole, now))) throw spent()
    const user = await createResource(context, userKind, parseSpec(UserSpec, { name, email }))
    const grant = { user: user.id, name: 'Administrator', role: 'admin' }
    const spec = parseSpec(GrantSpec, grant)
    const id = change.newId(grantKind)
    await change.insert(grantKind, { id, slug: 'administrator', parent: user.id, spec }, false)
    await change.writer.putPassword(user.id, hash, now)
    await change.note(user, { op: 'add', path: '/password', value: 'changed' })
    return { id: user.id }
  },
})

const SET_PASSWORD = define({
  resource: 'users',
  action: 'set_password',
  effect: 'act',
  tool: null,
  group: userKind.group,
  summary: 'Choose a password',
  input: z.strictObject({ id: z.string(), proof: z.union([Link, Hash]), hash: Hash }),
  output: z.object({ id: z.string() }),
  permission: 'users:update',
  refuses: ['not_found'],
  columns: [],
  ...about(userKind),
  handle: async ({ id, proof, hash }, { change, clock }) => {
    const user = await change.act('users', id)
    if (user.spec['active'] !== true || user.key !== null) throw spent()
    const known = await change.writer.password(id)
    const holds = typeof proof === 'string' ? known === proof : await change.writer.spendSetUpLink(proof)
    if (!holds) throw spent()
    await change.writer.putPassword(id, hash, clock.now())
    // Whoever knew the password before may be signed in
    await change.endSignIns(id)
    await change.note(user, {
      op: known === undefined ? 'add' : 'replace',
      path: '/password',
      value: 'changed',
    })
    return { id }
  },
})

function spent(): Refusal {
  return refuse('not_found', { detail: 'The link was already used, or has expired.' })
}

export const inviteUser = define({
  resource: 'users',
  action: 'invite',
  effect: 'act',
  tool: 'invite_user',
  group: userKind.group,
  summary: 'Create a one-time link, valid for 24 hours, with which a local user sets a password',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    id: z.string(),
    slug: Slug,
    set_up_url: confidential('secret', z.string())
      .optional()
      .describe('URL of the link; shown only in this response'),
    expires_at: Time,
  }),
  permission: 'users:update',
  refuses: [
    'not_found',
    'revision_conflict',
    'configuration_invalid',
    'idempotency_conflict',
    'secret_already_shown',
  ],
  revealsOnce: true,
  columns: ['slug', 'set_up_url', 'expires_at'],
  ...about(userKind),
  handle: async ({ id }, context) => {
    const user = await context.change.act('users', id)
    const fault = context.localSignIn === null ? 'local sign-in is off (LOCAL_SIGN_IN)' : faultOf(user)
    if (fault !== null || context.localSignIn === null)
      throw refuse('configuration_invalid', {
        detail: `"${user.slug}" cannot be invited: ${fault}.`,
        errors: [{ pointer: '/id', reason: String(fault) }],
      })
    // Who holds the link becomes them
    await demandHoldsOf(user.id, context)
    const expiresAt = context.clock.now() + INVITATION_MS
    const token = await context.change.secrets.issueSetUpLink(user, expiresAt)
    return {
      id: user.id,
      slug: user.slug,
      ...(token === undefined ? {} : { set_up_url: context.localSignIn.setUpUrl(token) }),
      expires_at: toTime(expiresAt),
    }
  },
})

function faultOf({
  key,
  spec,
}: {
  key: string | null
  spec: Readonly<Record<string, unknown>>
}): string | null {
  if (key !== null) return 'they sign in at their identity provider'
  return spec['active'] === true ? null : 'the user is inactive'
}
