import assert from 'node:assert/strict'
import { test } from 'node:test'
import { threadCountOf } from './thread-slots.ts'

test('where a port cannot be shared there is one gateway thread, and the log says so if more are set', () => {
  const told: string[] = []
  const log = (_: string, message: string): void => void told.push(message)
  assert.deepEqual(threadCountOf(4, log, 'linux'), { count: 4, reusePort: true })
  assert.deepEqual(threadCountOf(1, log, 'darwin'), { count: 1, reusePort: false })
  assert.deepEqual(told, [])
  assert.deepEqual(threadCountOf(4, log, 'darwin'), { count: 1, reusePort: false })
  assert.match(told.join(), /running 1 gateway thread instead of 4$/)
})
