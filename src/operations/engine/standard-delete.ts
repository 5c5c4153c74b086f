import { z } from 'zod'
import { refuse } from '../../base/refusal.ts'
import { Ref, Slug } from '../../model/members.ts'
import { type ResourceType, typesBelow, withArticle } from '../../model/resource-types.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import { about, define, type Operation } from './define.ts'
import type { Kind } from './kind.ts'
import { referredTo } from './refs.ts'

/** What belongs to it goes with it. `detach` lets go of what else depends on it, or refuses with in_use. */
export function deleteOf(
  kind: Kind,
  detach: (resource: Resource, context: OperationContext) => Promise<void> = async () => {},
): Operation {
  return define({
    resource: kind.type,
    action: 'delete',
    effect: 'delete',
    tool: `delete_${kind.noun}`,
    group: kind.group,
    summary: `Delete ${withArticle(kind.noun)}; needs confirm with its slug`,
    input: z.strictObject({ id: Ref }),
    output: z.object({
      id: z.string(),
      slug: Slug,
      deleted: z.literal(true),
      removed: z.array(z.string()).describe('Resources that were deleted with it, as type/parent:slug'),
      detached: z
        .array(z.string())
        .describe('Resources that lost their reference to or from it, as type/slug or type/parent:slug'),
    }),
    permission: `${kind.type}:delete`,
    refuses: [
      'not_found',
      'confirmation_required',
      'revision_conflict',
      'in_use',
      'configuration_invalid',
      'idempotency_conflict',
    ],
    columns: ['id', 'slug', 'deleted', 'removed', 'detached'],
    ...about(kind),
    handle: async (input, context) => {
      const resource = await context.change.act(kind.type, input.id)
      context.change.confirmed(resource)
      await detach(resource, context)
      await removeBelow(resource, context)
      await context.change.remove(resource)
      const { id, slug } = resource
      return { id, slug, deleted: true as const, ...(await letGo(kind, resource, context)) }
    },
  })
}

/** Removes what belongs to a resource, and what belongs to that. */
async function removeBelow({ type, id }: Resource, context: OperationContext): Promise<void> {
  for (const below of typesBelow(type))
    for (const one of await context.whole.all(below, id)) {
      await removeBelow(one, context)
      await context.change.remove(one)
    }
}

/** What went with a resource that is deleted, and what was attached to it; said in its audit entry too. */
async function letGo(
  kind: Kind,
  resource: Resource,
  { change, reader }: OperationContext,
): Promise<{ removed: string[]; detached: string[] }> {
  const { others } = change
  const parents = await reader.slugs([...new Set(others.flatMap(({ was }) => was.parent ?? []))])
  const nameOf = ({ type, parent, slug }: Resource): string =>
    `${type}/${parent === null ? '' : `${parents.get(parent) ?? resource.slug}:`}${slug}`
  const removed = others.filter(({ isGone }) => isGone).map(({ was }) => nameOf(was))
  const users = others.flatMap(({ was, isGone }) => (isGone ? [] : was))
  const detached = [...users, ...(await referredTo(reader, kind, resource.spec))].map(nameOf)
  const sentences = [...sentence('Removed', removed), ...sentence('Detached', detached)]
  if (sentences.length > 0) change.finding = sentences.join(' ')
  return { removed, detached }
}

const NAMED_MAX = 20

function sentence(done: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : ''
  return [`${done} ${names.slice(0, NAMED_MAX).join(', ')}${more}.`]
}

/** Refuses with in_use, naming what refers to the resource; @param of only those of one of these types */
export async function refuseUsed(
  resource: Resource,
  context: OperationContext,
  of?: readonly ResourceType[],
): Promise<void> {
  const usersIn = async ({ usersOf }: Pick<OperationContext['whole'], 'usersOf'>) =>
    (await usersOf(resource.id)).filter(({ type }) => of?.includes(type) ?? true)
  const users = await usersIn(context.whole)
  if (users.length === 0) return
  const seen = await usersIn(context.reader)
  const names = seen.slice(0, 20).map((user) => `${user.type}/${user.slug}`)
  const by = [...names, ...(users.length > names.length ? ['others'] : [])]
  throw refuse('in_use', {
    detail: `"${resource.slug}" is used by ${by.join(', ')}. Detach it first.`,
    members: { used_by: names },
  })
}
