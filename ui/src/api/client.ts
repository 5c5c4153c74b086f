/** How the console calls Management REST: the client, its failures, the session of the person, and the operations. */

import about from 'virtual:about'
import rows from 'virtual:operations'
import loaders from 'virtual:schemas'
import {
  keepPreviousData,
  notifyManager,
  type Query,
  type QueryClient,
  queryOptions,
  type UseQueryResult,
  useQuery,
} from '@tanstack/react-query'
import { createNamedClient, ProblemError, WaitsForApproval } from '../../../src/surfaces/client/send.ts'
import type { Operations } from '../../../src/surfaces/client/types.ts'
import type { OperationRow, ResourceSchemas } from '../../build/document.ts'
import { giveUp } from '../kit/leave-guard.ts'

export { ProblemError, toProblemBody } from '../../../src/surfaces/client/send.ts'

export type OperationName = keyof Operations
export type Input<N extends OperationName> = Operations[N]['input']
export type Output<N extends OperationName> = Operations[N]['output']

/** Told when the session has ended, so that the shell can ask for a new sign-in without losing what is on the page. */
let onSignedOut: () => void = () => {}

export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell
}

/** @param isSession a refusal of the request means that the session has ended */
export async function sessionFetch(
  input: RequestInfo | URL,
  init: RequestInit = {},
  { isSession = true }: { readonly isSession?: boolean } = {},
): Promise<Response> {
  const response = await reachingFetch(input, { ...init, credentials: 'same-origin' })
  if (response.status === 401 && isSession) onSignedOut()
  return response
}

/**
 * The session is a cookie that scripts cannot read. Management REST accepts it only with this header, which no other site can
 * send, and only from pages of its own origin.
 */
export const client = createNamedClient({
  url: location.origin,
  headers: { 'x-postern-console': '1' },
  fetch: (input, init) => sessionFetch(input, init),
})

export type Answer = Awaited<ReturnType<typeof client.call>>
export type DiffEntry = NonNullable<Answer['diff']>[number]
export type WriteOptions = NonNullable<Parameters<typeof client.call>[2]>

// Whether Postern answers: each request of the console tells it.

export interface Reach {
  readonly isReached: boolean
  /** When the last answer came, milliseconds since 1970. */
  readonly lastAnswer: number
}

let reach: Reach = { isReached: true, lastAnswer: Date.now() }
const reachListeners = new Set<() => void>()

function setReach(next: Reach): void {
  const isNews = next.isReached !== reach.isReached
  reach = next
  if (isNews) for (const tell of reachListeners) tell()
}

export function reachNow(): Reach {
  return reach
}

/** `tell` is called when Postern no longer answers, and when it does again. */
export function onReach(tell: () => void): () => void {
  reachListeners.add(tell)
  return () => reachListeners.delete(tell)
}

/** `fetch`, which notes whether an answer came. A request that the page itself gave up says nothing. */
async function reachingFetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    const response = await fetch(input, init)
    setReach({ isReached: true, lastAnswer: Date.now() })
    return response
  } catch (error) {
    if (init?.signal?.aborted !== true) setReach({ ...reach, isReached: false })
    throw error
  }
}

// Failures, and changes that wait.

/** A failure as a page shows it. */
export interface Fault {
  readonly title: string
  readonly detail: string
  /** Code of the problem, or null if no answer of Postern came. */
  readonly code: string | null
  readonly requestId: string | null
  readonly status: number | null
  /** Faults of single members, by JSON pointer into the input. */
  readonly fields: readonly { readonly pointer: string; readonly reason: string }[]
}

/** Any error of a call as a {@link Fault}. */
export function faultOf(error: unknown): Fault {
  if (error instanceof ProblemError) {
    const { title, detail, code, request_id: requestId, status, errors } = error.problem
    return { title, detail, code, requestId, status, fields: errors }
  }
  const detail = error instanceof Error ? error.message : String(error)
  return { title: 'No response', detail, code: null, requestId: null, status: null, fields: [] }
}

/** True if two failures say the same, such as of a filter that two questions of a page have. */
export function isSameFault(one: Fault, other: Fault): boolean {
  return (
    one.code === other.code &&
    one.detail === other.detail &&
    JSON.stringify(one.fields) === JSON.stringify(other.fields)
  )
}

/** The change request that a write has become, as the server answers it. */
export interface WaitingChange {
  readonly id: string
  /** Names of the approval rules that apply. */
  readonly rules: readonly string[]
  /** The first entries of the difference. */
  readonly diff: readonly DiffEntry[]
  /** Entries of the whole difference. */
  readonly diff_entries: number
}

/** The change request that a write has become, if it waits for another person; otherwise null. */
export function waitingChange(error: unknown): WaitingChange | null {
  // Management REST answers the request as `change_requests.get` does
  return error instanceof WaitsForApproval ? (error.body['change_request'] as WaitingChange) : null
}

// The session of the person: one for all tabs of the browser.

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
    throw new Error(`Could not check whether you are signed in (status ${response.status}). Try again.`)
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
  if (!ok) throw new Error(`The sign-out failed with status ${status}.`)
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

// The operations that there are, with their schemas and the answers of those that only read.

interface CallOptions {
  readonly enabled?: boolean
  /** Milliseconds after which the operation is called again. */
  readonly again?: number
  /** The answer to the input before is shown until the next one is there. */
  readonly isKept?: boolean
}

/** Calls an operation that only reads, unless the person may not call it. The answer is kept by name and input. */
export function useCall<N extends OperationName>(
  name: N,
  input: Input<N>,
  { enabled = true, again, isKept = false }: CallOptions = {},
): UseQueryResult<Output<N>> {
  const may = useMay()
  return useQuery<Output<N>>({
    queryKey: [name, input],
    queryFn: async ({ signal }) => (await client.call(name, input, { signal })).body,
    enabled: enabled && may(name),
    ...(again !== undefined && { refetchInterval: again }),
    ...(isKept && { placeholderData: keepPreviousData as never }),
  })
}

export type { OperationRow }

/** Row of an operation, or null if the server has no such operation. */
export function operation(name: string): OperationRow | null {
  return rows[name] ?? null
}

/** Rows of the operations of a resource, by action. */
export function operationsOf(resource: string): readonly OperationRow[] {
  return Object.values(rows).filter((row) => row.resource === resource)
}

export function nameOf(row: OperationRow): OperationName {
  // Rows and types are printed from the same document
  return `${row.resource}.${row.action}` as OperationName
}

export const ALL_OPERATIONS: readonly OperationRow[] = Object.values(rows)

/** Schemas of a resource, loaded once; undefined while they load, null if there is no such resource. */
export function useSchemas(resource: string): ResourceSchemas | null | undefined {
  return useQuery({
    queryKey: ['schemas', resource],
    queryFn: async () => (await loaders[resource]?.())?.default ?? null,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  }).data
}

/** What a resource is for, in a sentence; empty where the OpenAPI document has none. */
export function aboutOf(resource: string): string {
  return about[resource] ?? ''
}
