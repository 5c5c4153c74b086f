import type { RefusalCode } from '../base/refusal.ts'
import {
  bodyFits,
  endpointAssigned,
  explainAssignment,
  explainBody,
  explainMethod,
  explainUpgrade,
  methodAllowed,
  upgradeOffered,
} from './admit/access.ts'
import { endLimits, explainLimits, limitsAdmit } from './admit/limits.ts'
import { type AnswerRow, contractOfAnswer, standIn } from './answer/answer-stages.ts'
import { keptForLater } from './cache/response-cache.ts'
import type { CheckName } from './check-names.ts'
import { bodyGathered, explainContract, explainGather, requestFits } from './contract/request.ts'
import type { Exchange, Located, Routed } from './exchange.ts'
import { releaseMemory } from './exchange-memory.ts'
import type { Explain } from './explain/judged.ts'
import {
  explainHeldBackRoute,
  explainReadings,
  explainRoute,
  findRoute,
  heldBackRoute,
  readsInOneWay,
} from './find/route.ts'
import { credentialReady, explainCredential } from './forward/credential.ts'
import { forward } from './forward/request.ts'
import { endTarget, explainTarget, targetChosen } from './forward/targets.ts'
import { explainOperation, operationFits } from './graphql/check.ts'
import { explainGuardrails, guardrailsPass } from './guardrails/check.ts'
import { endClaim, settledClaim } from './idempotency/repeated.ts'
import { callerActive, explainActive } from './identify/active.ts'
import {
  authenticate,
  explainAuthentication,
  explainFailures,
  failuresBelowLimit,
} from './identify/authenticate.ts'
import {
  addressAllowed,
  explainAddress,
  explainIdentity,
  explainReplayOnly,
  identifyCaller,
  proofStands,
  sameProxy,
} from './identify/caller.ts'
import { explainKeptAnswer, keptAnswerGiven } from './kept-answer-check.ts'
import { writeRecord } from './record.ts'
import type { CheckRow, ClosingRow, SendRow, Ways } from './stage-types.ts'
import { ADMITTED, ANSWERED, type Check, type Verdict } from './verdict.ts'
import { explainWorkflow, workflowReady } from './workflow/check.ts'
import { runWorkflow } from './workflow/send.ts'

/**
 * @typeParam On what the check relies on: rows before it have set it. The order of the list is what makes it true, so
 * the types are checked here, in the one place where they are given up. An explanation relies on the
 * collection alone: a request that has no proxy is explained to the end.
 */
const row = <On extends Exchange>(
  name: CheckName,
  ways: Ways,
  check: Check<On>,
  explain: Explain<Located>,
): CheckRow => ({ name, ways, check: check as Check, explain: explain as Explain })

/** `rest`: requests over REST. `call`: calls from within the process, whose caller the message at `/mcp` has proved. */
const REST_CALL = { rest: true, mcp: false, call: true, replay: true, tool: false, own: false, step: false }
/** `mcp`: messages at `/mcp`. */
const REST_MCP = { rest: true, mcp: true, call: false, replay: false, tool: false, own: false, step: false }
const CALLER = { ...REST_MCP, replay: true }
/** `replay`: recorded requests that are made again; they have no credential to verify. */
const REPLAY = { rest: false, mcp: false, call: false, replay: true, tool: false, own: false, step: false }
/** `tool`: calls of capabilities of origins, found by their names. */
const REST_TOOL = { ...REST_CALL, tool: true }
/** `own`: what Postern itself asks an origin. `step`: what a workflow asks the upstream. */
const ALL_SENT = { ...REST_TOOL, own: true, step: true }

/**
 * 1. Checks, in the order in which they run; the first refusal ends the request. The checks `wire` and `canonical` come
 * before, on the bytes: the engine makes them, and `canonicalTarget` for calls from within the process.
 */
