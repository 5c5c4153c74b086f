import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALONE, executedLater } from '../../../test/support/executed.ts'
import { type NodeContext, NodeFailure } from '../run.ts'
import { foreachRun } from './run.ts'

const each = (config: object, items: unknown, runWorkflow: NodeContext['runWorkflow']) =>
  executedLater(foreachRun, { workflow: 'wfl_1', ...config }, { items }, { ...ALONE, runWorkflow })

test('responses stand in the order of the items, and no more runs go on than the node allows', async () => {
  let underWay = 0
  let most = 0
  const result = await each({ concurrency: 3 }, [5, 1, 4, 2, 3, 0], async (_id, input) => {
    most = Math.max(most, ++underWay)
    for (let turn = 0; turn < Number(input); turn++) await new Promise((done) => setImmediate(done))
    underWay--
    return { status: 200, body: input }
  })
  assert.deepEqual(
    (result.outputs['items'] as { body: unknown }[]).map(({ body }) => body),
    [5, 1, 4, 2, 3, 0],
  )
  assert.equal(most, 3)
  assert.deepEqual((await each({}, [], () => assert.fail('no item'))).outputs, { items: [] })
})

test('the first failure names its item, and no further item is begun', async () => {
  const begun: unknown[] = []
  const failing = each({ concurrency: 2 }, ['a', 'b', 'c', 'd'], async (_id, input) => {
    begun.push(input)
    if (input === 'b') throw new NodeFailure('timeout', 'it took too long', 'upstream_timeout')
    await new Promise((done) => setImmediate(done))
    return {}
  })
  await assert.rejects(failing, {
    kind: 'timeout',
    message: 'item 1: it took too long',
    code: 'upstream_timeout',
  })
  await new Promise((done) => setImmediate(done))
  assert.deepEqual(begun, ['a', 'b'])
})

test('what is no list, and a list that is too long, fails before anything runs', async () => {
  const none: NodeContext['runWorkflow'] = () => assert.fail('nothing runs')
  for (const items of [undefined, null, 'abc', { length: 1 }, { 0: 'a' }])
    await assert.rejects(each({}, items, none), { kind: 'items', message: 'items is no list' })
  await assert.rejects(each({ max_items: 2 }, [1, 2, 3], none), { message: 'there are 3 items, more than 2' })
})
