import { type FieldError, refuse } from '../../base/refusal.ts'
import { limitsOf, PolicySpec } from '../../model/api/policy.ts'
import { LIMITS_MAX } from '../../model/bounds.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind, Warning } from '../engine/kind.ts'
import { viewSchema } from '../engine/kind-schema.ts'
import { booleanFilter } from '../engine/lists.ts'
import { calledBy } from '../engine/refs.ts'
import { standardOf, toggleOf } from '../engine/standard.ts'
import { refuseUsed } from '../engine/standard-delete.ts'

export const policyKind: Kind<'policies'> = {
  type: 'policies',
  noun: NOUNS.policies,
  prefix: 'pol',
  group: 'manage_policies',
  about: 'A policy limits requests: rates, quotas and concurrency.',
  tools: 'Policies: limits of rate, quota and concurrency.',
  example: { name: 'Gold', limits: [{ name: 'minute', kind: 'rate', max: 100, window: '1m' }] },
  spec: PolicySpec,
  view: viewSchema(PolicySpec),
  columns: ['slug', 'name', 'active', 'limits.name', 'updated_at'],
  sections: {
    info: ['name', 'slug', 'description', 'tags', 'active'],
    limits: ['limits', 'rate', 'quota', 'x_ratelimit', 'accuracy', 'on_store_failure'],
  },
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
      errors.push({ pointer: `/${name}`, reason: `limits already contains the name "${name}"` })
  if (limitsOf(spec).length > LIMITS_MAX)
    errors.push({ pointer: '/limits', reason: `at most ${LIMITS_MAX}, the short form included` })
  if (errors.length > 0)
    throw refuse('input_invalid', { detail: 'The limits contradict each other.', errors })
}

export const policyOperations = { ...standardOf(policyKind, refuseUsed), toggle: toggleOf(policyKind) }

const NAMED_MAX = 20

/** That the policy which is attached to a resource limits nothing. */
export async function warnOfInactivePolicy(
  { spec, draft }: Resource,
  context: OperationContext,
): Promise<Warning[]> {
  const id = (draft ?? spec)['policy']
  const policy = typeof id === 'string' ? await context.whole.byId('policies', id) : undefined
  if (policy === undefined || policy.spec['active'] !== false) return []
  return [
    {
      pointer: '/policy',
      reason: `${await calledBy(context.reader, policy)} is inactive: it limits nothing until it is activated`,
    },
  ]
}

/** That a policy which is off is attached, and where. */
async function warnOfAttachments(policy: Resource, context: OperationContext): Promise<Warning[]> {
  if (policy.spec['active'] !== false) return []
  const users = await context.whole.usersOf(policy.id)
  if (users.length === 0) return []
  const seen = (await context.reader.usersOf(policy.id)).slice(0, NAMED_MAX)
  const names = [
    ...seen.map(({ type, slug }) => `${type}/${slug}`),
    ...(users.length > seen.length ? ['others'] : []),
  ]
  return [
    {
      pointer: '/active',
      reason: `the policy "${policy.slug}" is inactive and limits nothing where it is attached: ${names.join(', ')}`,
    },
  ]
}