export const CHECKS: readonly CheckRow[] = [
  row('route', REST_CALL, findRoute, explainRoute),
  row('identify', REST_MCP, identifyCaller, explainIdentity),
  row('active', CALLER, callerActive, explainActive),
  row('address', CALLER, addressAllowed, explainAddress),
  row('failures', REST_MCP, failuresBelowLimit, explainFailures),
  row('authenticate', REST_MCP, authenticate, explainAuthentication),
  row('proof', REPLAY, proofStands, explainReplayOnly),
  row('held-back route', REST_CALL, heldBackRoute, explainHeldBackRoute),
  row('same proxy', { ...REPLAY, call: true }, sameProxy, explainReplayOnly),
  row('assignment', REST_CALL, endpointAssigned, explainAssignment),
  row('path readings', REST_CALL, readsInOneWay, explainReadings),
  row('method', REST_CALL, methodAllowed, explainMethod),
  row('upgrade', REST_CALL, upgradeOffered, explainUpgrade),
  row('declared body', REST_CALL, bodyFits, explainBody),
  row('limits', REST_TOOL, limitsAdmit, explainLimits),
  row('contract', REST_CALL, requestFits, explainContract),
  row('operation', REST_CALL, operationFits, explainOperation),
  row('guardrails', REST_CALL, guardrailsPass, explainGuardrails),
  row('kept answer', REST_CALL, keptAnswerGiven, explainKeptAnswer),
  row('workflow', REST_CALL, workflowReady, explainWorkflow),
  row('credential', ALL_SENT, credentialReady, explainCredential),
  row('gather', { ...REST_CALL, step: true }, bodyGathered, explainGather),
  row('target', ALL_SENT, targetChosen, explainTarget),
]

/** 2. How an admitted request gets its answer. */
export const SEND: SendRow = {
  name: 'forward',
  send(exchange, life) {
    // Of an admitted request
    if (exchange.proxy!.direct === null) forward(exchange, life)
    else runWorkflow(exchange as Routed, life)
  },
}

/** 3. Rows that see the answer of the upstream; each says before the request is sent whether it wants to. */
export const ANSWER: readonly AnswerRow[] = [standIn, contractOfAnswer, keptForLater, settledClaim]

/** 4. Rows that run when everything is over, for every request, also for those that were refused or whose caller left. */
export const CLOSING: readonly ClosingRow[] = [
  { name: 'limits', end: endLimits },
  { name: 'target', end: endTarget },
  { name: 'idempotency key', end: endClaim },
  { name: 'memory', end: releaseMemory },
  { name: 'record', end: writeRecord },
]

const checksOf = (way: keyof Ways): readonly CheckRow[] => CHECKS.filter(({ ways }) => ways[way])
export const REST = checksOf('rest')
export const MCP = checksOf('mcp')
export const CALL = checksOf('call')
export const REPLAY_CHECKS = checksOf('replay')
export const STEP_CHECKS = checksOf('step')
export const ORIGIN_CHECKS = { call: checksOf('tool'), own: checksOf('own') }

/**
 * Runs the checks in order, from row `from` on. False when one refused or answered; the exchange then says which and
 * why, or has the reply. A promise only when a row gave one: the common request is judged in one go.
 */
export function admits(rows: readonly CheckRow[], exchange: Exchange, from = 0): boolean | Promise<boolean> {
  for (let i = from; i < rows.length; i++) {
    const { check } = rows[i]!
    const verdict = check(exchange)
    if (verdict === null) continue
    if (typeof verdict === 'object') return later(verdict, rows, exchange, i)
    if (verdict === ADMITTED) return true
    return stop(exchange, rows[i]!, verdict)
  }
  return true
}

/** Goes on when a promise has settled, unless the caller has left meanwhile: nothing would end what later rows take. */
async function later(
  verdict: Promise<Verdict>,
  rows: readonly CheckRow[],
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
  if (settled === ADMITTED) return !exchange.isOver
  if (settled !== null) return stop(exchange, rows[index]!, settled)
  return exchange.isOver ? false : admits(rows, exchange, index + 1)
}

function stop(exchange: Exchange, { name }: CheckRow, verdict: RefusalCode | typeof ANSWERED): false {
  const refused = verdict !== ANSWERED
  exchange.code = refused ? verdict : null
  exchange.check = refused ? name : ''
  return false
}
