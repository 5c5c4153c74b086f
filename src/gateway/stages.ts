import type { RefusalCode } from '../base/refusal.ts'
import { endpointAssigned, methodAllowed, upgradeOffered } from './admit/access.ts'
import { bodyFits } from './admit/body.ts'
import { limitsAdmit } from './admit/limits.ts'
import type { CheckName } from './check-names.ts'
import { bodyGathered } from './contract/collect.ts'
import { requestFits } from './contract/request.ts'
import type { Exchange } from './exchange.ts'
import { readsInOneWay } from './find/readings.ts'
import { findRoute, heldBackRoute } from './find/route.ts'
import { credentialReady } from './forward/credential.ts'
import { targetChosen } from './forward/targets.ts'
import { operationFits } from './graphql/check.ts'
import { callerActive } from './identify/active.ts'
import { addressAllowed } from './identify/address.ts'
import { proofStands, sameProxy } from './identify/again.ts'
import { authenticate } from './identify/authenticate.ts'
import { identifyCaller } from './identify/caller.ts'
import { failuresBelowLimit } from './identify/failures.ts'
import { replayed } from './replay/replay.ts'
import { ANSWERED, type Verdict } from './verdict.ts'

/**
 * Looks at one thing. Most checks know at once; one that must ask somebody else gives a promise, and bounds its time
 * itself. The caller may have left when it settles.
 */
type Check = (exchange: Exchange) => Verdict | Promise<Verdict>

export interface Row {
  /** Number of the check; records name it as `stopped_at`. */
  readonly number: number
  readonly name: CheckName
  /** Requests over REST. */
  readonly rest: boolean
  /** Messages at `/mcp`. */
  readonly mcp: boolean
  /** Calls from within the process; the caller was proved by the message. */
  readonly call: boolean
  /** Recorded requests that are made again: nobody proves them anew. */
  readonly again: boolean
  readonly check: Check
}

const row = (
  number: number,
  name: CheckName,
  doors: Pick<Row, 'rest' | 'mcp' | 'call' | 'again'>,
  check: Check,
): Row => ({ number, name, ...doors, check })

const REST_CALL = { rest: true, mcp: false, call: true, again: true }
const REST_MCP = { rest: true, mcp: true, call: false, again: false }
const CALLER = { ...REST_MCP, again: true }
const AGAIN = { rest: false, mcp: false, call: false, again: true }

/**
 * The order in which a request is judged; the first refusal ends it. Checks 1 to 3 are made on the bytes by the wire,
 * and by `canonicalTarget` for calls from within the process. After the last row the request is forwarded (17),
 * the answer gets its fields (18), and the record is written (19), also for what was refused.
 */
const STAGES: readonly Row[] = [
  row(4, 'route', REST_CALL, findRoute),
  row(5, 'identify', REST_MCP, identifyCaller),
  row(6, 'active', CALLER, callerActive),
  row(7, 'address', CALLER, addressAllowed),
  row(8, 'failures', REST_MCP, failuresBelowLimit),
  row(9, 'authenticate', REST_MCP, authenticate),
  row(9, 'proof', AGAIN, proofStands),
  row(10, 'held-back route', REST_CALL, heldBackRoute),
  row(10, 'same proxy', AGAIN, sameProxy),
  row(11, 'assignment', REST_CALL, endpointAssigned),
  row(11, 'path readings', REST_CALL, readsInOneWay),
  row(12, 'method', REST_CALL, methodAllowed),
  row(12, 'upgrade', REST_CALL, upgradeOffered),
  row(1, 'declared body', REST_CALL, bodyFits),
  row(13, 'limits', REST_CALL, limitsAdmit),
  row(14, 'contract', REST_CALL, requestFits),
  row(14, 'operation', REST_CALL, operationFits),
  row(16, 'replay', REST_CALL, replayed),
  row(17, 'credential', REST_CALL, credentialReady),
  row(17, 'gather', REST_CALL, bodyGathered),
  row(17, 'target', REST_CALL, targetChosen),
]

/** Numbers of checks for refusals that come from outside of the list. */
export const WIRE = 1
export const CANONICAL = 3
export const ROUTE = 4
export const IDENTIFY = 5
const METHOD = 12
export const FORWARD = 17
export const ANSWER = 18

export const REST: readonly Row[] = STAGES.filter(({ rest }) => rest)
export const MCP: readonly Row[] = STAGES.filter(({ mcp }) => mcp)
export const CALL: readonly Row[] = STAGES.filter(({ call }) => call)
export const AGAIN_ROWS: readonly Row[] = STAGES.filter(({ again }) => again)

/**
 * Runs the rows in order, from row `from` on. False when one refused or answered; the exchange then says which and why,
 * or has the reply. A promise only when a row gave one: the common request is judged in one go.
 */
export function admits(rows: readonly Row[], exchange: Exchange, from = 0): boolean | Promise<boolean> {
  for (let i = from; i < rows.length; i++) {
    const { check } = rows[i]!
    const verdict = check(exchange)
    if (verdict === null) continue
    if (typeof verdict === 'object') return later(verdict, rows, exchange, i)
    return stop(exchange, rows[i]!, verdict)
  }
  return true
}

async function later(
  verdict: Promise<Verdict>,
  rows: readonly Row[],
  exchange: Exchange,
  index: number,
): Promise<boolean> {
  let settled: Verdict
  try {
    settled = await verdict
  } catch (error) {
    exchange.reason = String(error)
    settled = 'internal_error'
  }
  return settled === null ? admits(rows, exchange, index + 1) : stop(exchange, rows[index]!, settled)
}

function stop(exchange: Exchange, { number, name }: Row, verdict: RefusalCode | typeof ANSWERED): false {
  const refused = verdict !== ANSWERED
  exchange.code = refused ? verdict : null
  exchange.stoppedAt = refused ? number : -1
  exchange.check = refused ? name : ''
  return false
}

/** Names of checks whose refusals come from outside of the list. */
const OUTSIDE: Readonly<Record<number, CheckName>> = {
  [WIRE]: 'wire',
  [CANONICAL]: 'canonical',
  [ROUTE]: 'route',
  [IDENTIFY]: 'identify',
  [METHOD]: 'method',
  [FORWARD]: 'forward',
  [ANSWER]: 'answer',
}

/** The name of the check that ended a request; empty when none did. */
export function checkNameOf({ stoppedAt, check }: Exchange): CheckName {
  if (stoppedAt === -1) return ''
  return check === '' ? (OUTSIDE[stoppedAt] ?? '') : check
}

/** The check that a refusal of the wire belongs to. */
export function checkOf(code: RefusalCode): number {
  switch (code) {
    case 'request_not_canonical':
      return CANONICAL
    case 'method_not_allowed':
      return METHOD
    case 'upstream_unreachable':
    case 'upstream_invalid_response':
    case 'upstream_unavailable':
    case 'upstream_timeout':
    case 'credential_unavailable':
      return FORWARD
    case 'response_invalid':
      return ANSWER
    default:
      return WIRE
  }
}
