import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { SIGN_IN_MEMBERS, type TeamSpec, UserSpec } from '../../model/access/access.ts'
import type { BindingSpec } from '../../model/access/host.ts'
import type { ProfileSpec } from '../../model/access/profile.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { demandHoldsOf } from '../grants/kind.ts'

/** A person who administers. Who signs in at an identity provider is made here by that. */
export const userKind: Kind<'users'> = {
  type: 'users',
  noun: NOUNS.users,
  prefix: 'usr',
  group: 'manage_access',
  about: 'People who sign in to administer the gateway or to use MCP endpoints.',
  example: { name: 'Ann', email: 'ann@example.com' },
  spec: UserSpec,
  fixed: SIGN_IN_MEMBERS,
  view: viewSchema(UserSpec),
  columns: ['slug', 'name', 'email', 'issuer', 'active', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'email', 'active'],
    identity: ['issuer', 'subject', 'groups', 'mapped_grants'],
  },
  refs: [],
  staged: false,
  filters: { active: booleanFilter, email: z.string().max(254), issuer: z.string().max(512) },
  // Stored by the schema of this type.
  keyOf: (spec) => signInKey(spec),
  check: judge,
}

/** By what someone who signs in is found; null for local users. */
export function signInKey({ issuer, subject }: Pick<UserSpec, 'issuer' | 'subject'>): string | null {
  return issuer === null || subject === null ? null : JSON.stringify([issuer, subject])
}

async function judge(spec: Fields, self: Self, context: OperationContext): Promise<void> {
  await demandHoldsOf(self.id, context)
  const { email } = spec as UserSpec
  if (email === null) return
  const holders = await context.whole.list({ type: 'users', limit: 2, where: { email } })
  if (holders.some(({ id }) => id !== self.id))
    throw refuse('already_exists', {
      detail: 'There is already a user with this email.',
      errors: [{ pointer: '/email', reason: 'already taken' }],
    })
}

/** A team, a profile or a binding that no longer names the user. Stored by the schemas of these types. */
export function withoutUser({ type, spec }: Resource, user: string): Fields {
  if (type === 'profiles') {
    const { agent_sign_in: among } = spec as ProfileSpec
    if (among === null) return spec
    return { ...spec, agent_sign_in: { ...among, users: among.users.filter((id) => id !== user) } }
  }
  if (type === 'bindings') {
    const { acts_for: among } = spec as BindingSpec
    if (among === null) return spec
    return { ...spec, acts_for: { ...among, users: among.users.filter((id) => id !== user) } }
  }
  return { ...spec, members: (spec as TeamSpec).members.filter((member) => member.user !== user) }
}

async function detach(user: Resource, context: OperationContext): Promise<void> {
  for (const naming of await context.whole.usersOf(user.id)) {
    const isBound = naming.type === 'bindings' && naming.spec['user'] === user.id
    if (isBound) await context.change.remove(naming)
    else await context.change.replace(naming, { spec: withoutUser(naming, user.id) })
  }
}

export const userOperations = {
  ...standardOf(userKind, detach),
  toggle: toggleOf(userKind, ({ id }, context) => demandHoldsOf(id, context)),
}
