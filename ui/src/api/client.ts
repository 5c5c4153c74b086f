import { createNamedClient, ProblemError, WaitsForApproval } from '../../../src/surfaces/client/client.ts'
import type { Operations } from '../../../src/surfaces/client/types.ts'

export { ProblemError, WaitsForApproval }

export type OperationName = keyof Operations
export type Input<N extends OperationName> = Operations[N]['input']
export type Output<N extends OperationName> = Operations[N]['output']

/** Told when the session has ended, so that the shell can ask for a new sign-in without losing what is on the page. */
let onSignedOut: () => void = () => {}

export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell
}

/**
 * The session is a cookie that scripts cannot read. Management REST accepts it only with this header, which no other site can
 * send, and only from pages of its own origin.
 */
async function sessionFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.delete('authorization')
  headers.delete('user-agent')
  headers.set('x-postern-console', '1')
  const response = await fetch(input, { ...init, headers, credentials: 'same-origin' })
  if (response.status === 401) onSignedOut()
  return response
}

export const client = createNamedClient({ url: location.origin, token: '', fetch: sessionFetch })

export type Answer = Awaited<ReturnType<typeof client.call>>
export type DiffEntry = NonNullable<Answer['diff']>[number]
export type WriteOptions = NonNullable<Parameters<typeof client.call>[2]>
