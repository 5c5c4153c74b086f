import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executedLater } from '../../../test/support/executed.ts'
import { subworkflowRun } from './run.ts'

test('a shared workflow runs with the input, or with null, and its response is the output', async () => {
  const asked: unknown[] = []
  const context = {
    ...ALONE,
    runWorkflow: async (id: string, input: unknown) => {
      asked.push([id, input])
      return { status: 201, headers: {}, body: 'made' }
    },
  }
  const config = { workflow: 'wfl_1' }
  const result = await executedLater(subworkflowRun, config, { input: { a: 1 } }, context)
  assert.deepEqual(result, { handle: 'success', outputs: { status: 201, headers: {}, body: 'made' } })
  await executedLater(subworkflowRun, config, {}, context)
  assert.deepEqual(asked, [
    ['wfl_1', { a: 1 }],
    ['wfl_1', null],
  ])
})
