import assert from 'node:assert/strict'
import { test } from 'node:test'
import { doubled } from '../../../test/support/doubled.ts'
import { executed } from '../../../test/support/executed.ts'
import { validateRun } from './run.ts'

const judged = (schema: object, value: unknown) => executed(validateRun, { schema }, { value })

test('a body that was not read conforms to no schema, also within a value', () => {
  const body = Buffer.from('{"amount":1,"amount":100000}')
  for (const schema of [
    { type: 'object', properties: { amount: { maximum: 100 } } },
    {},
    { not: { type: 'string' } },
  ])
    for (const value of [body, { body }, [[body]]]) {
      const { handle, outputs } = judged(schema, value)
      assert.equal(handle, 'invalid')
      assert.deepEqual(outputs['errors'], [
        {
          pointer: '',
          reason: 'is or has a body that is neither text nor the JSON that its media type declares',
        },
      ])
    }
})

test('a value is valid if it conforms to the schema, however often one list stands in it', () => {
  assert.equal(judged({ type: 'object' }, {}).handle, 'valid')
  assert.equal(judged({ type: 'array', maxItems: 2 }, doubled()).handle, 'valid')
  assert.equal(judged({ type: 'null' }, undefined).handle, 'valid')
  assert.deepEqual(judged({ required: ['sku'] }, {}).outputs['errors'], [
    { pointer: '/sku', reason: 'is required' },
  ])
})
