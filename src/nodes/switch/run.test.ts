import assert from 'node:assert/strict'
import { test } from 'node:test'
import { doubled } from '../../../test/support/doubled.ts'
import { executed } from '../../../test/support/executed.ts'
import { switchRun } from './run.ts'

const cases = [
  { label: 'small', match: 1 },
  { label: 'again', match: 1 },
  { label: 'object', match: { a: [1, null], b: 'x' } },
  { label: 'nothing', match: null },
]
const labelOf = (value: unknown) => executed(switchRun, { cases }, { value }).outputs['matched_output']

test('a switch is left by the label of the first case that equals the value, else by default', () => {
  assert.equal(labelOf(1), 'small')
  assert.equal(labelOf({ b: 'x', a: [1, null] }), 'object')
  assert.equal(labelOf(null), 'nothing')
  assert.equal(labelOf(doubled()), 'default')
  for (const value of ['1', 2, { a: [1], b: 'x' }, [], true]) assert.equal(labelOf(value), 'default')
})
