import { NOUNS } from '../../model/common.ts'
import { PolicySpec } from '../../model/policy.ts'
import { type Kind, viewSchema } from '../kind.ts'
import { truth } from '../truth.ts'

export const policyKind: Kind = {
  type: 'policies',
  noun: NOUNS.policies,
  prefix: 'pol',
  group: 'manage_policies',
  spec: PolicySpec,
  view: viewSchema(PolicySpec),
  columns: ['slug', 'name', 'active', 'revision', 'updated_at'],
  parent: null,
  refs: [],
  staged: false,
  filters: { active: truth },
}
