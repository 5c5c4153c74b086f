/**
 * Protects the origin that serves the pages of sign-in, consent and administration. A document of an upstream at such
 * a host gets a sandbox, decided by `Sec-Fetch-Dest` and by the media type, which the wire reads with the field
 * section. Cookies with the names of Postern are removed from new and from kept responses.
 */
import { ALL_DOORS, isAtOrBelow, outermost } from '../../base/doors.ts'
import { isOwnSetCookie } from '../../base/http/fields.ts'
import { hostName } from '../../snapshot/find/paths.ts'
import { withoutCookies } from '../../wire/answer-cookies.ts'
import { contentKind, kindFieldsOf, UNKNOWN } from '../../wire/content-kind.ts'
import { withoutFields } from '../../wire/port.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { fieldValues } from '../request-headers.ts'

/** Paths of the pages on which people sign in, agree and administer. */
const PAGES = outermost(ALL_DOORS.filter(({ hasPages }) => hasPages))

/**
 * Lower-case names that are removed from answers: a browser keeps what they say for all of the host or origin, the pages
 * included. What holds for one document alone (Reporting-Endpoints, Permissions-Policy, Refresh) stays.
 */
export const ORIGIN_FIELDS = [
  'accept-ch',
  'alt-svc',
  'clear-site-data',
  'expect-ct',
  'nel',
  'origin-agent-cluster',
  'public-key-pins',
  'report-to',
  'secure-session-registration',
  'service-worker-allowed',
  'set-login',
  'strict-transport-security',
] as const
const STRIPPED: ReadonlySet<string> = new Set(ORIGIN_FIELDS)

/** The document gets an origin of its own: it reads nothing of the pages, and sends no cookies to them. */
const SANDBOX = 'Content-Security-Policy: sandbox allow-scripts\r\n'
const NO_SNIFFING = 'X-Content-Type-Options: nosniff\r\n'
const BY_KIND = ['', SANDBOX, SANDBOX + NO_SNIFFING] as const
/** Where every kind has the sandbox already. */
const DOCUMENT_BY_KIND = ['', '', NO_SNIFFING] as const

/** Values of Sec-Fetch-Dest (Fetch Metadata) for what is shown as a document. */
const DOCUMENTS: ReadonlySet<string> = new Set([
  'document',
  'iframe',
  'frame',
  'fencedframe',
  'embed',
  'object',
])

/** @param dest the value of Sec-Fetch-Dest. */
export function isDocument(dest: string): boolean {
  return DOCUMENTS.has(dest.toLowerCase())
}

/** True for a path at which pages are served; it is one of the reserved paths. */
export function isPage(path: string): boolean {
  return PAGES.some((page) => isAtOrBelow(path, page))
}

/**
 * Whether the answer stands at an origin that also serves the pages. Collections with `hosts` have those to themselves, but for
 * the hosts of the gateway.
 */
export function sharesOrigin({ lane, collection, host }: Exchange): boolean {
  const { pageHosts } = lane
  if (pageHosts === null || collection === null) return false
  return collection.fragment.hosts.length === 0 || pageHosts.has(hostName(host))
}

/** The line for an answer that a browser asks for as a document, or nothing. */
export function documentLine(exchange: Exchange): string {
  return exchange.isDocument && sharesOrigin(exchange) ? SANDBOX : ''
}

/** Lines for an answer by what a browser makes of its type; see {@link documentLine} for the others. */
export function kindFields(exchange: Exchange): readonly [string, string, string] | undefined {
  if (!sharesOrigin(exchange)) return undefined
  return exchange.isDocument ? DOCUMENT_BY_KIND : BY_KIND
}

/** The same for an answer that is at hand. */
function kindLines(exchange: Exchange, status: number, fields: string): string {
  const lines = kindFields(exchange)
  if (lines === undefined) return ''
  const kinds = fieldValues(fields, 'content-type').map(contentKind)
  return kindFieldsOf(lines, status, kinds.find((kind) => lines[kind] !== '') ?? kinds[0] ?? UNKNOWN)
}

/**
 * The header lines with which an answer leaves that is at hand: gathered, changed by a guardrail, made by a workflow, or kept, perhaps at
 * another host or by an earlier version. What streams from an upstream to its caller is judged by the same names while the wire reads it
 * (`answerNames`, and `refusesCookie` of the pool).
 */
export function leavingFields(
  exchange: Exchange,
  { status, fields }: Pick<Reply, 'status' | 'fields'>,
): string {
  const own = sharesOrigin(exchange) ? withoutFields(fields, STRIPPED) : fields
  return withoutCookies(own, isOwnSetCookie) + kindLines(exchange, status, fields)
}
