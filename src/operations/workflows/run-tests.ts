import { z } from 'zod'
import { confidential, unit } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { define, ONCE } from '../engine/define.ts'
import { workflowKind } from './kind.ts'
import { runTest, type TestResult } from './saved-tests.ts'
import { planOf } from './trial.ts'
import { definitionToRun } from './validate.ts'

const Value = confidential('traffic', z.unknown())
const Results = z.object({
  passed: z.boolean().describe('All tests that ran have passed'),
  tests: z.array(
    z.object({
      name: z.string(),
      gate: z.boolean(),
      passed: z.boolean(),
      failures: z.array(
        z.object({
          assertion: z.string().describe('Such as status, body/order or branch check'),
          expected: Value,
          actual: Value,
        }),
      ),
      reason: z.string().nullable().describe('Cause of a run that failed'),
      duration_ms: z.number().meta(unit('ms')),
    }),
  ),
})

export const runWorkflowTests = define({
  resource: 'workflows',
  action: 'run_tests',
  effect: 'act',
  without: ONCE,
  tool: 'run_workflow_tests',
  group: workflowKind.group,
  summary: 'Run the tests that are saved with a workflow, without effects',
  input: z.strictObject({
    definition: WorkflowDefinition.optional().describe('One that is not stored, with tests'),
    workflow: Ref.optional(),
    proxy: Ref.optional().describe('A proxy, such as orders:get-order'),
    test: z.string().max(100).optional().describe('Name of one test'),
  }),
  output: Results,
  permission: 'workflows:test',
  refuses: ['not_found', 'configuration_invalid', 'upstream_timeout', 'not_ready', 'idempotency_conflict'],
  columns: ['tests.name', 'tests.passed', 'tests.gate', 'tests.failures.assertion', 'tests.duration_ms'],
  fails: ({ passed }) => !passed,
  subject: ({ workflow }) => ({ type: workflowKind.noun, id: null, slug: workflow ?? null }),
  prepare: async ({ test: name, ...asked }, context): Promise<z.output<typeof Results>> => {
    const definition = await definitionToRun(asked, context)
    const plan = await planOf(definition, context)
    const tests: TestResult[] = []
    for (const test of definition.tests ?? [])
      if (name === undefined || test.name === name) tests.push(await runTest(test, plan, definition, context))
    return { passed: tests.every(({ passed }) => passed), tests }
  },
  handle: async (results, { change }) => {
    const failed = results.tests.filter(({ passed }) => !passed).length
    change.finding = `${failed} of ${results.tests.length} tests failed.`
    return results
  },
})
