import { CLIENT_SECRET } from '../../access/service-clients.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { ServiceIdentitySpec } from '../../model/access/access.ts'
import { Time } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { demandHoldsOf } from '../access/authority.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Self } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'

/** A program that administers Postern: a pipeline, a script, a service. Grants give it permissions, and trust rules identify it. */
export const serviceIdentityKind: Kind<'service_identities'> = {
  type: 'service_identities',
  noun: NOUNS.service_identities,
  prefix: 'svc',
  group: 'manage_access',
  spec: ServiceIdentitySpec,
  view: viewSchema(ServiceIdentitySpec, {
    secret_issued_at: Time.nullable()
      .optional()
      .describe('When its client secret was issued; null: it has none. Shown by get and list'),
  }),
  columns: ['slug', 'name', 'active', 'secret_issued_at', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    authentication: ['keys'],
  },
  parent: null,
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  current: async (identities, { reader }) => {
    const secrets = await reader.secretsOf(identities.map(({ id }) => id))
    const issued = new Map(
      secrets.flatMap(({ owner, field, updated_at }) =>
        field === CLIENT_SECRET ? [[owner, updated_at]] : [],
      ),
    )
    return new Map(identities.map(({ id }) => [id, { secret_issued_at: issued.get(id) ?? null }]))
  },
  check: judge,
}

/** Whoever holds the private key is it; and who lets it in again, or by another proof, could be who has that. */
async function judge(fields: Fields, { id }: Self, context: OperationContext): Promise<void> {
  // The schema of this kind has parsed both.
  const spec = fields
  const before = (await context.whole.byId('service_identities', id))?.spec
  const isRevived = spec.active && before?.active === false
  const isProvedElse = canonicalJson(spec.keys) !== canonicalJson(before?.keys ?? [])
  if (isRevived || isProvedElse) await demandHoldsOf(id, context)
}

async function detach(identity: Resource, context: OperationContext): Promise<void> {
  for (const type of ['grants', 'trust_rules'] as const)
    for (const below of await context.whole.all(type, identity.id)) await context.change.remove(below)
}

export const serviceIdentityOperations = {
  ...standardOf(serviceIdentityKind, detach),
  toggle: toggleOf(serviceIdentityKind, ({ id }, context) => demandHoldsOf(id, context)),
}
