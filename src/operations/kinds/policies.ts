import { type FieldError, refuse } from '../../base/refusal.ts'
import { limitsOf, PolicySpec } from '../../model/api/policy.ts'
import { LIMITS_MAX } from '../../model/bounds.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Kind } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { warnOfAttachments } from '../policies/inactive.ts'

export const policyKind: Kind<'policies'> = {
  type: 'policies',
  noun: NOUNS.policies,
  prefix: 'pol',
  group: 'manage_policies',
  spec: PolicySpec,
  view: viewSchema(PolicySpec),
  columns: ['slug', 'name', 'active', 'limits.name', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    limits: ['limits', 'rate', 'quota', 'x_ratelimit'],
  },
  parent: null,
  refs: [],
  staged: false,
  filters: { active: booleanFilter },
  check: async (spec) => checkShortForm(PolicySpec.parse(spec)),
  warn: warnOfAttachments,
}

/** The short form and the list are one set of limits: their names must differ, and together they are bounded. */
function checkShortForm(spec: PolicySpec): void {
  const errors: FieldError[] = []
  for (const name of ['rate', 'quota'] as const)
    if (spec[name] != null && spec.limits.some((limit) => limit.name === name))
      errors.push({ pointer: `/${name}`, reason: `limits has one named "${name}" already` })
  if (limitsOf(spec).length > LIMITS_MAX)
    errors.push({ pointer: '/limits', reason: `at most ${LIMITS_MAX}, the short form included` })
  if (errors.length > 0) throw refuse('input_invalid', { detail: 'The limits do not fit together.', errors })
}

export const policyOperations = { ...standardOf(policyKind, refuseUsed), toggle: toggleOf(policyKind) }
