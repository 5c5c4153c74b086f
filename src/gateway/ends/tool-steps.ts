/** Calls of tools that nodes of workflows make: each request to the origin is a step of the request that the workflow answers. */
import type { ByteBudget, Reservation } from '../../base/memory/bytes.ts'
import { Tally } from '../../guardrails/tally.ts'
import type { CallHandle } from '../../wire/port.ts'
import { callerOf, type Exchange, type Lane } from '../exchange.ts'
import { askFor, budgetOf } from '../exchange-memory.ts'
import { connectionOf } from '../forward/connected.ts'
import type { CheckRow } from '../stage-types.ts'
import { noteStep } from '../workflow/step-call.ts'
import type { CallTool, OriginGateway } from '../workflow/tool-port.ts'
import { createInnerCalls, type InnerOptions } from './in-process.ts'

interface ToolStepOptions {
  readonly call: CallTool
  /** Of requests to origins. */
  readonly checks: NonNullable<InnerOptions['originChecks']>
  readonly originFailed: (origin: string) => void
}

const NO_CHECKS: readonly CheckRow[] = []

export function createToolSteps({ call, ...options }: ToolStepOptions): NonNullable<Lane['callTool']> {
  return (outer, tool, done) => {
    const { requestId, traceParent, traceState } = outer
    const gateway = stepsOf(outer, options)
    const tally = tool.guardrails === null ? NO_TALLY : tallyOf(outer)
    return call(
      { ...tool, gateway, caller: callerOf(outer), requestId, traceParent, traceState, tally },
      done,
    )
  }
}

/** Nobody counts into it. */
const NO_TALLY = new Tally()

function tallyOf(outer: Exchange): Tally {
  outer.stepTally ??= new Tally()
  return outer.stepTally
}

/** The gateway as requests of a step see it. */
function stepsOf(outer: Exchange, { checks, originFailed }: Omit<ToolStepOptions, 'call'>): OriginGateway {
  const { lane, snapshot } = outer
  return {
    call(call, done) {
      // What belongs to the call of the tool is of the request; a notification or a session is not
      const isOfCall = call.capability?.method !== ''
      let step: Exchange | null = null
      const start = createInnerCalls({
        lane,
        checks: NO_CHECKS,
        originChecks: checks,
        originFailed,
        snapshot: () => snapshot,
        prepare(exchange) {
          step = exchange
          exchange.isRecorded = true
        },
      })
      const capability = call.capability && { ...call.capability, isStep: true as const }
      const handle = start(
        { ...call, requestId: outer.requestId, ...(capability && { capability }) },
        (answer, exchange) => {
          if (isOfCall) noteStep(outer, exchange)
          done(answer)
        },
      )
      const given: CallHandle = {
        abort() {
          handle.abort()
          if (isOfCall && step !== null) noteStep(outer, step)
        },
      }
      return { ...given, park: (code) => handle.park(code) }
    },
    connectionOf: (caller, { id, fragment }) => connectionOf(lane, snapshot, caller, id, fragment),
    // The record is that of the request
    message() {},
    budget: () => budgetOf(outer),
    reserve: () => untilOver(budgetOf(outer)),
    askWebhook: () => askFor(outer),
  }
}

/** Bytes that are counted for a request until that is over. */
function untilOver(budget: ByteBudget): Reservation {
  return { take: (bytes) => budget.take(bytes), give: (bytes) => budget.give(bytes), release() {} }
}
