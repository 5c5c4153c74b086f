import { notifyManager, type Query, type QueryClient } from '@tanstack/react-query'

/**
 * Asks again for everything that the page shows, after a change: first for the resources, then for what belongs to the
 * state that they have now. A part that left the page with the change, such as the health of a collection that is no
 * longer published, is not asked for.
 */
export async function refreshPage(queries: QueryClient): Promise<void> {
  await queries.invalidateQueries({ refetchType: 'none' })
  await queries.refetchQueries({ type: 'active', predicate: isResource })
  // The page is drawn again before this is called: parts that are gone no longer listen
  await new Promise<void>((resolve) => notifyManager.schedule(resolve))
  await queries.refetchQueries({ type: 'active', predicate: (query) => !isResource(query) })
}

function isResource({ queryKey }: Query): boolean {
  return String(queryKey[0]).endsWith('.get')
}
