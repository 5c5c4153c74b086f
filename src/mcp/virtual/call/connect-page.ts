/** Tells a client to send its person to the page that connects an account at an origin. */
import { randomUUID } from 'node:crypto'
import type { Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { isPageUrl, offers } from '../input/input-requests.ts'

/** A page must be opened first; 2025-11-25 alone has it (client/elicitation). */
export const URL_NEEDED = -32042
export const URL_NEEDED_VERSION = '2025-11-25'

/** What is known of a call that is made again, after its client was asked to open a page. */
export interface Retried {
  /** How often the client was asked. */
  readonly round: number
  /** The person did not open the page. */
  readonly hasDeclined: boolean
}

/** A page, and what the person reads before it is opened. */
interface Page {
  readonly url: string
  readonly message: string
}

/**
 * The page to ask a client of 2026-07-28 for, or the answer to one of 2025-11-25. Null for a client that gets the refusal as it is: there is
 * no page, the client opens none, or the person did not open it.
 * @param problem object of `connect_required` @param origin name @param retried null for a call that is made for the first time
 */
export function connectPage(
  { connect_url: url }: Members,
  origin: string,
  { version, isModern, clientCapabilities, params }: RelayedRequest,
  retried: Retried | null,
): Page | RelayedAnswer | null {
  if (!isPageUrl(url) || !offers(clientCapabilities, 'elicitation', 'url')) return null
  const message = `Connect your account at ${origin}, then continue.`
  if (!isModern) {
    if (version !== URL_NEEDED_VERSION) return null
    const elicitations = [{ mode: 'url', elicitationId: randomUUID(), url, message }]
    return { kind: 'error', code: URL_NEEDED, message, data: { elicitations } }
  }
  // The state and the answers that an origin waits for would be lost
  const isOfOrigin = retried === null && params['requestState'] !== undefined
  return isOfOrigin || retried?.hasDeclined === true ? null : { url, message }
}
