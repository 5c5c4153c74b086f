import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson, ODD } from '../../../test/support/any-json.ts'
import type { Members } from './message.ts'
import {
  declaresTasks,
  needsTasks,
  readTask,
  readTaskDetail,
  relatedTo,
  taskMembers,
  tasksServed,
} from './tasks.ts'

const TASK = {
  taskId: 'a',
  status: 'working',
  createdAt: '2026-07-28T00:00:00Z',
  lastUpdatedAt: '2026-07-28T00:00:01Z',
}

test('a task reads the same from both eras, and is written in the words of either', () => {
  const modern = { ...TASK, ttlMs: 60_000, pollIntervalMs: 100 }
  const core = { ...TASK, ttl: 60_000, pollInterval: 100 }
  assert.deepEqual(readTask(modern), readTask(core))
  const { id, state } = readTask(modern)!
  assert.deepEqual(taskMembers(id, state, true), modern)
  assert.deepEqual(taskMembers(id, state, false), core)
})

test('a time to live is written as null where there is none, and in whole milliseconds', () => {
  const { state } = readTask({ ...TASK, pollIntervalMs: 10.4 })!
  assert.deepEqual([state.ttlMs, state.pollIntervalMs], [null, 10])
  assert.equal(taskMembers('a', state, true)['ttlMs'], null)
})

test('what lacks an id, a known status or its creation is no task', () => {
  for (const changed of [
    { taskId: '' },
    { taskId: 'x'.repeat(513) },
    { taskId: 7 },
    { status: 'done' },
    { createdAt: undefined },
    { createdAt: 'soon' },
  ])
    assert.equal(readTask({ ...TASK, ...changed }), null, JSON.stringify(changed))
})

test('a task that lacks what its status has cannot be told of', () => {
  const read = (status: string, more: object = {}): unknown =>
    readTaskDetail({ ...TASK, status, ...more })?.detail
  assert.deepEqual(read('completed', { result: { content: [] } }), { result: { content: [] } })
  assert.deepEqual(read('failed', { error: { code: -1, message: 'm', more: 1 } }), {
    error: { code: -1, message: 'm' },
  })
  for (const message of [...ODD, undefined, 1])
    assert.deepEqual(read('failed', { error: { code: -1, message } }), { error: { code: -1, message: '' } })
  assert.deepEqual(read('working', { result: {} }), {})
  for (const status of ['completed', 'failed', 'input_required'])
    for (const member of ['result', 'error', 'inputRequests'])
      assert.equal(read(status, { [member]: [] }), undefined)
})

test('whatever a server says is a task or none', () => {
  fc.assert(
    fc.property(anyJson(), anyJson(), (value, part) => {
      readTask(value)
      const task = readTaskDetail({
        ...TASK,
        status: 'completed',
        ttlMs: part,
        result: part,
        statusMessage: part,
      })
      if (task !== null) taskMembers(task.id, task.state, false)
      relatedTo('a', { _meta: part })
      needsTasks(value)
      declaresTasks({ extensions: value })
      tasksServed('2025-11-25', { tasks: value })
    }),
  )
})

test('the mark of a task is put on a result, and taken away, beside other members of _meta', () => {
  const mark = { 'io.modelcontextprotocol/related-task': { taskId: 'a' } }
  const content: Members = { content: [], _meta: { own: 1 } }
  assert.deepEqual(relatedTo('a', content), { content: [], _meta: { own: 1, ...mark } })
  assert.deepEqual(relatedTo(null, relatedTo('a', content)), content)
  assert.deepEqual(relatedTo(null, { content: [], _meta: mark }), { content: [] })
})

test('tasks are served by the extension, or by the core of one revision for calls of tools', () => {
  const extension = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
  const core = { tasks: { requests: { tools: { call: {} } } } }
  assert.equal(tasksServed('2026-07-28', extension), 'extension')
  assert.equal(tasksServed('2026-07-28', core), null)
  assert.equal(tasksServed('2025-11-25', core), 'core')
  assert.equal(tasksServed('2025-11-25', extension), null)
  assert.equal(tasksServed('2025-06-18', core), null)
  assert.equal(tasksServed('2025-11-25', { tasks: { requests: {} } }), null)
})
