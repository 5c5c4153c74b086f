import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testEvents } from '../../../test/shared-state/events.ts'
import { createTombstoneCells, createTombstones } from './key-memory.ts'
import { createThreadEvents, type ThreadEvents } from './shared-cells.ts'

/** Threads that are told what another one publishes. */
function threads(count: number): readonly ThreadEvents[] {
  const members: ThreadEvents[] = Array.from({ length: count }, (_, index) =>
    createThreadEvents((event) => {
      for (const [at, other] of members.entries()) if (at !== index) other.deliver(event)
    }),
  )
  return members
}

testEvents('messages between threads', threads)

test('an MCP session that ends in one process ends in another one, which shares no memory with it', () => {
  const [one, other] = threads(2).map((events) => createTombstones(createTombstoneCells(), events))
  one!.add('session-a')
  assert.deepEqual([other!.has('session-a'), other!.has('session-b')], [true, false])
})
