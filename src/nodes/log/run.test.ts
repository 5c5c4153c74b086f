import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executed } from '../../../test/support/executed.ts'
import { NodeFailure } from '../run.ts'
import { logRun } from './run.ts'

test('a message goes to the trace with its level and its fields', () => {
  const logged: unknown[] = []
  const context = { ...ALONE, log: (...entry: unknown[]) => void logged.push(entry) }
  assert.deepEqual(executed(logRun, {}, { message: 'taken' }, context), { handle: 'default', outputs: {} })
  executed(logRun, { level: 'warn' }, { message: 7, fields: { order: 7 } }, context)
  assert.deepEqual(logged, [
    ['info', 'taken', {}],
    ['warn', '7', { order: 7 }],
  ])
})

test('what is no message, and what are no fields, fail the node', () => {
  for (const inputs of [{ message: { a: 1 } }, { message: null }, { message: 'a', fields: [1] }])
    assert.throws(() => executed(logRun, {}, inputs), NodeFailure, JSON.stringify(inputs))
})
