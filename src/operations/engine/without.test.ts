import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATIONS } from '../registry.ts'
import { writeOptionNames } from './call.ts'
import { ONCE } from './define.ts'

test('surfaces offer no option that an operation is without, and no read is without any', () => {
  const some = OPERATIONS.filter(({ without }) => without !== undefined)
  assert.ok(some.some(({ without }) => without === ONCE))
  for (const operation of some) {
    assert.notEqual(operation.effect, 'read')
    for (const name of operation.without!) assert.ok(!writeOptionNames(operation).includes(name))
  }
})
