import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import { createClock, createClockCell, moveClock } from '../../base/clock.ts'
import { createKeyMemory, openKeyMemory } from '../../shared-state/memory/key-memory.ts'
import type { Once } from '../../shared-state/ports/memory.ts'
import { createQuestions, QUESTION_MS, takesForms } from './sealed-elicitation.ts'

const KEY = new Uint8Array(32).fill(7)
const CALL = { identity: 'usr_1', name: 'delete', arguments: { id: 'one', deep: { a: 1, b: 2 } } }
const ACCEPTED = { confirm: { action: 'accept', content: { confirm: 'one' } } }

function remembering(): Once {
  return openKeyMemory(createKeyMemory(1024))
}

function start() {
  const cell = createClockCell()
  return { cell, questions: createQuestions(KEY, 'door', createClock(cell), remembering()) }
}

test('a reply counts once, for the call that was asked about', () => {
  const { questions } = start()
  const requestState = questions.ask(CALL)
  const retry = { requestState, inputResponses: { ...ACCEPTED, other: { action: 'accept' } } }
  const twin = { ...CALL, arguments: { deep: { b: 2, a: 1 }, id: 'one' } }
  assert.deepEqual(questions.replyTo(twin, retry), ACCEPTED.confirm)
  assert.equal(questions.replyTo(CALL, retry), null)
})

test('a reply that another process has used, or that cannot be remembered as used, counts for nothing', async () => {
  const cell = createClockCell()
  const elsewhere = remembering()
  let isReachable = true
  const shared: Once = {
    claim: async (...given) => (isReachable ? elsewhere.claim(...given) : 'unavailable'),
  }
  const [one, other] = [0, 1].map(() => createQuestions(KEY, 'door', createClock(cell), shared))
  const retry = { requestState: one!.ask(CALL), inputResponses: ACCEPTED }
  assert.deepEqual(await one!.replyTo(CALL, retry), ACCEPTED.confirm)
  assert.equal(await other!.replyTo(CALL, retry), null)
  isReachable = false
  assert.equal(await one!.replyTo(CALL, { ...retry, requestState: one!.ask(CALL) }), null)
})

test('a reply for another call, principal, door, key or time is none', () => {
  const { cell, questions } = start()
  const requestState = questions.ask(CALL)
  const retry = { requestState, inputResponses: ACCEPTED }
  for (const other of [
    { ...CALL, identity: 'usr_2' },
    { ...CALL, name: 'revoke' },
    { ...CALL, arguments: { ...CALL.arguments, id: 'two' } },
    { ...CALL, arguments: { ...CALL.arguments, reason: 'x' } },
  ])
    assert.equal(questions.replyTo(other, retry), null)
  assert.equal(createQuestions(KEY, 'other', createClock(cell), remembering()).replyTo(CALL, retry), null)
  assert.equal(
    createQuestions(new Uint8Array(32), 'door', createClock(cell), remembering()).replyTo(CALL, retry),
    null,
  )
  moveClock(cell, QUESTION_MS + 1000)
  assert.equal(questions.replyTo(CALL, retry), null)
})

test('whatever a client sends in the place of a reply is none', () => {
  const { questions } = start()
  const requestState = questions.ask(CALL)
  const broken = requestState.slice(0, -2) + (requestState.endsWith('AA') ? 'BB' : 'AA')
  for (const params of [
    {},
    { requestState },
    { inputResponses: ACCEPTED },
    { requestState: broken, inputResponses: ACCEPTED },
    { requestState, inputResponses: { confirm: { action: 'agree' } } },
  ])
    assert.equal(questions.replyTo(CALL, params), null)
  fc.assert(
    fc.property(anyJson(), anyJson(), (state, responses) => {
      assert.equal(questions.replyTo(CALL, { requestState: state, inputResponses: responses }), null)
    }),
    { numRuns: 300 },
  )
  const decline = { confirm: { action: 'decline', content: 'no form' } }
  assert.deepEqual(questions.replyTo(CALL, { requestState, inputResponses: decline }), {
    action: 'decline',
    content: {},
  })
})

test('forms are taken by clients that say so, or that name no mode', () => {
  for (const [capabilities, takes] of [
    [{ elicitation: {} }, true],
    [{ elicitation: { form: {} } }, true],
    [{ elicitation: { form: {}, url: {} } }, true],
    [{ elicitation: { url: {} } }, false],
    [{ elicitation: true }, false],
    [{}, false],
    [undefined, false],
  ] as const)
    assert.equal(takesForms(capabilities), takes, JSON.stringify(capabilities))
})
