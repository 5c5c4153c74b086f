/** Errors of origins, as their callers get them: each era and revision has codes of its own. */
import type { RpcError } from '../origin/answer.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay.ts'
import { URL_NEEDED, URL_NEEDED_VERSION } from './connect-page.ts'
import { isPageUrl } from './input-requests.ts'

/** The client lacks a capability (2026-07-28, basic: error codes). */
export const MISSING_CAPABILITY = -32021
/** No resource has the URI (2025-11-25, server/resources: error handling). */
const RESOURCE_NOT_FOUND = -32002

/** Errors that only make sense between Postern and an origin, or not in every revision. */
const STAYS: ReadonlySet<number> = new Set([
  RPC.headerMismatch,
  RPC.unsupportedVersion,
  MISSING_CAPABILITY,
  URL_NEEDED,
])

/** The answer to a client that has not declared what the call needs. */
export function answerUndeclared(requiredCapabilities: Members): RelayedAnswer {
  return {
    kind: 'error',
    code: MISSING_CAPABILITY,
    message: 'The call needs a capability that the client has not declared',
    data: { requiredCapabilities },
    status: 400,
  }
}

/**
 * The error that a caller gets for an error of an origin. An error that concerns only Postern and the origin is not passed on.
 * @param asked the URI of resources/read at the origin, and as the caller gave it; null for another method
 */
export function errorFor(
  { code, message, data: given }: RpcError,
  { isModern, version }: Pick<RelayedRequest, 'isModern' | 'version'>,
  isModernOrigin: boolean,
  asked: { readonly own: string; readonly name: string } | null,
): RelayedAnswer {
  const namesAsked = asked !== null && isMembers(given) && given['uri'] === asked.own
  const data = namesAsked ? { ...given, uri: asked.name } : given
  if (code === MISSING_CAPABILITY && isModern && isModernOrigin)
    return { kind: 'error', code, message, data, status: 400 }
  const pages = code === URL_NEEDED && !isModernOrigin ? pagesIn(data) : null
  if (pages !== null && version === URL_NEEDED_VERSION)
    return { kind: 'error', code, message, data: { elicitations: pages } }
  if (STAYS.has(code))
    return { kind: 'error', code: RPC.internalError, message: `The origin refused the request: ${message}` }
  // Each era has its own code for a resource that is not there
  const own = code === RESOURCE_NOT_FOUND && isModern ? RPC.invalidParams : code
  return { kind: 'error', code: own, message, ...(data === undefined ? {} : { data }) }
}

/** The pages that a client is asked to open; null when one of them is none. */
export function pagesIn(data: unknown): readonly Members[] | null {
  const given: unknown = isMembers(data) ? data['elicitations'] : null
  if (!Array.isArray(given)) return null
  const pages = (given as readonly unknown[]).filter(isMembers)
  return pages.length === given.length && pages.every(({ url }) => isPageUrl(url)) ? pages : null
}
