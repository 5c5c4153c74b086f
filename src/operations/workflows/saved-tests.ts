/** Tests that a definition holds: run on demand, and those with `gate` before a workflow is in force. */
import { isDeepStrictEqual } from 'node:util'
import { pointerTo, tokenText } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import type { TrialAnswer } from '../../model/workflow/trial.ts'
import type { WorkflowDefinition, WorkflowTest } from '../../model/workflow/workflow.ts'
import { readWorkflowTrace } from '../../record/search.ts'
import { compilePlan } from '../../snapshot/compile/workflow.ts'
import type { PlanFragment } from '../../snapshot/plan.ts'
import type { OperationContext } from '../engine/context.ts'
import { mockFault, runTrial, triedOf } from './trial.ts'

/** All tests that hold back a change together: others wait for it, milliseconds. */
const GATES_MS = 2000

interface Failure {
  /** Such as `status`, `body/order` or `branch check`. */
  readonly assertion: string
  readonly expected: unknown
  readonly actual: unknown
}

export interface TestResult {
  readonly name: string
  readonly gate: boolean
  readonly passed: boolean
  readonly failures: Failure[]
  /** Cause of a run that failed, which callers do not see. */
  readonly reason: string | null
  readonly duration_ms: number
}

/** Runs one test of a definition without faults. Refuses with not_ready. */
export async function runTest(
  { name, gate, request, mocks, expect }: WorkflowTest,
  plan: PlanFragment,
  definition: WorkflowDefinition,
  context: OperationContext,
): Promise<TestResult> {
  const fault = mockFault(mocks, definition)
  if (fault !== null) {
    const failures = [{ assertion: `mocks.${fault.node}`, expected: fault.reason, actual: null }]
    return { name, gate, passed: false, failures, reason: null, duration_ms: 0 }
  }
  const answer = await runTrial({ plan, mocks, request, live: null }, context)
  const failures = failuresOf(expect, answer)
  const { reason, duration_ms } = triedOf(answer)
  return { name, gate, passed: failures.length === 0, failures, reason, duration_ms }
}

function failuresOf({ status, body, branches }: WorkflowTest['expect'], answer: TrialAnswer): Failure[] {
  const { body: given } = triedOf(answer)
  const nodes = readWorkflowTrace(answer.trace)?.nodes.filter(({ within }) => within === null) ?? []
  const asserted = [
    ...(status === undefined ? [] : [{ assertion: 'status', expected: status, actual: answer.status }]),
    ...body.map(({ pointer, equals }) => ({
      assertion: `body${pointer}`,
      expected: equals,
      actual: valueAt(given, pointer),
    })),
    ...Object.entries(branches).map(([node, handle]) => ({
      assertion: `branch ${node}`,
      expected: handle,
      actual: nodes.find((one) => one.node === node)?.handle ?? null,
    })),
  ]
  return asserted.filter(({ expected, actual }) => !isDeepStrictEqual(expected, actual))
}

/** The value at a JSON pointer (RFC 6901); null where there is none. */
function valueAt(value: unknown, pointer: string): unknown {
  let at = value
  for (const token of pointer.split('/').slice(1).map(tokenText)) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, token)) return null
    at = (at as Readonly<Record<string, unknown>>)[token]
  }
  return at
}

/**
 * Refuses with configuration_invalid a definition that fails one of its tests with `gate`, naming test and assertion. The definition
 * has no faults. No value of a request or an answer is named.
 */
export async function refuseFailedGates(
  definition: WorkflowDefinition,
  pointer: string,
  context: OperationContext,
): Promise<void> {
  const gates = (definition.tests ?? []).filter(({ gate }) => gate)
  if (gates.length === 0) return
  // Without faults it has a plan
  const plan = compilePlan(definition)!
  const { promise: late, reject } = Promise.withResolvers<never>()
  late.catch(() => {})
  const timer = setTimeout(() => reject(new Error('they took too long')), GATES_MS)
  try {
    for (const test of gates) {
      const at = pointerTo(pointer, 'tests', definition.tests!.indexOf(test))
      const result = await Promise.race([runTest(test, plan, definition, context), late])
      if (!result.passed) throw failed(result, at)
    }
  } catch (error) {
    if (error instanceof Error && error.message === 'they took too long') throw tooLate(pointer)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function failed({ name, failures, reason }: TestResult, pointer: string) {
  const [{ assertion }] = failures as [Failure]
  const why = reason === null ? '' : ' The run failed; run_workflow_tests shows why.'
  return refuse('configuration_invalid', {
    detail: `The workflow fails its test "${name}": ${assertion} is not as expected.${why}`,
    errors: failures.map((one) => ({ pointer, reason: `${one.assertion} is not as expected` })),
  })
}

function tooLate(pointer: string) {
  return refuse('configuration_invalid', {
    detail: `The tests with gate took more than ${GATES_MS / 1000} s together. Shorten delays, or set gate to false.`,
    errors: [{ pointer: `${pointer}/tests`, reason: 'they took too long' }],
  })
}
