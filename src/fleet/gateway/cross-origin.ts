/**
 * CORS for reserved paths. Gateway threads answer preflights and add CORS lines to responses, also to responses of the
 * control plane. `base/http/origins` decides which origins are allowed.
 */

import { DOORS, doorAt, isAtOrBelow } from '../../base/doors.ts'
import type { AllowsOrigin } from '../../base/http/origins.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { fieldValue, ORIGIN } from '../../gateway/request-headers.ts'
import type { Incoming } from '../../wire/port.ts'

/** What pages may read of a response beside its body; clients of MCP need the first two. */
const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, ETag, Location, Retry-After, X-Request-ID'
/** `*` stands for all others, but never for Authorization (Fetch section 3.2.6). */
const HEADERS =
  'Authorization, Content-Type, Accept, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID, X-Client-ID, X-Profile-ID, *'
const PREFLIGHT =
  `Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\nAccess-Control-Allow-Headers: ${HEADERS}\r\n` +
  'Access-Control-Max-Age: 3600\r\n'
const VARY = 'Vary: Origin\r\n'
const VARY_PREFLIGHT = 'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n'

export interface CrossOriginOptions<State> {
  /** Pages that may call `/mcp`. */
  readonly gateway: AllowsOrigin
  /** Pages that may call management. */
  readonly management: AllowsOrigin
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string, more?: string) => void
}

/** The CORS protocol (Fetch section 3.2) for reserved paths that take bearer tokens. Cookies are never let in by it. */
export interface CrossOrigin<State> {
  /**
   * Answers a preflight, and refuses a call of management REST by a page that may not call it. The endpoints of MCP refuse
   * such a page themselves, in their own form.
   * @returns true when it has answered.
   */
  answers(incoming: Incoming<State>): boolean
  /** Header lines of the response to a page that may read it; empty for all others. */
  linesOf(incoming: Incoming<State>): string
}

export function createCrossOrigin<State>(options: CrossOriginOptions<State>): CrossOrigin<State> {
  const { refuse } = options
  const allowed = { gateway: options.gateway, management: options.management }

  function allowsAt(path: string): AllowsOrigin | null {
    const cors = doorAt(path)?.cors ?? null
    return cors === null ? null : allowed[cors]
  }

  return {
    answers(incoming) {
      const { path, method, pass } = incoming
      const origin = incoming.taken[ORIGIN]
      const allows = origin === undefined ? null : allowsAt(path)
      if (allows === null || origin === undefined) return false
      const isAllowed = allows(origin)
      const isPreflight =
        method === 'OPTIONS' && fieldValue(pass, 'access-control-request-method') !== undefined
      if (isPreflight && isAllowed)
        incoming.answer(204, `Access-Control-Allow-Origin: ${origin}\r\n${PREFLIGHT}${VARY_PREFLIGHT}`, '')
      else if (!isAllowed && (isPreflight || isAtOrBelow(path, DOORS.managementRest.path)))
        refuse(
          incoming,
          'permission_denied',
          'Pages of this Origin may not call this endpoint. POSTERN_CORS_ORIGINS lists the origins that may.',
          VARY,
        )
      else return false
      return true
    },
    linesOf({ path, taken }) {
      const origin = taken[ORIGIN]
      if (origin === undefined || allowsAt(path)?.(origin) !== true) return ''
      return `Access-Control-Allow-Origin: ${origin}\r\nAccess-Control-Expose-Headers: ${EXPOSED}\r\n${VARY}`
    },
  }
}
