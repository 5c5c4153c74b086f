import { notifyManager, type Query, type QueryClient, queryOptions, useQuery } from '@tanstack/react-query'
import { giveUp } from '../kit/leave-guard.ts'
import { client, type Output } from './client.ts'
import { reachingFetch } from './reach.ts'

export type Session = Output<'whoami.show'>

/** Whose pages this tab shows; null before the first answer. */
let person: string | null = null

/**
 * The signed-in person, and the operations that the server would let them call on at least one resource. It is asked for whenever the
 * tab is looked at again: all tabs have one cookie, and another one may have signed in somebody else.
 */
export const sessionQuery = queryOptions({
  queryKey: ['whoami.show'],
  queryFn: async () => {
    const { body } = await client.call('whoami.show', { operations: true })
    // Nothing that one person has seen or entered stays for another
    if (person !== null && person !== body.id) {
      giveUp()
      location.reload()
      return new Promise<never>(() => {})
    }
    person = body.id
    return body
  },
  staleTime: 60_000,
  refetchOnWindowFocus: 'always',
  retry: false,
})

export function useSession(): Session | null {
  return useQuery(sessionQuery).data ?? null
}

/**
 * True if the person may call the operation on at least one resource, as the server says. Without an answer: false. Whether they
 * may call it on a certain resource, only the call itself tells.
 */
export function useMay(): (operation: string) => boolean {
  const session = useSession()
  return (operation) => session?.operations?.includes(operation) === true
}

/** True if this browser has a session. Rejects if no answer says so: an overloaded Postern has not signed anybody out. */
export async function isSignedIn(): Promise<boolean> {
  const response = await reachingFetch('/console/session', { headers: { 'x-postern-console': '1' } })
  const answer: unknown = await response.json().catch(() => null)
  const told = (answer as { readonly signed_in?: unknown } | null)?.signed_in
  if (!response.ok || typeof told !== 'boolean')
    throw new Error(`Postern does not say whether you are signed in (status ${response.status}). Try again.`)
  return told
}

/** Where a sign-in starts that comes back to this page. */
export function signInUrl(): string {
  const here = location.pathname + location.search
  return `/console/login?return_to=${encodeURIComponent(here)}`
}

/** Rejects if no answer says that the session has ended. */
export async function signOut(): Promise<void> {
  const { ok, status } = await fetch('/console/logout', {
    method: 'POST',
    headers: { 'x-postern-console': '1' },
  })
  if (!ok) throw new Error(`The sign-out was answered ${status}.`)
  giveUp()
  location.assign('/console/')
}

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
