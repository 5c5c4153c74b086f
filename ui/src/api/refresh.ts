import { notifyManager, type Query, type QueryClient } from '@tanstack/react-query'

/**
 * Asks again for everything that the page shows, after a change: first for the resources, then for what belongs to the
 * state that they have now. A part that left the page with the change, such as the health of a collection that is no
 * longer published, is not asked for.
 * @param deleted kind of a resource that the change has deleted: its page is about to be left, and asks for it no more
 */
export async function refreshPage(queries: QueryClient, deleted: string | null = null): Promise<void> {
  const isGone = ({ queryKey: [name] }: Query): boolean =>
    deleted !== null && String(name).startsWith(`${deleted}.`) && !String(name).endsWith('.list')
  await queries.invalidateQueries({ refetchType: 'none' })
  await queries.refetchQueries({
    type: 'active',
    predicate: (query) => isResource(query) && !isGone(query),
  })
  // The page is drawn again before this is called: parts that are gone no longer listen
  await new Promise<void>((resolve) => notifyManager.schedule(resolve))
  await queries.refetchQueries({ type: 'active', predicate: (query) => !isResource(query) && !isGone(query) })
}

function isResource({ queryKey }: Query): boolean {
  return String(queryKey[0]).endsWith('.get')
}
