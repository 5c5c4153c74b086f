import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Plan, planSentence, setNameOf, variablesOf } from './documents.ts'

test('a plan says what it would do, or that nothing changes', () => {
  const plan = { create: 2, update: 0, adopt: 1, remove: 3, unchanged: 7 }
  assert.equal(planSentence(plan as Plan), 'This would add 2, adopt 1, remove 3, and leave 7 unchanged.')
  const none = { create: 0, update: 0, adopt: 0, remove: 0, unchanged: 1 }
  assert.equal(planSentence(none as Plan), 'Nothing changes: 1 resource matches the documents.')
})

test('variables are lines NAME=value; a value may have an equals sign', () => {
  assert.deepEqual(variablesOf('STAGE=test\n\nURL=http://a?b=c\n').variables, {
    STAGE: 'test',
    URL: 'http://a?b=c',
  })
  assert.match(variablesOf('STAGE').fault!, /"STAGE" does not have the form NAME=value/)
})

test('the name of a file suggests a name of the set', () => {
  assert.equal(setNameOf('C:\\apis\\My orders.yaml'), 'My-orders')
  assert.equal(setNameOf('...'), '')
})
