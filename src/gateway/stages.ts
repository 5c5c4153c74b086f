import type { RefusalCode } from '../base/refusal.ts'
import { endpointAssigned, methodAllowed } from './admit/access.ts'
import { bodyFits } from './admit/body.ts'
import { limitsAdmit } from './admit/limits.ts'
import type { Exchange } from './exchange.ts'
import { findRoute, heldBackRoute } from './find/route.ts'
import { credentialReady } from './forward/credential.ts'
import { callerActive } from './identify/active.ts'
import { addressAllowed } from './identify/address.ts'
import { authenticate } from './identify/authenticate.ts'
import { identifyCaller } from './identify/caller.ts'
import { failuresBelowLimit } from './identify/throttle.ts'

/** Looks at one thing. Returns the code of its refusal, or null to go on. */
type Check = (exchange: Exchange) => RefusalCode | null

interface Row {
  /** Number of the check; records name it as `stopped_at`. */
  readonly number: number
  readonly name: string
  /** Requests over REST. */
  readonly rest: boolean
  /** Messages at `/mcp`. */
  readonly mcp: boolean
  /** Calls from within the process; the caller was proved by the message. */
  readonly call: boolean
  readonly check: Check
}

const row = (
  number: number,
  name: string,
  doors: { readonly rest: boolean; readonly mcp: boolean; readonly call: boolean },
  check: Check,
): Row => ({ number, name, ...doors, check })

const REST_CALL = { rest: true, mcp: false, call: true }
const REST_MCP = { rest: true, mcp: true, call: false }

/**
 * The order in which a request is judged; the first refusal ends it. Checks 1 to 3 are made on the bytes by the wire,
 * and by `canonicalTarget` for calls from within the process. After the last row the request is forwarded (17),
 * the answer gets its fields (18), and the record is written (19), also for what was refused.
 */
export const STAGES: readonly Row[] = [
  row(4, 'route', REST_CALL, findRoute),
  row(5, 'identify', REST_MCP, identifyCaller),
  row(6, 'active', REST_MCP, callerActive),
  row(7, 'address', REST_MCP, addressAllowed),
  row(8, 'failures', REST_MCP, failuresBelowLimit),
  row(9, 'authenticate', REST_MCP, authenticate),
  row(10, 'held-back route', REST_CALL, heldBackRoute),
  row(11, 'assignment', REST_CALL, endpointAssigned),
  row(12, 'method', REST_CALL, methodAllowed),
  row(1, 'declared body', REST_CALL, bodyFits),
  row(13, 'limits', REST_CALL, limitsAdmit),
  row(17, 'credential', REST_CALL, credentialReady),
]

/** Numbers of checks for refusals that come from outside of the list. */
export const WIRE = 1
export const CANONICAL = 3
export const ROUTE = 4
export const IDENTIFY = 5
export const METHOD = 12
export const FORWARD = 17

export const REST: readonly Row[] = STAGES.filter(({ rest }) => rest)
export const MCP: readonly Row[] = STAGES.filter(({ mcp }) => mcp)
export const CALL: readonly Row[] = STAGES.filter(({ call }) => call)

/** Runs the rows in order. False when one refused; the exchange then says which and why. */
export function admits(rows: readonly Row[], exchange: Exchange): boolean {
  for (let i = 0; i < rows.length; i++) {
    const { check, number } = rows[i]!
    const code = check(exchange)
    if (code !== null) {
      exchange.code = code
      exchange.stoppedAt = number
      return false
    }
  }
  return true
}
