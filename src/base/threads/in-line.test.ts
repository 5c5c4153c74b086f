import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createQuestions, InLine } from './in-line.ts'

test('of each key so many pieces run at the same time, in order; a piece that fails gives its place back', async () => {
  const line = new InLine(2)
  const began: string[] = []
  const ends = new Map<string, { resolve(): void; reject(error: Error): void }>()
  const run = (key: string, name: string): Promise<void> =>
    line.run(key, () => {
      began.push(name)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      ends.set(name, { resolve, reject })
      return promise
    })
  const turn = (): Promise<void> => new Promise((done) => setImmediate(done))
  const all = ['a', 'b', 'c', 'd'].map((name) => run('one', name))
  const other = run('other', 'x')
  await turn()
  assert.deepEqual(began, ['a', 'b', 'x'])
  ends.get('b')!.reject(new Error('no'))
  await assert.rejects(all[1]!, /no/)
  await turn()
  assert.deepEqual(began, ['a', 'b', 'x', 'c'])
  ends.get('a')!.resolve()
  ends.get('c')!.resolve()
  await turn()
  ends.get('d')!.resolve()
  ends.get('x')!.resolve()
  await Promise.all([all[0], all[2], all[3], other])
  assert.deepEqual(began, ['a', 'b', 'x', 'c', 'd'])
})

test('an answer goes to the question of its number, once', async () => {
  const questions = createQuestions<string>((why) => why)
  const asked: number[] = []
  const answers = [1, 2].map(() => questions.ask(60_000, (id) => asked.push(id)))
  assert.equal(questions.answered(asked[1]!, 'two'), true)
  assert.equal(questions.answered(asked[0]!, 'one'), true)
  assert.equal(questions.answered(asked[0]!, 'again'), false)
  assert.deepEqual(await Promise.all(answers), ['one', 'two'])
})

test('a question ends at its deadline, and an answer that comes later counts for nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const questions = createQuestions<string>((why) => why)
  const answer = questions.ask(100, () => {})
  t.mock.timers.tick(100)
  assert.equal(await answer, 'late')
  assert.equal(questions.answered(1, 'here'), false)
})

test('the questions to a peer end with it, and those to others are still answered', async () => {
  const questions = createQuestions<string, string>((why) => why)
  const lost = questions.ask(60_000, () => {}, 'a')
  const kept = questions.ask(60_000, () => {}, 'b')
  questions.ended('a')
  assert.equal(await lost, 'ended')
  questions.answered(2, 'here')
  assert.equal(await kept, 'here')
})

test('a question that cannot be sent rejects, and waits for no answer', async () => {
  const questions = createQuestions<string>((why) => why)
  await assert.rejects(
    () =>
      questions.ask(60_000, () => {
        throw new Error('the port is closed')
      }),
    /the port is closed/,
  )
  assert.equal(questions.answered(1, 'here'), false)
})
