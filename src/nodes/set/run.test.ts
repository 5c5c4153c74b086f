import assert from 'node:assert/strict'
import { test } from 'node:test'
import { executed } from '../../../test/support/executed.ts'
import { setRun } from './run.ts'

test('set_node puts out its inputs under their names', () => {
  const inputs = { total: 3, '*': null, list: [1] }
  assert.deepEqual(executed(setRun, {}, inputs), { handle: 'default', outputs: inputs })
})
