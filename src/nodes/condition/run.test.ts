import assert from 'node:assert/strict'
import { test } from 'node:test'
import { executed } from '../../../test/support/executed.ts'
import { conditionRun } from './run.ts'

test('a condition is left by true for the boolean true alone', () => {
  assert.deepEqual(executed(conditionRun, {}, { expression: true }), {
    handle: 'true',
    outputs: { result: true },
  })
  for (const expression of [false, null, undefined, 0, 1, '', 'true', {}, []])
    assert.equal(executed(conditionRun, {}, { expression }).handle, 'false', JSON.stringify(expression))
})
