import type { Resource } from '../../store/ports/config.ts'
import type { OperationContext } from '../context.ts'
import { deleteOf, refuseUsed } from '../delete-resource.ts'
import { collectionKind } from './kind.ts'

/** Takes its proxies and the assignments of clients and profiles with it. */
export const deleteCollection = deleteOf(collectionKind, async (collection, context) => {
  const users = await context.whole.usersOf(collection.id)
  // A grant that lost the last of its collections would reach all of them
  if (users.some(({ type }) => type === 'grants')) await refuseUsed(collection, context)
  for (const user of users) await unassign(user, collection.id, context)
  for (const proxy of await context.whole.all('proxies', collection.id)) await context.change.remove(proxy)
})

async function unassign(user: Resource, id: string, context: OperationContext): Promise<void> {
  // Only clients and profiles refer to a collection without being below it, each by a list.
  const collections = (user.spec['collections'] as readonly string[]).filter((one) => one !== id)
  await context.change.replace(user, { spec: { ...user.spec, collections } })
}
