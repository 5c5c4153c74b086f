import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ToGateway } from '../shared/messages.ts'
import { createThreadQuestions } from './gateways.ts'

const DEADLINE_MS = 60_000

function start() {
  const told: (readonly [string, ToGateway])[] = []
  return { told, ...createThreadQuestions<string>((thread, message) => told.push([thread, message])) }
}

test('an answer goes to the question of its number', async () => {
  const { ask, answered, told } = start()
  const asked = ['first', 'second'].map((thread) => ask(thread, { about: 'uses' }, DEADLINE_MS))
  assert.deepEqual(
    told.map(([thread, message]) => [thread, message.kind === 'ask' && message.id]),
    [
      ['first', 1],
      ['second', 2],
    ],
  )
  answered(2, [['two', 2]])
  answered(1, [['one', 1]])
  assert.deepEqual(await Promise.all(asked), [[['one', 1]], [['two', 2]]])
})

test('a thread that ends leaves no question open until its deadline; the others are still answered', async () => {
  const { ask, askAll, answered, ended } = start()
  const lost = ask('first', { about: 'uses' }, DEADLINE_MS)
  const ofBoth = askAll(['first', 'second'], { about: 'uses' }, DEADLINE_MS)
  ended('first')
  await assert.rejects(lost, { message: 'the gateway thread has ended' })
  answered(3, [['two', 2]])
  answered(2, [['late', 1]])
  assert.deepEqual(await ofBoth, [[['two', 2]]])
})

test('no thread, and one that hangs, are told apart from an answer', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { ask } = start()
  await assert.rejects(ask(undefined, { about: 'uses' }, DEADLINE_MS), { message: /no gateway thread/ })
  const asked = ask('hangs', { about: 'uses' }, DEADLINE_MS)
  t.mock.timers.tick(DEADLINE_MS)
  await assert.rejects(asked, { message: 'the gateway thread did not answer' })
})
