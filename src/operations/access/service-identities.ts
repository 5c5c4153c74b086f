import { ServiceIdentitySpec } from '../../model/access.ts'
import { NOUNS } from '../../model/common.ts'
import { toggleOf } from '../crud.ts'
import { type Kind, viewSchema } from '../kind.ts'
import { standardOf } from '../standard.ts'
import { truth } from '../truth.ts'
import { demandHoldsOf } from './authority.ts'
import { issueSecretOf } from './issue-secret.ts'

/** A machine that administers: a pipeline, a script, a service. What it may do stands in grants, who it is in trust rules. */
export const serviceIdentityKind: Kind = {
  type: 'service_identities',
  noun: NOUNS.service_identities,
  prefix: 'svc',
  group: 'manage_access',
  spec: ServiceIdentitySpec,
  view: viewSchema(ServiceIdentitySpec),
  columns: ['slug', 'name', 'active', 'updated_at'],
  parent: null,
  refs: [],
  staged: false,
  filters: { active: truth },
  // Whoever holds the private key is it
  check: async (spec, { id }, context) => {
    // The schema of this kind has parsed it.
    if ((spec as ServiceIdentitySpec).keys.length > 0) await demandHoldsOf(id, context)
  },
}

export const SERVICE_IDENTITY_OPERATIONS = [
  ...standardOf(serviceIdentityKind, async (identity, context) => {
    for (const type of ['grants', 'trust_rules'] as const)
      for (const below of await context.whole.all(type, identity.id)) await context.change.remove(below)
  }),
  issueSecretOf(serviceIdentityKind),
  toggleOf(serviceIdentityKind, ({ id }, context) => demandHoldsOf(id, context)),
]
