import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'
import { calledBy } from '../engine/refs.ts'

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
      reason: `${await calledBy(context.reader, policy)} is inactive: it limits nothing until it is switched on`,
    },
  ]
}

/** That a policy which is off is attached, and where. */
export async function warnOfAttachments(policy: Resource, context: OperationContext): Promise<Warning[]> {
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
