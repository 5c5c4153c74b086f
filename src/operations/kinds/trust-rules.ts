import { TrustRuleSpec } from '../../model/access/access.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { demandHoldsOf } from '../access/authority.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { standardOf } from '../engine/standard.ts'

/** Which tokens of workloads stand for a service identity, so that pipelines store no secret. */
export const trustRuleKind: Kind<'trust_rules'> = {
  type: 'trust_rules',
  noun: NOUNS.trust_rules,
  prefix: 'tru',
  group: 'manage_access',
  spec: TrustRuleSpec,
  view: viewSchema(TrustRuleSpec),
  columns: ['slug', 'service_identity', 'issuer', 'audience', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags'],
    token: ['service_identity', 'issuer', 'jwks_url', 'audience', 'conditions'],
  },
  parent: { field: 'service_identity', type: 'service_identities' },
  refs: [],
  staged: false,
  filters: {},
  asks: (spec) => {
    const { issuer, jwks_url } = spec
    return [
      // Beside a URL for its keys it is a name that tokens have
      { pointer: '/issuer', url: jwks_url === null ? issuer : null },
      { pointer: '/jwks_url', url: jwks_url },
    ]
  },
  check: (_spec, self, context) => demandHoldsOf(self.parent!, context),
}

export const trustRuleOperations = standardOf(trustRuleKind)
