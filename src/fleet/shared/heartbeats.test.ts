import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchHeartbeats } from './readiness.ts'

test('a thread without a heartbeat stalls after six looks and hangs after twenty; a heartbeat resets the count, and a debugger stops it', () => {
  const health = new Int32Array(new SharedArrayBuffer(8))
  const thread = {}
  const told: (number | string)[] = []
  let isDebugged = false
  const watch = watchHeartbeats({
    threads: () => [thread],
    cellOf: () => ({ health, cell: 0 }),
    changed: (stalled) => told.push(stalled),
    hangs: () => told.push('hangs'),
    lookMs: 1_000_000,
    isDebugged: () => isDebugged,
  })
  const look = (times: number): void => {
    for (let i = 0; i < times; i++) watch.look()
  }
  look(6)
  assert.deepEqual(told, [])
  Atomics.add(health, 0, 1)
  look(6)
  assert.deepEqual(told, [])
  look(1)
  assert.deepEqual(told, [1])
  Atomics.add(health, 0, 1)
  look(1)
  assert.deepEqual(told, [1, 0])
  isDebugged = true
  look(25)
  assert.deepEqual(told, [1, 0], 'a thread that a debugger has paused')
  isDebugged = false
  look(25)
  assert.deepEqual(told, [1, 0, 1, 'hangs'])
  watch.stop()
})
