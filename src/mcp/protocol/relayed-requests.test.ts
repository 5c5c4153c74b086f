import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClientQuestions } from './relayed-requests.ts'

const NOTHING = { subscribe: () => () => {}, publish() {} }

test('a client that names ever new principals has half of the questions, and another client asks all the same', () => {
  const questions = createClientQuestions(NOTHING)
  const ask = (principal: string, holder: string): string | null =>
    questions.ask({ identity: principal, sessionId: principal }, holder, () => {})
  const greedy = Array.from({ length: 600 }, (_, count) => ask(`greedy/${count >> 4}`, 'greedy'))
  const asked = greedy.filter((id) => id !== null)
  assert.equal(asked.length, 256)
  assert.notEqual(ask('acme/key', 'acme'), null)
  for (const id of asked) questions.withdraw(id)
  assert.notEqual(ask('greedy/0', 'greedy'), null)
})

test('16 questions wait for one principal, and a question ends once', () => {
  const questions = createClientQuestions(NOTHING)
  const asked = { identity: 'acme/key', sessionId: 's1' }
  const told: unknown[] = []
  const ids = Array.from({ length: 17 }, () => questions.ask(asked, 'acme', (answer) => told.push(answer)))
  assert.deepEqual([ids[15] === null, ids[16]], [false, null])
  questions.answer(asked, ids[0], { action: 'accept' })
  questions.answer(asked, ids[0], { action: 'decline' })
  questions.withdraw(ids[0]!)
  assert.deepEqual(told, [{ action: 'accept' }])
  assert.notEqual(
    questions.ask(asked, 'acme', () => {}),
    null,
  )
  for (const id of ids.slice(1, 16)) questions.withdraw(id!)
})
