import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { ConnectionAnswer, RefusedConnection } from '../../model/access/caller.ts'
import {
  createThreadRequests,
  type ThreadRequest,
  type ThreadRequestsOptions,
} from '../main/thread-requests.ts'
import { createConnectionClient } from './main-thread.ts'

const TOKEN = { header: 'Authorization', value: 'Bearer at', until: Number.MAX_SAFE_INTEGER }

/** A gateway thread and the main thread, which are one here. */
function threads(connection: ThreadRequestsOptions['connection']) {
  const ended = new Set<string>()
  // Nothing else is asked
  const serve = createThreadRequests({ connection } as ThreadRequestsOptions)
  const client = createConnectionClient(
    { has: (id) => ended.has(id), epoch: () => 0 },
    { now: () => 1000 },
    (message) =>
      serve(0, message as ThreadRequest, (told) => {
        assert.ok(told.kind === 'connected')
        client.answered(told.id, told.answer)
      }),
  )
  return { client, ended }
}

test('a gateway thread gets the token of a person from the main thread, and tells it what an origin has refused', async () => {
  const asked: unknown[] = []
  const { client, ended } = threads(async (user, origin, refused: RefusedConnection | null) => {
    asked.push([user, origin, refused])
    const generation = (refused?.generation ?? 0) + 1
    return { ok: true, connection: 'con_a', generation, ...TOKEN } satisfies ConnectionAnswer
  })
  const first = await client.of('usr_ann', 'ori_crm', 'cli_a')
  assert.ok(first.ok)
  const next = await client.instead('usr_ann', 'ori_crm', 'cli_a', first, false, null)
  assert.ok(next.ok)
  assert.deepEqual([first.generation, next.generation, next.line], [1, 2, 'Authorization: Bearer at\r\n'])
  assert.deepEqual(asked, [
    ['usr_ann', 'ori_crm', null],
    ['usr_ann', 'ori_crm', { connection: 'con_a', generation: 1 }],
  ])
  ended.add('con_a')
  const late = await client.of('usr_ann', 'ori_crm', 'cli_a')
  assert.equal(asked.length, 3)
  assert.equal(late.ok, false)
})

test('a question that the main thread does not answer ends after 30 seconds', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const { client } = threads(() => new Promise(() => {}))
    const waiting = client.of('usr_ann', 'ori_crm', 'cli_a')
    mock.timers.tick(30_000)
    const came = await waiting
    assert.ok(!came.ok)
    assert.deepEqual([came.code, came.page], ['credential_unavailable', null])
  } finally {
    mock.timers.reset()
  }
})
