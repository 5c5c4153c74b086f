import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parkingOf } from '../../../../test/support/parking.ts'
import type { GatewayPort } from '../../../gateway/port.ts'
import type { JoinedVirtualMcp } from '../../../snapshot/find/virtual-mcps.ts'
import { CALLER_MEMORY_MAX, CallerMemory } from '../../../wire/caller-memory.ts'
import type { Sender } from '../../http/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import type { ClientAnswer } from '../../protocol/relayed-requests.ts'

const FORM = { message: 'Which?', requestedSchema: { type: 'object', properties: {} } }
/** Of a parked call with such a question. */
const CALL_BYTES_MAX = 34_000

/** Calls of many clients at one origin that asks each of them. */
function start() {
  const memory = new CallerMemory(CALLER_MEMORY_MAX)
  const gateway = {
    reserve: ({ client }: Sender['caller']) => memory.open(client.id),
    holderOf: ({ client }: Sender['caller']) => client.id,
    onApplied: () => () => {},
  } as unknown as GatewayPort
  let parked = 0
  const parking = parkingOf(gateway, undefined, undefined, (calls) => {
    parked = calls
  })
  const origin = { fragment: { verdict: { version: '2025-11-25' } } }
  const joined = {
    virtualMcp: { id: 'vmc_1', fragment: { slug: 'desk' } },
    members: new Map([['ori_1', { origin }]]),
  } as unknown as JoinedVirtualMcp
  const request = {
    id: 1,
    method: 'tools/call',
    params: { name: 'work' },
    isModern: true,
    logLevel: null,
    received: { place: 0 },
    notify() {},
  } as unknown as RelayedRequest
  return {
    memory,
    parked: () => parked,
    parking,
    /** Makes a call whose origin asks at once. */
    async call(client: number, subject = '') {
      const caller = { client: { id: `cli_${client}` }, profile: { id: 'prf' }, subject }
      const sender = { caller, requestId: 'req' } as unknown as Sender
      const about = { member: 'ori_1', name: 'work', annotations: null }
      let cancelled = 0
      let heard: ClientAnswer | undefined
      const answer = await new Promise<RelayedAnswer>((done) => {
        const call = parking.callOf(joined, sender, request, about, 0, done)!
        call.carriedBy({
          park() {},
          async cancel() {
            cancelled++
            call.gone()
          },
        })
        call.ask('elicitation/create', FORM, (given) => {
          heard = given
        })
      })
      assert.equal(answer.kind, 'result')
      const text = answer.kind === 'result' ? answer.text : ''
      return { isAsked: text.includes('"input_required"'), text, cancelled: () => cancelled, heard }
    },
  }
}

test('16 calls of one caller wait in a thread, and those of 31 callers; beyond, a call ends at its origin and leaves nothing', async () => {
  const { memory, parked, parking, call } = start()
  const clients = Array.from({ length: 31 }, (_, client) => client)
  const calls = await Promise.all(clients.flatMap((client) => Array.from({ length: 16 }, () => call(client))))
  assert.ok(calls.every(({ isAsked }) => isAsked))
  assert.equal(parked(), 496)
  assert.ok(memory.bytes > 0 && memory.bytes <= 496 * CALL_BYTES_MAX, String(memory.bytes))
  const before = memory.bytes
  for (const client of [0, 30]) {
    const { isAsked, text, cancelled, heard } = await call(client)
    assert.equal(isAsked, false)
    assert.match(text, /concurrency_exceeded/)
    assert.deepEqual([cancelled(), heard], [1, null])
  }
  assert.deepEqual([parked(), memory.bytes], [496, before])
  await parking.close()
  assert.ok(calls.every(({ cancelled }) => cancelled() === 1))
  assert.deepEqual([parked(), memory.bytes, memory.holders], [0, 0, 0])
})

test('a client that names ever new subjects gets half of the places, and another client finds its own', async () => {
  const { parked, parking, call } = start()
  const greedy = []
  for (let count = 0; count < 520; count++) greedy.push((await call(0, `subject ${count >> 4}`)).isAsked)
  assert.equal(greedy.filter(Boolean).length, 256)
  const others = await Promise.all(Array.from({ length: 16 }, () => call(1, 'somebody')))
  assert.ok(others.every(({ isAsked }) => isAsked))
  await parking.close()
  assert.equal(parked(), 0)
  assert.equal((await call(0, 'subject 0')).isAsked, true)
  await parking.close()
})
