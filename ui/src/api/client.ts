import { createNamedClient } from '../../../src/surfaces/client/send.ts'
import type { Operations } from '../../../src/surfaces/client/types.ts'
import { reachingFetch } from './reach.ts'

export { ProblemError, toProblemBody, WaitsForApproval } from '../../../src/surfaces/client/send.ts'

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
